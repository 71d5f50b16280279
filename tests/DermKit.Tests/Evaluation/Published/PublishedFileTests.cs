using DermKit.Evaluation;
using DermKit.Studies;

namespace DermKit.Tests.Evaluation;

/// <summary>Files of data/results: written, read again, and refused with one error.</summary>
public sealed class PublishedFileTests(PublishedOnce once) : IClassFixture<PublishedOnce>, IDisposable
{
    private readonly PublishedKit kit = once.Copy();

    public void Dispose() => kit.Dispose();

    [Fact]
    public void AFileReadsBackAndProseStaysWhenItIsPublishedAgain()
    {
        string path = kit.FileOf("dots"), first = File.ReadAllText(path);
        PublishedFile file = PublishedFile.Read(kit.Results, "dots");
        Assert.Equal("Two networks on dots", file.Title);
        file.Write(path);
        Assert.Equal(first, File.ReadAllText(path));
        (file with { Finding = "One's better.", Limits = "Dots." }).Write(path);
        PublishedRuns.Publish(kit.Results, "dots", null, kit.Published);
        PublishedFile again = PublishedFile.Read(kit.Results, "dots");
        Assert.Equal(("Two networks on dots", "One's better.", "Dots."), (again.Title, again.Finding, again.Limits));

        // A table by hand gives way to the run; its prose stays.
        File.WriteAllText(kit.FileOf("old"), Old);
        PublishedRuns.Publish(kit.Results, "old", null, kit.Published);
        again = PublishedFile.Read(kit.Results, "old");
        Assert.Equal(("Old", "Found.", null, null), (again.Title, again.Finding, again.Columns, again.Provenance));
        Assert.NotNull(again.Run);
        PublishedRuns.Publish(kit.Results, "new", null, kit.Published);
        Assert.Equal("2 frozen models on 2 tasks", PublishedFile.Read(kit.Results, "new").Title);
    }

    [Fact]
    public void TheRunIsTakenUpAsItWas()
    {
        PublishedSettings settings = PublishedFile.Read(kit.Results, "dots").Run!.Settings;
        Assert.Equal((16, 320, "net-1", "1,9", "knn,linear", 1000), (settings.MostTrain, settings.MostTest,
            settings.Baseline, string.Join(',', settings.Seeds), string.Join(',', settings.Probes),
            settings.Resamples));
        SuitePlan plan = settings.Plan();
        Assert.Equal((16, 320, "net-1"), (plan.MostTrain, plan.MostTest, plan.Baseline));
        PublishedTask task = kit.Published.Tasks[0];
        Assert.Equal((16, 20, 20, 1), (task.TrainRows, task.TestRows, task.Units, task.Data.Length));
        PublishedScore score = kit.Published.Score("own", "net-2", "linear")!;
        Assert.Equal(score.F1[0], score.Seeds.Average(), 5);
        Assert.NotNull(score.P);
        Assert.Null(kit.Published.Score("own", "net-1", "linear")!.Difference);
    }

    [Fact]
    public void ANameThatIsUnknownNamesTheNearest()
    {
        KitException error = Assert.Throws<KitException>(() => PublishedFile.Read(kit.Results, "dotz"));
        Assert.Contains("'dotz' is unknown; did you mean 'dots'?", error.Message);
        Assert.Contains("small letters", Assert.Throws<KitException>(() =>
            PublishedFile.Read(kit.Results, "../dots")).Message);
    }

    [Theory]
    [InlineData("\"title\"", "\"tytle\"", "'tytle' is unknown; did you mean 'title'?")]
    [InlineData("\"resamples\"", "\"resample\"", "resample")]
    [InlineData("\"isBound\"", "\"isbound\"", "isbound")]
    [InlineData("\"probes\": [\"knn\"", "\"probes\": [\"kn\"", "'kn' is unknown")]
    [InlineData("\"f1\": [", "\"f1\": [ 0.5,", "run.scores")]
    [InlineData("\"command\"", "\"comand\"", "run.provenance")]
    [InlineData("\"features\": 0.001", "\"features\": 0", "run.tolerance")]
    [InlineData("\"units\": 20,", "", "units")]
    public void ABrokenFileIsOneFailureThatNamesIt(string old, string changed, string expected)
    {
        string path = kit.FileOf("dots"), text = File.ReadAllText(path);
        Assert.Contains(old, text);
        File.WriteAllText(path, text.Replace(old, changed, StringComparison.Ordinal));
        PublishedCheck check = Assert.Single(kit.Verify());
        Assert.Equal((PublishedOutcome.Fail, "file"), (check.Outcome, check.What));
        Assert.Contains(expected, check.Found);
    }

    [Fact]
    public void AFileThatIsCutShortIsOneFailure()
    {
        string path = kit.FileOf("dots"), text = File.ReadAllText(path);
        File.WriteAllText(path, text[..(text.Length / 2)]);
        PublishedCheck check = Assert.Single(kit.Verify());
        Assert.Equal(PublishedOutcome.Fail, check.Outcome);
        Assert.StartsWith(path, check.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileWithoutARunIsSkippedAndStatesItsCommand()
    {
        File.WriteAllText(kit.FileOf("old"), Old);
        PublishedCheck check = Assert.Single(PublishedRuns.Verify(kit.Settings, kit.Results, "old"));
        Assert.Equal(PublishedOutcome.Skip, check.Outcome);
        Assert.Contains("measured before", check.Found);
        Assert.Contains("dotnet run x", check.Found);
        File.WriteAllText(kit.FileOf("old"), """{"title": "Old"}""");
        Assert.Contains("expected 'run', or 'columns'",
            Assert.Single(PublishedRuns.Verify(kit.Settings, kit.Results, "old")).Found);
    }

    private const string Old = """
        {"title": "Old", "finding": "Found.", "test": "Tested.", "measure": "Measured.", "columns": ["a", "b", "c"],
         "rows": [["x", 3, [0.5, 0.4, 0.6]], ["y", 0.5, ""]], "limits": "Limited.",
         "provenance": [{"command": "dotnet run x", "commit": "0123456", "seeds": [1], "machine": "a machine"}]}
        """;
}
