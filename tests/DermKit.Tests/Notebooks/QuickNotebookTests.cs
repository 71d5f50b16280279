using DermKit.Notebooks;
using DermKit.Data;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>The kit's notebooks: clean in the repository, and running in quick mode on the synthetic set.</summary>
/// <param name="cache">A new cache of results, because results of an older build do not test this one.</param>
public sealed class QuickNotebookTests(TemporaryFolder cache) : IClassFixture<TemporaryFolder>
{
    private static readonly string Folder = Path.Combine(GeneratedNotebook.Root, "notebooks");

    public static TheoryData<string> Files() =>
        Directory.Exists(Folder)
            ? new(Directory.GetFiles(Folder, "*.ipynb").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal))
            : [];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void SourceIsClean(string file)
    {
        string path = Path.Combine(Folder, file), text = File.ReadAllText(path);
        NotebookDocument notebook = NotebookDocument.Load(path);
        Assert.Empty(NotebookHygiene.Problems(notebook, text));
        Assert.All(Solutions.Of(notebook),
            code => Assert.InRange(code.Split('\n').Length, 1, NotebookHygiene.LineLimit));
        Assert.NotEmpty(Solutions.Of(notebook));
        string exercises = string.Concat(notebook.Cells.Where(c => c.Type == "markdown").Select(c => c.Source))
            .Split("## Exercises")[^1];
        Assert.True(Solutions.Folded(exercises) is > 0 and var folded && folded == Regex.Count(exercises, "<details")
            && folded == Regex.Count(exercises, "</details>"),
            $"{file}: every solution stands between the lines '<details><summary>Solution</summary>' and "
            + "'</details>'.");
        Assert.Contains(notebook.Cells,
            c => c.IsCode && c.Source.Contains("#r \"../lib/bin/DermKit.dll\"", StringComparison.Ordinal));
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public async Task RunsInQuickMode(string file)
    {
        SlowTier.Need("runs a notebook and the solutions of its exercises");
        string path = Path.Combine(Folder, file),
            drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir);
        // Images and features, which take minutes, are shared and have tests of their own; results are new.
        foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
        {
            string folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(drawn)!, shared)).FullName,
                link = Path.Combine(cache.Path, shared);
            if (!Directory.Exists(link)) Directory.CreateSymbolicLink(link, folder);
        }
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Timeout = TimeSpan.FromMinutes(20),
            Environment = new Dictionary<string, string?>
            {
                ["KIT_DATA_DIR"] = null,
                ["KIT_CACHE_DIR"] = cache.Path,
                ["KIT_REPORTS_DIR"] = cache.Path,
                ["OMP_WAIT_POLICY"] = "PASSIVE"
            },
        };
        // The solutions of the exercises run after the notebook's own cells, in the same session.
        NotebookDocument notebook = NotebookRunner.Prepare(path, options.Set);
        foreach ((int i, string code) in Solutions.Of(notebook).Index())
            notebook.InsertCode(notebook.Cells.Count, $"solution-{i + 1}", code);
        NotebookRun run = await NotebookRunner.RunAsync(notebook, path, options, _ => { },
            TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, $"{file}: {run.Error}");
        Assert.DoesNotContain(run.Executed.Cells.SelectMany(c => c.IsCode ? c.Outputs : []),
            o => (string?)o!["output_type"] == "error");
        Assert.DoesNotContain("id=\"error\"", HtmlReport.Render(run));
        // Solutions are a reader's own tables.
        Assert.Empty(
            ScoreTables.Unstated(
                string.Concat(run.Executed.Cells
                    .Where(c => c.IsCode && !c.Id.StartsWith("solution-", StringComparison.Ordinal))
                    .SelectMany(c => c.Outputs).Select(o => NotebookCell.Text(o?["data"]?["text/html"])))));
    }
}
