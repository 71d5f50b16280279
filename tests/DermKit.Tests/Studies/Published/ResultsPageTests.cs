using DermKit.Evaluation;
using DermKit.Studies;
using DermKit.Tests.Evaluation;

namespace DermKit.Tests.Studies;

/// <summary>The committed pages are what kit results writes from the JSON files.</summary>
public sealed class ResultsPageTests(PublishedOnce once) : IClassFixture<PublishedOnce>
{
    private static readonly KitSettings Settings = KitSettings.FromEnvironment();

    private static readonly string Folder = PublishedFile.Folder(Settings);

    [Fact]
    public void ThePagesAreThoseOfTheFiles()
    {
        Assert.Equal(ResultsPage.Page(Folder), File.ReadAllText(Path.Combine(Folder, "README.md")));
        string readme = File.ReadAllText(Path.Combine(Settings.Root, "README.md"));
        Assert.Equal(ResultsPage.WithTables(readme, Folder), readme);
    }

    [Fact]
    public void EveryResultNamesCommandCommitSeedsAndMachine()
    {
        foreach (string name in PublishedFile.Names(Folder))
        {
            PublishedFile file = PublishedFile.Read(Folder, name);
            foreach (PublishedSource source in file.Provenance ?? [])
            {
                Assert.Matches("^[0-9a-f]{7}$", source.Commit);
                Assert.Contains("dotnet run", source.Command, StringComparison.Ordinal);
                Assert.NotEmpty(source.Machine);
            }
            if (file.Run is not { } run)
            {
                Assert.NotEmpty(file.Provenance!);
                continue;
            }
            Assert.Matches("^[0-9a-f]{12}$", run.Provenance["commit"]);
            Assert.Contains($"evaluate --publish {name}", run.Provenance["command"] + " ", StringComparison.Ordinal);
            Assert.DoesNotContain("results of", run.Provenance.Keys);
            Assert.All(["DermKit", "TorchSharp", ".NET", "processor"], key => Assert.NotEmpty(run.Provenance[key]));
        }
    }

    [Fact]
    public void ARunsTablesHoldItsNumbers()
    {
        using PublishedKit kit = once.Copy();
        string page = ResultsPage.Page(kit.Results);
        PublishedScore score = kit.Published.Score("own", "net-2", "linear")!;
        var estimate = new DermKit.Reporting.Estimate(score.F1[0], score.F1[1], score.F1[2]);
        string shown = DermKit.Reporting.Tables.Interval(estimate);
        string row = page.Split('\n').First(l => l.StartsWith("| Dots, own | 20 |", StringComparison.Ordinal));
        Assert.EndsWith($"| {shown} |", row, StringComparison.Ordinal);
        Assert.Contains("| task | test images | net-1, knn | net-1, linear | net-2, knn | net-2, linear |", page);
        Assert.Contains("Differences to net-1, with p:\n\n| task | test units |", page);
        Assert.Contains("| mean, not in pre-training data (2 tasks) |", page);
        Assert.Contains("- `kit evaluate --publish dots` at commit 0123456789ab, seeds 1, 9; quick mode", page);
        Assert.Equal(page, ResultsPage.Page(kit.Results));
        PublishedTask[] drawn = [.. kit.Published.Tasks.Select(t => t with { Stamp = "SYNTHETIC" })];
        PublishedRuns.Publish(kit.Results, "dots", null, kit.Published with { Tasks = drawn });
        Assert.Contains("\n## [SYNTHETIC] Two networks on dots\n", ResultsPage.Page(kit.Results));
    }

    [Fact]
    public void TheShortTableStandsBetweenItsMarks()
    {
        using PublishedKit kit = once.Copy();
        const string Marks = "a\n<!-- results: dots -->\nold\n<!-- /results -->\nb\n";
        string made = ResultsPage.WithTables(Marks, kit.Results);
        Assert.StartsWith("a\n<!-- results: dots -->\nF1 (macro", made, StringComparison.Ordinal);
        Assert.EndsWith("|\n<!-- /results -->\nb\n", made, StringComparison.Ordinal);
        Assert.Contains("| model | parameters | mean, not in pre-training data (2 tasks), knn |", made);
        Assert.DoesNotContain("old", made);
        Assert.Equal(made, ResultsPage.WithTables(made, kit.Results));
        Assert.Contains("in pairs", Assert.Throws<KitException>(() =>
            ResultsPage.WithTables("<!-- results: dots -->\nold", kit.Results)).Message);
        Assert.Contains("did you mean 'dots'", Assert.Throws<KitException>(() =>
            ResultsPage.WithTables(Marks.Replace("dots", "dotz"), kit.Results)).Message);
    }
}
