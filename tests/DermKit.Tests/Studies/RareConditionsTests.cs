using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class RareConditionsTests
{
    private const int Images = 300, Train = 240;
    private static readonly FeatureSource Source = new("m", "cls4", "weights", "features");

    internal static readonly RareConditionsPlan Plan = new()
    {
        Labels = new()
        {
            Sizes = [1, 3, 10, 30],
            Repeats = 4,
            Suite = new() { Seeds = [1, 9], Probing = new() { Resamples = 60 } }
        }
    };

    /// <summary>Classes a, b, the rarer c, and d, which has three training images and no test image.</summary>
    internal static ProbeTask Task(string name = "one")
    {
        string[] ids = [.. Enumerable.Range(0, Images).Select(i => $"i{i:D4}")];
        var table = new ImageTable("set", ("image", ids.Select(i => $"/{i}.png")), ("image_id", ids),
            ("patient_id", Enumerable.Range(0, Images).Select(i => $"p{i / 3}")));
        var definition = new TaskDefinition
        {
            Name = name,
            Version = 1,
            Title = name,
            DataSets = new() { ["set"] = null },
            Label = "diagnosis",
            ClassCount = 4,
            Split = SplitKind.Frozen,
            Unit = "patient_id",
            InPretraining = false,
            Stamp = "SYNTHETIC"
        };
        return new(definition, table, Labels, ["a", "b", "c", "d"],
            [.. Enumerable.Range(0, Images).Select(i => i >= Train)]);
    }

    private static int[] Labels =>
        [.. Enumerable.Range(0, Images).Select(i => i is 7 or 20 or 33 ? 3 : i % 6 == 5 ? 2 : i % 2)];

    internal static Tensor Features(int seed = 1, double apart = 1)
    {
        using var scope = NewDisposeScope();
        Tensor centres = randn([4, 16], generator: new Generator(7)) * Kept(apart);
        return (centres.index_select(0, ProbeInput.ToTensor(Labels, CPU))
            + randn([Images, 16], generator: new Generator((ulong)seed))).MoveToOuterDisposeScope();
    }

    /// <summary>Nine test rows of the classes often, some, rare (two rows) and gone (none).</summary>
    internal static ClassRows Rows(string model = "m", string probe = "linear", int seed = 1,
        int[]? predicted = null) =>
            new("nine", model, probe, seed, "", "", ["often", "some", "rare", "gone"], [100, 40, 5, 3],
                [.. "ABCDEFGHI".Select(c => $"{c}")], [0, 0, 0, 0, 1, 1, 1, 2, 2],
                predicted ?? [0, 0, 1, 2, 1, 1, 0, 2, 0],
                [.. new[] { 0.1, 0.1, 0.2, 0.6, 0.05, 0.05, 0.3, 0.9, 0.3 }.Select(p =>
                    new[] { 0.7 * (1 - p), 0.3 * (1 - p), p, 0 })]);

    private static ClassScore One(IReadOnlyList<ClassScore> scores, string metric, string name) =>
        scores.Single(s => s.Metric == metric && s.Size.Class == name);

    [Fact]
    public void ScoresOfAClassAreThoseCountedByHand()
    {
        IReadOnlyList<ClassScore> scores = RareConditionScores.Of([Rows()], 400);
        // The fewest training images first.
        Assert.Equal(["gone", "rare", "some", "often"], scores.Where(s => s.Metric == "f1").Select(s => s.Size.Class));
        Assert.Equal(new ClassSize("nine", "rare", 5, 2, 2), One(scores, "f1", "rare").Size);
        // Rare: one of two rows told right, called twice. Some: two of three, called three times. Often:
        // two of four, called four times.
        Assert.Equal(2.0 * 1 / (2 + 2), One(scores, "f1", "rare").Score!.Value);
        Assert.Equal(2.0 * 2 / (3 + 3), One(scores, "f1", "some").Score!.Value, 12);
        Assert.Equal(2.0 / 4, One(scores, "recall", "often").Score!.Value);
        // Of 14 pairs of a rare row and another, 12 are in order and one is a tie.
        Assert.Equal(12.5 / 14, One(scores, "auroc", "rare").Score!.Value, 12);
        // No test image: a row with a name, and no number.
        Assert.All(scores.Where(s => s.Size.Class == "gone"), s => Assert.Null(s.Score));
        Assert.Equal((3, 0, 0), (scores[0].Size.TrainImages, scores[0].Size.TestImages, scores[0].Size.TestUnits));
        // The interval is that of the resamples with an image of the class.
        ClassRows rows = Rows();
        double[] recalls =
            [.. Bootstrap.Over(rows.Units, 400, 1, w => w[7] + w[8] == 0 ? double.NaN : (double)w[7] / (w[7] + w[8]))];
        Assert.Equal(Bootstrap.Percentiles(0.5, recalls), One(scores, "recall", "rare").Score);
        Assert.Equal(recalls.Count(double.IsNaN), One(scores, "recall", "rare").Score!.Undefined);
        Assert.Contains(double.NaN, recalls);
    }

    [Fact]
    public void SeedsAreAveragedAndThoseWithoutTheClassAreNotCounted()
    {
        ClassRows first = Rows(), second = Rows(seed: 9, predicted: [0, 0, 0, 0, 1, 1, 1, 2, 2]),
            without = Rows(seed: 21) with { Truth = [0, 0, 0, 0, 1, 1, 1, 0, 0] };
        Assert.Equal((0.5 + 1) / 2,
            One(RareConditionScores.Of([first, second, without], 20), "recall", "rare").Score!.Value, 12);
        Assert.Equal((0.5 + 1 + 3.0 / 6) / 3,
            One(RareConditionScores.Of([first, second, without], 20), "recall", "often").Score!.Value, 12);
    }

    [Fact]
    public void ATableOverManyTasksIsOneFamilyAndCanStillFindWhatIsThere()
    {
        ClassRows Of(string task, string model, bool right)
        {
            int[] truth = [.. Enumerable.Range(0, 80).Select(i => i % 2)];
            int[] predicted = [.. truth.Select((t, i) => right || i % 5 > 1 ? t : 1 - t)];
            return new(task, model, "linear", 1, "key", task == "t0" ? "FIXTURE" : "", ["a", "b"], [10, 10],
                [.. truth.Select((_, i) => $"{i}")], truth, predicted, [.. truth.Select(_ => new[] { 0.5, 0.5 })]);
        }
        ClassRows[] rows = [.. Enumerable.Range(0, 30)
            .SelectMany(t => new[] { Of($"t{t}", "m", true), Of($"t{t}", "b", false) })];
        IReadOnlyList<ClassDifference> differences = RareConditionScores
            .Differences(rows, (_, probe) => ("b", probe), "f1", 100);
        Assert.Equal(60, differences.Count);
        Assert.All(differences, d => Assert.Equal((60, true), (d.Family, d.IsBound)));
        Assert.All(differences, d => Assert.Equal(60 * d.Difference!.P, d.AdjustedP!.Value, 12));
        Assert.All(differences, d => Assert.InRange(d.AdjustedP!.Value, 0.001, 0.02));
        DermKit.Reporting.Table table = DermKit.Studies.RareReport
            .Differences(differences, "F1, minus b", "Against b");
        Assert.StartsWith("[FIXTURE] Against b: above on 60, below on 0 of 60 pairs", table.Headline,
            StringComparison.Ordinal);
        Assert.All(table.Rows, r => Assert.StartsWith("≤ 0.0", (string)r[7]!, StringComparison.Ordinal));
    }

    [Fact]
    public void DifferencesArePairedAndCorrectedOverTheClasses()
    {
        ClassRows baseline = Rows("b"), better = Rows("m", predicted: [0, 0, 0, 0, 1, 1, 1, 2, 2]);
        IReadOnlyList<ClassDifference> differences = RareConditionScores.Differences([better, baseline],
            (_, probe) => ("b", probe), "f1", 400);
        Assert.Equal(["gone", "rare", "some", "often"], differences.Select(d => d.Size.Class));
        Assert.All(differences, d => Assert.Equal(("m", "b"), (d.Model, d.AgainstModel)));
        Assert.Null(differences[0].Difference);
        Assert.Null(differences[0].AdjustedP);
        Assert.Equal([0.5, 1 - 2.0 / 3, 0.5], differences.Skip(1).Select(d => d.Difference!.Difference.Value),
            (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(PairedTest.Holm([.. differences.Skip(1).Select(d => d.Difference!.P)]),
            differences.Skip(1).Select(d => d.AdjustedP!.Value));
        // The standard error is that of the same resamples, both scored alike.
        ushort[][] draws = Bootstrap.Over(better.Units, 400, 1, w => (ushort[])w.Clone());
        double[] resampled =
            [.. draws.Select(w => RareConditionScores.Of(ClassCounts.Of(better.Truth, better.Predicted, 4, w), "f1", 2)
                - RareConditionScores.Of(ClassCounts.Of(baseline.Truth, baseline.Predicted, 4, w), "f1", 2))];
        Assert.Equal(PairedTest.StandardError(resampled), differences[1].StandardError, 12);
        // The same calls: no difference, and nothing to measure an error by.
        ClassDifference none = RareConditionScores.Differences([Rows("m"), baseline], (_, probe) => ("b", probe),
            "recall", 50)[1];
        Assert.Equal((0.0, 1.0, 0.0), (none.Difference!.Difference.Value, none.Difference.P, none.StandardError));
        // A probe against another of the same model.
        ClassRows weighted = Rows("b", RareConditions.Weighted, predicted: better.Predicted);
        Assert.All(RareConditionScores.Differences([baseline, weighted],
            (model, probe) => (model, probe == RareConditions.Weighted ? "linear" : probe), "recall", 20),
            d => Assert.Equal((RareConditions.Weighted, "linear"), (d.Probe, d.AgainstProbe)));
    }

    [Fact]
    public void WhatCannotBeComparedIsNamed()
    {
        string Message(ClassRows[] rows, string metric = "f1", string against = "b") =>
            Assert.Throws<KitException>(() =>
                RareConditionScores.Differences(rows, (_, probe) => (against, probe), metric, 10)).Message;
        Assert.Contains("did you mean 'recall'", Message([Rows(), Rows("b")], "recal"), StringComparison.Ordinal);
        Assert.Contains("no result of x with linear", Message([Rows()], against: "x"), StringComparison.Ordinal);
        Assert.Contains("same seeds and test rows", Message([Rows(), Rows("b", seed: 9)]), StringComparison.Ordinal);
        Assert.Contains("same seeds and test rows",
            Message([Rows(), Rows("b") with { Units = [.. "ABCDEFGHJ".Select(c => $"{c}")] }]),
            StringComparison.Ordinal);
    }

    [Fact]
    public void TheRarestThirdIsRareUnlessClassesAreNamed()
    {
        ProbeTask task = Task();
        string[] Rare(RareConditionsPlan plan) =>
            [.. RareConditions.Rarest(task, plan).Select(c => task.ClassNames[c])];
        // A third of four, rounded up; d is rarer and cannot be scored.
        Assert.Equal(["c", "b"], Rare(Plan));
        Assert.Equal(["c"], Rare(Plan with { Rare = 1 }));
        Assert.Equal(["c", "a"], Rare(Plan with { Named = ["a", "c"] }));
        Assert.Contains("no test image of d",
            Assert.Throws<KitException>(() => Rare(Plan with { Named = ["d", "a"] })).Message,
            StringComparison.Ordinal);
        Assert.Contains("has none of x", Assert.Throws<KitException>(() => Rare(Plan with { Named = ["x"] })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutTheSetsTheDrawnOneIsTakenAndQuickKeepsRareClasses()
    {
        using var empty = new TemporaryFolder();
        KitSettings settings = KitSettings.FromEnvironment() with { DataDir = empty.Path };
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        RareConditionsPlan quick = RareConditionsPlan.For(RunMode.Quick), full = RareConditionsPlan.For(RunMode.Full);
        var tasks = RareConditions.Open(settings, suite, quick);
        Assert.Equal(["synthetic-diagnosis", "synthetic-rare-class"], tasks.Select(t => t.Definition.Name));
        ProbeTask whole = TaskSuite.Open(suite["synthetic-diagnosis"], settings);
        int[] Counts(ProbeTask task, Func<Split, int[]> part) =>
            ProbeInput.CountClasses([.. part(task.SplitFor(1)).Select(i => task.Labels[i])], 7);
        foreach (Func<Split, int[]> part in new Func<Split, int[]>[] { s => s.Train, s => s.Test })
        {
            int[] all = Counts(whole, part), kept = Counts(tasks[0], part);
            Assert.Equal(10, kept.Min());
            Assert.Equal(Array.ConvertAll(all, n => (int)Math.Ceiling(10 * Math.Sqrt(n / (double)all.Min()))), kept);
        }
        Assert.Equal((0, int.MaxValue, 50, 5),
            (full.Fewest, full.Labels.Suite.MostTrain, full.Labels.Repeats, full.Labels.Suite.Seeds.Count));
        Assert.Equal(3, RareConditions.Rarest(tasks[0], quick).Count);
        Assert.Equal(["dermatofibroma"], RareConditions.Rarest(tasks[1], quick).Select(c => tasks[1].ClassNames[c]));
        Assert.Contains("did you mean 'dermatofibroma'",
            Assert.Throws<KitException>(
                () => RareConditions.Open(settings, suite, quick with { Named = ["dermatofibrom"] })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AWeighedProbeCallsTheRareClassMoreOftenAndRowsAreReadAgain()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        ProbeTask task = Task();
        Tensor features = Features(apart: 0.5);
        IReadOnlyList<ClassRows> rows = RareConditions.Probe(features, Source, task, 1, Plan, folder.Path);
        Assert.Equal(["knn", "linear", RareConditions.Weighted], rows.Select(r => r.Probe));
        Assert.All(rows, r => Assert.Equal([119, 78, 40, 3], r.TrainImages));
        Assert.All(rows, r => Assert.All(r.Probabilities, p => Assert.Equal(1, p.Sum(), 9)));
        int Calls(string probe) => rows.Single(r => r.Probe == probe).Predicted.Count(p => p == 2);
        Assert.True(Calls(RareConditions.Weighted) > Calls("linear"));
        ProbeOutcome plain = new LinearProbe(Balanced: true)
            .Run(features.narrow(0, 0, Train), Labels[..Train], features.narrow(0, Train, Images - Train), 4);
        Assert.Equal(plain.Predicted, rows[2].Predicted);
        // Nothing is made again for the same inputs; another seed is another result.
        string[] files = Directory.GetFiles(folder.Path, "*.json", SearchOption.AllDirectories);
        Assert.Equal(3, files.Length);
        string linear = files.Single(f => Path.GetFileName(f).StartsWith("m.cls4.linear.1.", StringComparison.Ordinal));
        Results.Write(linear, rows[1] with { Stamp = "read" });
        Assert.Equal("read", RareConditions.Probe(features, Source, task, 1, Plan, folder.Path)[1].Stamp);
        Assert.Equal("SYNTHETIC",
            RareConditions.Probe(features, Source with { Key = "other images" }, task, 1, Plan, folder.Path)[1].Stamp);
    }

    [Fact]
    public void CurvesOfAClassAreCountedFromTheSameDraws()
    {
        using var scope = NewDisposeScope();
        // Without d, which has three images and would end every curve there.
        ProbeTask whole = Task(), task = whole.Only([.. Enumerable.Range(0, Images).Where(i => whole.Labels[i] != 3)]);
        task = new(task.Definition, task.Table, task.Labels, ["a", "b", "c"],
            [.. task.Table.Ids.Select(id => string.CompareOrdinal(id, $"i{Train:D4}") >= 0)]);
        Tensor features = Features()
            .index_select(0,
                ProbeInput.ToTensor([.. Enumerable.Range(0, Images).Where(i => whole.Labels[i] != 3)], CPU));
        RareConditionsPlan plan = Plan with { Rare = 1 };
        using var folder = new TemporaryFolder();
        LabelCurve[] curves =
            [.. new[] { 1, 9 }.SelectMany(seed =>
                RareConditions.FewShot(features, Source, task, seed, plan, folder.Path))];
        Assert.Equal(["f1 of c", "recall of c"], curves.Select(c => c.Score).Distinct());
        Assert.Equal(2 * 2 * 2, curves.Length);
        Assert.All(curves, c => Assert.Equal([1, 3, 10, 30], c.Sizes));
        // One score of each, by hand.
        int[] train = task.SplitFor(9).Train, test = task.SplitFor(9).Test,
            labels = Array.ConvertAll(train, r => task.Labels[r]);
        LabelDraw draw = LabelDraws.Draw(labels, 3, [10], 9, 2)[0];
        int[] called = new KnnProbe()
            .Run(features.index_select(0, ProbeInput.ToTensor(Array.ConvertAll(draw.Rows, r => train[r]), CPU)),
                Array.ConvertAll(draw.Rows, r => labels[r]), features.index_select(0, ProbeInput.ToTensor(test, CPU)),
                3, draw.Seed).Predicted;
        ClassCounts counts = ClassCounts.Of(Array.ConvertAll(test, r => task.Labels[r]), called, 3);
        LabelCurve Of(string score) => curves.Single(c => c is { Probe: "knn", Seed: 9 } && c.Score == score);
        Assert.Equal((counts.F1(2), counts.Recall(2)), (Of("f1 of c").F1[2][2], Of("recall of c").F1[2][2]));
        // Means keep the scores apart, and rise on classes that can be told.
        IReadOnlyList<MeanCurve> means = LabelMeans.Of(curves);
        Assert.Equal(4, means.Count);
        Assert.All(means,
            m => Assert.True(m.F1[^1].Value > m.F1[0].Value && m.F1[0].Low < m.F1[0].Value
                && m.F1[0].Value < m.F1[0].High));
        // Read again, all scores of a probe.
        Assert.Equal(curves.Length, Directory.GetFiles(folder.Path, "*.json", SearchOption.AllDirectories).Length);
        Assert.Equivalent(curves[..4],
            RareConditions.FewShot(features, Source, task, 1, plan, folder.Path), strict: true);
        // The paper's score of the same draws is another curve.
        Assert.Equal(["", ""],
            LabelEfficiency.Run(features, Source, task, 1, plan.Labels, folder.Path).Select(c => c.Score));
    }

    [Fact]
    public void AThinnedTaskKeepsTheOrderOfItsClassesAndAllOfWhatIsTooRare()
    {
        ProbeTask task = Task(), thin = RareConditions.Thin(task, 20);
        int[] Counts(ProbeTask t, Func<Split, int[]> part) =>
            ProbeInput.CountClasses([.. part(t.SplitFor(1)).Select(i => t.Labels[i])], 4);
        // d has 3 training images and none for the test; of 119, 78 and 40 beside them 20 * root(n / 20) stay.
        Assert.Equal([119, 78, 40, 3], Counts(task, s => s.Train));
        Assert.Equal([49, 40, 29, 3], Counts(thin, s => s.Train));
        Assert.Equal([30, 20, 10, 0], Counts(task, s => s.Test));
        Assert.Equal([25, 20, 10, 0], Counts(thin, s => s.Test));
        Assert.Equal(thin.Table.Ids, RareConditions.Thin(task, 20).Table.Ids);
        Assert.Equal(Images, RareConditions.Thin(task, 1000).Table.Count);
    }

    [Fact]
    public void NoTensorStaysBehind()
    {
        using Tensor features = Features();
        RareConditions.Probe(features, Source, Task(), 1, Plan);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        RareConditions.Probe(features, Source, Task(), 1, Plan);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
