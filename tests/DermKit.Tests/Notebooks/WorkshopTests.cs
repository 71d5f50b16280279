using DermKit.Notebooks;
using DermKit.Data;

namespace DermKit.Tests.Notebooks;

/// <summary>The workshop's pairs: an exercise stops at its blanks and nowhere else, and its
/// solution runs through.</summary>
public sealed class WorkshopTests
{
    private static readonly string Folder = Path.Combine(GeneratedNotebook.Root, "notebooks");

    public static TheoryData<string> Stages() => new(Directory.GetFiles(Path.Combine(Folder, "exercises"), "*.ipynb")
        .Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

    private static NotebookDocument Load(string kind, string file) =>
        NotebookDocument.Load(Path.Combine(Folder, kind, file));

    private static bool IsBlank(NotebookCell cell) => cell.IsCode
        && cell.Source.Contains("Exercise.Blank<", StringComparison.Ordinal);

    [Fact]
    public void EveryStageHasAPair()
    {
        string[] stages = [.. Directory.GetFiles(Folder, "0*.ipynb").Select(f => Path.GetFileName(f))
            .Order(StringComparer.Ordinal)];
        foreach (string kind in new[] { "exercises", "solutions" })
            Assert.Equal(stages,
                Directory.GetFiles(Path.Combine(Folder, kind), "*.ipynb").Select(f => Path.GetFileName(f))
                    .Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Stages))]
    public void ASolutionDiffersFromItsExerciseInTheBlanksOnly(string file)
    {
        NotebookDocument exercise = Load("exercises", file), solution = Load("solutions", file);
        Assert.Equal(exercise.Cells.Select(c => c.Id), solution.Cells.Select(c => c.Id));
        Assert.InRange(exercise.Cells.Count(IsBlank), 3, 6);
        Assert.DoesNotContain(solution.Cells, IsBlank);
        foreach ((NotebookCell asked, NotebookCell filled) in exercise.Cells.Zip(solution.Cells))
        {
            if (!IsBlank(asked) && asked.Id != "title") Assert.Equal(asked.Source, filled.Source);
            if (!IsBlank(asked)) continue;
            // Two lines differ: the comment, and the one that holds the blank.
            Assert.Equal(2, asked.Source.Split('\n').Zip(filled.Source.Split('\n')).Count(l => l.First != l.Second));
            Assert.Contains("Exercise.Check(", asked.Source);
        }
    }

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task AnExerciseStopsAtItsBlanksAndItsSolutionRunsThrough(string file)
    {
        SlowTier.Need("runs an exercise and its solution");
        NotebookDocument exercise = Load("exercises", file), both = Load("solutions", file);
        // Each blank once as it stands, then filled in: what a class does.
        string[] blanks = [.. exercise.Cells.Where(IsBlank).Select(c => c.Id)];
        foreach (string id in blanks)
            both.InsertCode(both.Cells.ToList().FindIndex(c => c.Id == id), $"blank-{id}",
                exercise.Cells.Single(c => c.Id == id).Source).Metadata["tags"] =
                new System.Text.Json.Nodes.JsonArray("raises-exception");
        using var cache = new TemporaryFolder();
        string drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir);
        foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
            Directory.CreateSymbolicLink(Path.Combine(cache.Path, shared),
                Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(drawn)!, shared)).FullName);
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
        NotebookRun run = await NotebookRunner.RunAsync(both, Path.Combine(Folder, "solutions", file), options,
            _ => { }, TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, $"{file}: {run.Error}");
        foreach (NotebookCell cell in run.Executed.Cells.Where(c => c.IsCode))
        {
            var error = cell.Outputs.SingleOrDefault(o => (string?)o!["output_type"] == "error");
            Assert.Equal(cell.Id.StartsWith("blank-", StringComparison.Ordinal), error is not null);
            if (error is not null) Assert.StartsWith("A blank to fill in: ", (string?)error["evalue"]);
            else if (blanks.Contains(cell.Id))
                Assert.StartsWith("Right: ", NotebookCell.Text(cell.Outputs[^1]!["data"]!["text/plain"]));
        }
    }
}
