using System.Globalization;
using DermKit.Data;
using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class ProbingTests
{
    private const int Images = 300;

    internal static ProbeTask Task(string name, bool inPretraining = false, bool inMeans = true, string set = "made-up",
        SplitKind split = SplitKind.Patient, int images = Images, string stamp = "", bool? frozen = null)
    {
        string[] ids = [.. Enumerable.Range(0, images).Select(i => $"{set}-{i:D4}")];
        var table = new ImageTable(set, ("image", ids.Select(i => $"/{i}.png")), ("image_id", ids),
            ("patient_id", Enumerable.Range(0, images).Select(i => $"p{i / 3}")));
        var definition = new TaskDefinition
        {
            Name = name,
            Version = 1,
            Title = name,
            DataSets = new() { [set] = null },
            Label = "diagnosis",
            ClassCount = 3,
            Split = split,
            Unit = "patient_id",
            InPretraining = inPretraining,
            InMeans = inMeans,
            Stamp = stamp,
        };
        return new(definition, table, [.. Enumerable.Range(0, images).Select(i => i % 3)], ["a", "b", "c"],
            [.. Enumerable.Range(0, images).Select(i => i % 30 < 3 && (frozen ?? split == SplitKind.Frozen))]);
    }

    private static Tensor Features(int seed, double apart) => ProbeTests.Blobs(Images, 10, 3, seed, apart).X;

    private static FeatureSource Source(string model, string key = "k") => new(model, "cls4", "weights", key);

    /// <summary>Every stored result below a folder, ordered by probe and seed.</summary>
    internal static TaskResult[] Stored(string folder) =>
        [.. Directory.GetFiles(folder, "*.json", SearchOption.AllDirectories).Select(Results.TryRead<TaskResult>)
            .OfType<TaskResult>().OrderBy(r => r.Probe, StringComparer.Ordinal).ThenBy(r => r.Seed)];

    [Fact]
    public void AResultHoldsWhatItTakesToReadItLater()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var results = new Results(Path.Combine(folder.Path, "results"));
        ProbeTask task = Task("one");
        var made = Probing.Run(Features(1, 0.6), Source("m"), task, 9, results: results);
        Assert.Equal(["knn", "linear"], made.Select(r => r.Probe));
        foreach (TaskResult r in made)
        {
            Split split = task.SplitFor(9);
            Assert.Equal(split.Train.Length, r.TrainRows);
            Assert.Equal(split.Test.Select(i => task.Table.Ids[i]), r.Ids);
            Assert.Equal(r.Ids.Length / 3, r.UnitCount);
            Assert.Equal(ClassCounts.Of(r.Truth, r.Predicted, 3).F1Macro, r.Metrics["f1"], 12);
            Assert.Equal(r.Metrics["f1"], r.Intervals["f1"].Value, 12);
            Assert.InRange(r.Metrics["f1"], r.Intervals["f1"].Low, r.Intervals["f1"].High);
            Assert.Equal(r.Ids.Length, r.Confusion.Sum(row => row.Sum()));
            Assert.NotEmpty(r.Kit);
        }
        Assert.NotNull(made[0].K);
        Assert.True(made[1].Converged);
        var read = Stored(folder.Path);
        Assert.Equivalent(made, read, strict: true);
        Assert.Equal(made[1].Key, results.Find("one", "m", "cls4", "linear", 9, made[1].Key)!.Key);
    }

    [Fact]
    public void ResultsAreReusedOnlyForTheSameInputs()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var results = new Results(folder.Path);
        ProbeTask task = Task("one");
        Tensor features = Features(1, 0.6);
        TaskResult first = Probing.Run(features, Source("m"), task, 1, new() { Probes = ["knn"] }, results)[0];
        // Another time is only there when the result was made again.
        string path = results.PathOf("one", "m", "cls4", "knn", 1, first.Key);
        File.WriteAllText(path,
            File.ReadAllText(path)
                .Replace($"\"seconds\": {first.Seconds.ToString("R", CultureInfo.InvariantCulture)}",
                    "\"seconds\": 12345", StringComparison.Ordinal));
        TaskResult Again(FeatureSource source, ProbingOptions? options = null) =>
            Probing.Run(features, source, task, 1, options ?? new() { Probes = ["knn"] }, results)[0];
        TaskResult Of(ProbeTask other) =>
            Probing.Run(features, Source("m"), other, 1, new() { Probes = ["knn"] }, results)[0];
        Assert.Equal(12345, Again(Source("m")).Seconds);
        Assert.NotEqual(12345, Again(Source("m"), new() { Probes = ["knn"], Resamples = 10 }).Seconds);
        Assert.NotEqual(first.Key, Again(Source("m", "other images")).Key);
        Assert.NotEqual(first.Key, Again(Source("m"), new() { Probes = [new KnnProbe { Ks = [3] }] }).Key);
        Assert.Equal((true, false, "SYNTHETIC"),
            (Of(Task("one", inPretraining: true)).InPretraining, Of(Task("one", inMeans: false)).InMeans,
                Of(Task("one", stamp: "SYNTHETIC")).Stamp));
        // Results of other inputs stand beside it.
        Assert.Equal(12345, Again(Source("m")).Seconds);
        Assert.Equal(7, Stored(folder.Path).Length);
        File.WriteAllText(path, "{ \"task\": ");
        Assert.Null(Results.TryRead<TaskResult>(path));
        Assert.Equal(first.Predicted, Again(Source("m")).Predicted);
        Assert.Equal(7, Stored(folder.Path).Length);
    }

    [Fact]
    public void AFrozenImageInTrainingIsRefusedByName()
    {
        Assert.Contains("frozen test images among the training images: made-up-0",
            Assert.Throws<KitException>(() => Task("one", frozen: true).SplitFor(1)).Message);
        Assert.Contains("frozen test images among",
            Assert.Throws<KitException>(() => Task("one", frozen: true).Redraw(1)).Message);
        ProbeTask fine = Task("one", split: SplitKind.Frozen);
        Assert.Equal(30, fine.SplitFor(1).Test.Length);
        Assert.DoesNotContain(fine.Redraw(1).Train, i => i % 30 < 3);
    }

    [Fact]
    public void ADrawByClassDoesNotDependOnTheOrderOfRows()
    {
        ProbeTask task = Task("one", split: SplitKind.Stratified);
        var definition = task.Definition with { Unit = null };
        ImageTable forward = new("t", ("image", task.Table.Paths), ("image_id", task.Table.Ids)),
            backward = forward.Rows([.. Enumerable.Range(0, Images).Reverse()]);
        string[] Drawn(ImageTable table, int[] labels) =>
            [.. new ProbeTask(definition, table, labels, task.ClassNames, new bool[Images])
                .SplitFor(9).Test.Select(i => table.Ids[i]).Order()];
        Assert.Equal(Drawn(forward, task.Labels), Drawn(backward, [.. task.Labels.Reverse()]));
    }

    [Fact]
    public void UndefinedMetricsAreNullInTheFileAndSaid()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var results = new Results(folder.Path);
        ProbeTask task = Task("one", split: SplitKind.Frozen);
        // The test images of class c could not be read: their rows are not among the features.
        int[] read = [.. Enumerable.Range(0, Images).Where(i => i % 30 != 2)],
            rowOf = [.. Enumerable.Range(0, Images).Select(i => Array.IndexOf(read, i))];
        TaskResult result = Probing.Run(Features(1, 0.6).index_select(0, ProbeInput.ToTensor(read, CPU)), Source("m"),
            task, 1, new() { Probes = ["linear"] }, results, rowOf)[0];
        Assert.True(result.Metrics["accuracy"] > 0.6);
        Assert.True(double.IsNaN(result.Metrics["auroc"]));
        Assert.Contains("No test image of c", result.Note);
        Assert.Contains("10 images could not be read", result.Note);
        Assert.Contains("\"auroc\": null",
            File.ReadAllText(results.PathOf("one", "m", "cls4", "linear", 1, result.Key)));
        Assert.True(double.IsNaN(Stored(folder.Path)[0].Metrics["auroc"]));
        Assert.Equal(1000, result.Intervals["auroc"].Undefined);
        Assert.Equal(0, result.Confusion[2].Sum());
    }

    [Fact]
    public void FeaturesOfAnotherTableAndUnknownProbesAreRefused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("extract the features of this task's table",
            Assert.Throws<KitException>(() => Probing.Run(randn(5, 3), Source("m"), Task("one"), 1)).Message);
        Assert.Contains("did you mean 'linear'",
            Assert.Throws<KitException>(() =>
                Probing.Run(Features(1, 1), Source("m"), Task("one"), 1, new() { Probes = ["liner"] })).Message);
    }

    [Fact]
    public void MeansKeepInsideAndOutsideApartAndLeaveTheShortcutTaskOut()
    {
        using var scope = NewDisposeScope();
        ProbeTask[] tasks = [Task("in", inPretraining: true, set: "a"), Task("out 1", set: "b"),
            Task("out 2", set: "c"), Task("shortcut", inMeans: false, set: "d")];
        var results = new List<TaskResult>();
        foreach (ProbeTask task in tasks)
            foreach (int seed in new[] { 1, 9 })
                foreach ((string model, double apart) in new[] { ("good", 0.9), ("base", 0.3) })
                    results.AddRange(
                        Probing.Run(Features(seed, apart), Source(model), task, seed, new() { Resamples = 50 }));
        var table = Comparison.Table(results, "base", resamples: 300);
        Assert.Equal(4 * 2 * 2, table.Count);
        ComparisonRow row = table.Single(r => r is { Model: "good", Task: "out 1", Probe: "linear" });
        Assert.Equal(results.Where(r => r is { Model: "good", Task: "out 1", Probe: "linear" })
            .Average(r => r.Metrics["f1"]), row.Score.Value, 12);
        Assert.Equal(2, row.Seeds);
        Assert.True(row.AgainstBaseline!.Difference.Low > 0 && row.AdjustedP >= row.AgainstBaseline.P);
        Assert.All(table.Where(r => r.Model == "base"), r => Assert.Null(r.AgainstBaseline));

        var means = Comparison.Means(results, "base", resamples: 300);
        Assert.Equal(2 * 2 * 2, means.Count);
        ComparisonRow outside = means.Single(r => r is { Model: "good", Task: Comparison.Outside, Probe: "knn" });
        Assert.Equal(2, outside.Tasks);
        Assert.Equal(results
            .Where(r => r is { Model: "good", Probe: "knn" } && r.Task.StartsWith("out", StringComparison.Ordinal))
            .Average(r => r.Metrics["f1"]), outside.Score.Value, 12);
        Assert.Equal(1, means.Single(r => r is { Model: "base", Task: Comparison.Inside, Probe: "knn" }).Tasks);
        Assert.Null(Comparison.SignedRank(results, "good", "base", "knn"));
    }

    [Fact]
    public void ATaskThatOneModelHasSeenIsInsideForAll()
    {
        using var scope = NewDisposeScope();
        ProbeTask seen = Task("seen", set: "ham10000"), unseen = Task("unseen", set: "b");
        ProbingOptions options = new() { Probes = ["knn"], Resamples = 10 };
        TaskResult[] Of(string model, params string[] sets) =>
            [.. new[] { seen, unseen }.SelectMany(t =>
                Probing.Run(Features(1, 0.5), Source(model) with { PretrainedOn = sets }, t, 1, options))];
        TaskResult[] results = [.. Of("collection", "isic", "med-node"), .. Of("named", "ham10000"),
            .. Of("neither", "imagenet")];
        Assert.Equal([true, false, true, false, false, false], results.Select(r => r.InPretraining));
        Assert.Equal(["collection seen", "collection unseen", "named seen", "named unseen", "neither seen",
            "neither unseen"],
            Comparison.Means(results, resamples: 10)
                .Select(r => $"{r.Model} {(r.Task == Comparison.Inside ? "seen" : "unseen")}")
                .Order(StringComparer.Ordinal));
        Assert.All(Comparison.Means(Of("neither", "imagenet"), resamples: 10),
            r => Assert.Equal((Comparison.Outside, 2), (r.Task, r.Tasks)));
    }

    [Fact]
    public void RanksNeedEightDataSets()
    {
        using var scope = NewDisposeScope();
        ProbingOptions options = new() { Probes = ["knn"], Resamples = 10 };
        TaskResult[] Of(int sets) => [.. Enumerable.Range(0, sets)
            .SelectMany(i =>
                new[] { ("good", 0.9), ("base", 0.3) }.SelectMany(m =>
                    Probing.Run(Features(i + 1, m.Item2), Source(m.Item1), Task($"t{i}", set: $"s{i}"), 1, options)))];
        Assert.Contains("7 distinct real data set(s); both need 8",
            Assert.IsType<string>(DermKit.Reporting.ProbingReport.Ranks(Of(7), "base")));
        TaskResult[] results = Of(8);
        IReadOnlyDictionary<string, double> ranks = Comparison.MeanRanks(results, "knn")!;
        Assert.Equal(3, ranks["good"] + ranks["base"], 12);
        Assert.InRange(ranks["good"], 1, 1.3);
        string table = Assert.IsType<DermKit.Reporting.Table>(DermKit.Reporting.ProbingReport.Ranks(results, "base"))
            .ToString();
        Assert.Contains("Mean rank (1 is best)", table);
        Assert.Contains("8 data sets", table);
    }

    private static TaskResult Result(string task, string set, string model, int[] predicted, string features = "cls4",
        int seed = 1, string stamp = "", string modelStamp = "", string weights = "w", string probe = "linear")
    {
        int[] truth = [.. Enumerable.Range(0, 60).Select(i => i % 2)];
        string[] ids = [.. truth.Select((_, i) => $"{i}")];
        double f1 = ClassCounts.Of(truth, predicted, 2).F1(1);
        return new(task, 1, model, features, probe, seed, "key", weights, "data", set, false, true, stamp, ["a", "b"],
            10, ids, ids, truth, predicted,
            new(StringComparer.Ordinal) { ["f1"] = f1 }, new(StringComparer.Ordinal), [], "", 0,
            ModelStamp: modelStamp);
    }

    private static int[] Calls(int wrong) => [.. Enumerable.Range(0, 60).Select(i => i < wrong ? 1 - i % 2 : i % 2)];

    [Fact]
    public void ModelsAreRankedByNameWhateverTheirFeatures()
    {
        TaskResult[] results = [.. Enumerable.Range(0, 8)
            .SelectMany(t => new[] { Result($"t{t}", $"s{t}", "vit", Calls(20)),
            Result($"t{t}", $"s{t}", "resnet", Calls(5 + t), "avgPool") })];
        Assert.Equal(2 / 256.0, Comparison.SignedRank(results, "resnet", "vit", "linear")!.Value.P);
        Assert.Equal(1, Comparison.MeanRanks(results, "linear")!["resnet"]);
        var table = Assert.IsType<DermKit.Reporting.Table>(DermKit.Reporting.ProbingReport.Ranks(results, "vit"));
        Assert.Equal(("resnet (avgPool)", 2 / 256.0), ((string)table.Rows[0][0]!, (double)table.Rows[0][4]!));
        Assert.Equal(("vit", "–"), ((string)table.Rows[1][0]!, (string)table.Rows[1][4]!));
        // The same model with two kinds of features has no one score to rank.
        TaskResult[] twice = [.. results, .. results.Where(r => r.Model == "resnet")
            .Select(r => r with { Features = "cls4" })];
        Assert.Contains("avgPool and cls4", Assert.Throws<KitException>(() =>
            Comparison.SignedRank(twice, "resnet", "vit", "linear")).Message, StringComparison.Ordinal);
        ComparisonRow row = Comparison.Table(results, "vit", resamples: 10).First(r => r.AgainstBaseline is not null);
        Assert.Equal(("resnet", "avgPool", "resnet (avgPool)"), (row.Model, row.Features, row.Name));
    }

    [Fact]
    public void ATableOfManyComparisonsFindsWhatIsThereAndSaysThatItsPIsABound()
    {
        TaskResult[] results = [.. Enumerable.Range(0, 40)
            .SelectMany(t => new[] { Result($"t{t}", $"s{t}", "good", Calls(0)),
            Result($"t{t}", $"s{t}", "base", Calls(20), stamp: "", modelStamp: t == 7 ? "FIXTURE" : "") })];
        IReadOnlyList<ComparisonRow> rows = Comparison.Table(results, "base", resamples: 100);
        ComparisonRow[] compared = [.. rows.Where(r => r.AgainstBaseline is not null)];
        Assert.All(compared, r => Assert.Equal((40, true), (r.Family, r.IsBound)));
        Assert.All(compared, r => Assert.InRange(r.AdjustedP!.Value, 0.01, 0.02));
        Assert.Equal("FIXTURE", compared.Single(r => r.Task == "t7").Stamp);
        // A part of the table is still corrected over the whole, and says so.
        DermKit.Reporting.Table table = DermKit.Reporting.ProbingReport.Scores("Part", [.. rows.Take(2)]);
        Assert.Equal("≤ 0.020", table.Rows.Single(r => (string)r[1]! == "good")[6]);
        Assert.Contains("(≤: no resample lies on the other side of 0), Holm over the 40 differences",
            table.Footnote!.Comparison,
            StringComparison.Ordinal);
        // Means and tasks in one table are one family, in which a mean of one task is no second comparison.
        Assert.Equal([1], Comparison.MeansAndTable([.. results.Take(2)], "base").Select(r => r.Family).Distinct());
        Assert.All(Comparison.MeansAndTable(results, "base"), r => Assert.Equal(rows.Count / 2 + 1, r.Family));
    }

    [Fact]
    public void AnOutcomeThatNoSeedChangesHasNoSpread()
    {
        double Spread(params TaskResult[] results) =>
            Assert.Single(Comparison.Table(results, resamples: 10)).SeedSpread;
        TaskResult first = Result("t", "s", "m", Calls(5)), second = first with { Seed = 9 };
        Assert.True(double.IsNaN(Spread(first, second)));
        string shown = DermKit.Reporting.ProbingReport.Scores("One", Comparison.Table([first, second], resamples: 10))
            .ToString();
        Assert.Matches(@"0\.9\d \[.*\] +–\n", shown);
        // Other weights that happen to score alike are a spread of 0, and other calls a spread.
        Assert.Equal(0, Spread(first, second with { WeightsHash = "other" }));
        Assert.True(Spread(first, Result("t", "s", "m", Calls(9), seed: 9)) > 0);
    }

    [Fact]
    public void ATaskThatOneModelLacksIsOutOfTheMeanOfAll()
    {
        using var scope = NewDisposeScope();
        ProbeTask one = Task("one", set: "a"), two = Task("two", set: "b");
        ProbingOptions options = new() { Probes = ["knn"], Resamples = 10 };
        TaskResult[] results =
        [
            .. Probing.Run(Features(1, 0.9), Source("m"), one, 1, options),
            .. Probing.Run(Features(1, 0.9), Source("m"), two, 1, options),
            .. Probing.Run(Features(1, 0.3), Source("n"), one, 1, options),
        ];
        Assert.All(Comparison.Means(results, resamples: 10), r => Assert.Equal(1, r.Tasks));
    }
}
