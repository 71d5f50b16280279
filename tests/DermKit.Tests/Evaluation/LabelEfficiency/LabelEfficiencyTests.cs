using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Reporting;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class LabelEfficiencyTests
{
    private const int Images = 300;
    private static readonly FeatureSource Source = new("m", "cls4", "weights", "features");
    private static readonly LabelPlan Plan = new()
    {
        Sizes = [1, 10, 30, 100],
        Repeats = 4,
        Suite = new() { Probing = new() { Probes = ["knn", "linear"], Resamples = 40 } }
    };

    /// <summary>Three classes; class c has only every sixth image.</summary>
    private static ProbeTask Task(string name = "one", SplitKind split = SplitKind.Frozen, int classes = 3)
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
            ClassCount = classes,
            Split = split,
            Unit = "patient_id",
            InPretraining = false
        };
        return new(definition, table, Labels, [.. new[] { "a", "b", "c", "d" }.Take(classes)],
            [.. Enumerable.Range(0, Images).Select(i => i >= 240 && split == SplitKind.Frozen)]);
    }

    private static int[] Labels => [.. Enumerable.Range(0, Images).Select(i => i % 6 == 5 ? 2 : i % 2)];

    private static Tensor Features(int seed = 1, double apart = 1)
    {
        using var scope = NewDisposeScope();
        Tensor centres = randn([3, 16], generator: new Generator(7)) * Kept(apart);
        return (centres.index_select(0, ProbeInput.ToTensor(Labels, CPU))
            + randn([Images, 16], generator: new Generator((ulong)seed))).MoveToOuterDisposeScope();
    }

    [Fact]
    public void ACurveHasAScoreForEachDrawOfEachSizeThatAllClassesHave()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<LabelCurve> curves = LabelEfficiency.Run(Features(), Source, Task(), 9, Plan);
        Assert.Equal(["knn", "linear"], curves.Select(c => c.Probe));
        foreach (LabelCurve curve in curves)
        {
            Assert.Equal([1, 10, 30], curve.Sizes); // class c has 40 training images
            Assert.Equal((240, 60, 9), (curve.TrainRows, curve.TestRows, curve.Seed));
            Assert.All(curve.F1, r => Assert.Equal(4, r.Length));
            Assert.True(curve.F1[0].Distinct().Count() > 1);
            Assert.All(curve.Resampled, r => Assert.Equal(40, r.Length));
            // Resampled test units scatter around the mean of the draws.
            Assert.All(curve.Resampled.Zip(curve.F1),
                p => Assert.True(p.First.Min() < p.Second.Average() && p.Second.Average() < p.First.Max()
                    && Math.Abs(p.First.Average() - p.Second.Average()) < 0.05));
            Assert.True(curve.F1[2].Average() > curve.F1[0].Average() && curve.F1[2].Average() > 0.7);
        }
        Assert.All(curves[0].Ks![0], k => Assert.Equal(1, k));
        Assert.Null(curves[1].Ks);
        // One score, by hand.
        ProbeTask task = Task();
        int[] train = task.SplitFor(9).Train, test = task.SplitFor(9).Test,
            labels = Array.ConvertAll(train, r => task.Labels[r]);
        LabelDraw draw = LabelDraws.Draw(labels, 3, [30], 9, 2)[0];
        ProbeOutcome plain = new KnnProbe()
            .Run(Features().index_select(0, ProbeInput.ToTensor(Array.ConvertAll(draw.Rows, r => train[r]), CPU)),
                Array.ConvertAll(draw.Rows, r => labels[r]),
                Features().index_select(0, ProbeInput.ToTensor(test, CPU)), 3, draw.Seed);
        Assert.Equal(ClassCounts.Of(Array.ConvertAll(test, r => task.Labels[r]), plain.Predicted, 3).F1Macro,
            curves[0].F1[2][2]);
        Assert.Equal(plain.K, curves[0].Ks![2][2]);
    }

    [Fact]
    public void ModelsAreComparedOnTheSameDrawsAndUnreadableImagesAreInNone()
    {
        using var scope = NewDisposeScope();
        int[] rowOf = [.. Enumerable.Range(0, Images).Select(i => i % 50 == 0 ? -1 : i)];
        LabelCurve curve = LabelEfficiency.Run(Features(), Source, Task(), 1, Plan, rowOf: rowOf)[0],
            other = LabelEfficiency.Run(Features(2), Source with { Model = "n", Key = "other" }, Task(), 1, Plan,
                rowOf: rowOf)[0];
        Assert.Equal((235, 59), (curve.TrainRows, curve.TestRows));
        Assert.Contains("6 images could not be read", curve.Note, StringComparison.Ordinal);
        Assert.NotEqual(curve.F1[0], other.F1[0]);
        Assert.Single(LabelSaving.Table(LabelMeans.Of([curve, other]), ("m", "knn"), ("n", "knn")));
    }

    [Fact]
    public void AUnitCountsAlikeInEveryTaskOfItsDataSetAndOfOthersOnItsOwn()
    {
        const int resamples = 2000;
        string[] units = [.. Enumerable.Range(0, 60).Select(i => $"p{i / 2}")];
        ushort[][] draws = LabelEfficiency.DrawUnits("pad-ufes-20", units, resamples);
        ushort[][] other = LabelEfficiency.DrawUnits("isic2017", units, resamples);
        // The rows of a patient count together, in any order and among any others.
        Assert.All(draws, d => Assert.True(Enumerable.Range(0, 30).All(i => d[2 * i] == d[2 * i + 1])));
        int[] some = [41, 3, 20];
        ushort[][] part = LabelEfficiency.DrawUnits("pad-ufes-20", [.. some.Select(i => units[i])], resamples);
        Assert.All(part.Zip(draws), p => Assert.Equal(some.Select(i => p.Second[i]), p.First));
        // Poisson with mean 1: 0 and 1 as often as 1 / e, and the variance is 1.
        double[] times = [.. draws.SelectMany(d => d.Where((_, i) => i % 2 == 0)).Select(t => (double)t)];
        Assert.Equal(1, times.Average(), 0.02);
        Assert.Equal(1, times.Average(t => (t - 1) * (t - 1)), 0.05);
        Assert.Equal(1 / Math.E, times.Count(t => t == 0) / (double)times.Length, 0.01);
        // The same names in another data set, and other patients of this one: no correlation.
        static double Correlation(IEnumerable<ushort> a, IEnumerable<ushort> b) =>
            a.Zip(b).Average(p => (p.First - 1.0) * (p.Second - 1.0));
        for (int i = 0; i < 60; i += 2)
        {
            Assert.InRange(Correlation(draws.Select(d => d[i]), other.Select(d => d[i])), -0.12, 0.12);
            Assert.InRange(Correlation(draws.Select(d => d[i]), draws.Select(d => d[(i + 2) % 60])), -0.12, 0.12);
        }
    }

    [Fact]
    public void ADrawThatDoesNotConvergeIsNamedAndTheOthersAreScored()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Task();
        int[] train = task.SplitFor(9).Train, labels = Array.ConvertAll(train, r => task.Labels[r]);
        LabelDraw[] draws = [.. Enumerable.Range(0, Plan.Repeats)
            .SelectMany(r => LabelDraws.Draw(labels, 3, Plan.Sizes, 9, r))];
        // Two training images of different classes are alike and far out of all others: no weights tell them apart, and
        // rounding hides their gradient.
        int[] ten = draws.First(d => d.PerClass == 10).Rows;
        int far = ten[0];
        int twin = ten.First(r => labels[r] != labels[ten[0]]);
        Tensor features = Features();
        features[train[far]] = features[train[far]] * Kept(1e25);
        features[train[twin]] = features[train[far]];
        ProbingOptions few = Plan.Suite.Probing with { Probes = ["knn", new LinearProbe(MaxIterations: 1000)] };
        LabelPlan plan = Plan with { Suite = Plan.Suite with { Probing = few } };
        LabelCurve curve = LabelEfficiency.Run(features, Source, task, 9, plan)[1];
        LabelCurve plain = LabelEfficiency.Run(Features(), Source, task, 9, plan)[1];
        LabelDraw[] hit = [.. draws.Where(d => d.Rows.Contains(far) && d.Rows.Contains(twin))];
        Assert.Matches($@"^\d of {draws.Length} regressions did not converge, and their scores are lower bounds: ",
            curve.Note);
        Assert.NotEmpty(hit);
        Assert.All(hit,
            d => Assert.Contains($"n = {d.PerClass} draw {d.Repeat + 1}", curve.Note, StringComparison.Ordinal));
        // No draw without either image is named.
        Assert.All(draws.Where(d => !d.Rows.Contains(far) && !d.Rows.Contains(twin)),
            d => Assert.DoesNotContain($"n = {d.PerClass} draw {d.Repeat + 1}", curve.Note, StringComparison.Ordinal));
        Assert.Empty(plain.Note);
        foreach (LabelDraw draw in draws.Where(d => !d.Rows.Contains(far) && !d.Rows.Contains(twin)))
            Assert.Equal(plain.F1[Array.IndexOf(plain.Sizes, draw.PerClass)][draw.Repeat],
                curve.F1[Array.IndexOf(curve.Sizes, draw.PerClass)][draw.Repeat], 12);
        object remarks = LabelReport.Remarks(new([curve, plain], new([], [task], [], [])));
        Assert.Equal(curve.Note, Assert.Single(Assert.IsType<Table>(remarks).Rows)[^1]);
        Assert.IsType<string>(LabelReport.Remarks(new([plain], new([], [task], [], []))));
    }

    [Fact]
    public void AProbeWithoutAFastPathRunsDrawByDraw()
    {
        using var scope = NewDisposeScope();
        LabelPlan plan = Plan with
        {
            Suite = new() { Probing = new() { Probes = [new KnnProbe { Vote = KnnVote.Softmax }], Resamples = 10 } }
        };
        LabelCurve curve = Assert.Single(LabelEfficiency.Run(Features(), Source, Task(), 9, plan));
        Assert.Equal([1, 10, 30], curve.Sizes);
        Assert.All(curve.Ks![0], k => Assert.Equal(1, k));
        Assert.True(curve.F1[2].Average() > 0.7);
    }

    [Fact]
    public void ACurveIsReadAgainForTheSameInputsOnly()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        LabelCurve Run(LabelPlan plan, FeatureSource? source = null, ProbeTask? task = null, int seed = 1) =>
            LabelEfficiency.Run(Features(), source ?? Source, task ?? Task(), seed, plan, folder.Path)[0];
        LabelCurve first = Run(Plan);
        string[] files = Directory.GetFiles(folder.Path, "*.json", SearchOption.AllDirectories);
        Assert.Equal(2, files.Length);
        string file = files.Single(f => Path.GetFileName(f).StartsWith("m.cls4.knn.1.", StringComparison.Ordinal));
        Results.Write(file, first with { Seconds = 12345 });
        Assert.Equal(12345, Run(Plan).Seconds);
        Assert.Equivalent(first with { Seconds = 12345 }, Run(Plan), strict: true);
        Assert.NotEqual(12345, Run(Plan with { Repeats = 3 }).Seconds);
        Assert.NotEqual(12345, Run(Plan with { Sizes = [1, 10] }).Seconds);
        Assert.NotEqual(12345,
            Run(Plan with { Suite = Plan.Suite with { Probing = Plan.Suite.Probing with { Resamples = 30 } } })
                .Seconds);
        Assert.NotEqual(12345,
            Run(Plan with
            {
                Suite = Plan.Suite with
                {
                    Probing = Plan.Suite.Probing with { Probes = [new KnnProbe { Ks = [1, 3] }, "linear"] }
                }
            }).Seconds);
        Assert.NotEqual(12345, Run(Plan, Source with { Key = "other images" }).Seconds);
        Assert.NotEqual(12345, Run(Plan, Source with { WeightsHash = "other weights" }).Seconds);
        Assert.NotEqual(12345, Run(Plan, seed: 9).Seconds);
        Assert.Equal(12345, Run(Plan).Seconds);
        // What the plan says of other models and seeds is of no effect on a curve.
        Assert.Equal(12345, Run(Plan with { Suite = Plan.Suite with { Seeds = [1], MostTrain = 5 } }).Seconds);
        File.WriteAllText(file, "{ \"task\": ");
        Assert.Equal(first.F1, Run(Plan).F1);
        Assert.Equal(first.F1, Results.TryRead<LabelCurve>(file)!.F1);
    }

    [Fact]
    public void ACancelledRunKeepsWhatIsFinished()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        LabelEfficiency.Run(Features(), Source, Task(), 1, Plan, folder.Path);
        stop.Cancel();
        Assert.Equal(2,
            LabelEfficiency.Run(Features(), Source, Task(), 1, Plan, folder.Path, cancellation: stop.Token).Count);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            LabelEfficiency.Run(Features(), Source, Task(), 9, Plan, folder.Path, cancellation: stop.Token));
        Assert.ThrowsAny<OperationCanceledException>(
            () => LabelEfficiency.Run(Features(), Source, Task(), 9,
                Plan with { Suite = new() { Probing = new() { Probes = ["linear"] } } }, folder.Path,
                cancellation: stop.Token));
        Assert.Equal(2, Directory.GetFiles(folder.Path, "*.json", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void NoTensorStaysBehind()
    {
        using Tensor features = Features();
        LabelEfficiency.Run(features, Source, Task(), 1, Plan);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        LabelEfficiency.Run(features, Source, Task(), 1, Plan);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void BadInputIsNamed()
    {
        using var scope = NewDisposeScope();
        string Message(LabelPlan plan, ProbeTask? task = null, Tensor? features = null) =>
            Assert.Throws<KitException>(() =>
                LabelEfficiency.Run(features is null ? Features() : features, Source, task ?? Task(), 1, plan)).Message;
        Assert.Contains("class 'd' has no training image", Message(Plan, Task(classes: 4)), StringComparison.Ordinal);
        Assert.Contains("sizes", Message(Plan with { Sizes = [3, 1] }), StringComparison.Ordinal);
        Assert.Contains("fewer than the smallest size to draw (100000)", Message(Plan with { Sizes = [100_000] }),
            StringComparison.Ordinal);
        Assert.Contains("sizes", Message(Plan with { Sizes = [] }), StringComparison.Ordinal);
        Assert.Contains("repeats", Message(Plan with { Repeats = 0 }), StringComparison.Ordinal);
        Assert.Contains("seeds", Message(Plan with { Suite = Plan.Suite with { Seeds = [1, 1] } }),
            StringComparison.Ordinal);
        Assert.Contains("did you mean 'knn'", Assert.Throws<KitException>(() => Probe.Parse("linear, kn")).Message,
            StringComparison.Ordinal);
        Assert.Contains("add a smaller k",
            Message(Plan with { Suite = new() { Probing = new() { Probes = [new KnnProbe { Ks = [50] }] } } }),
            StringComparison.Ordinal);
        Assert.Contains("extract the features", Message(Plan, features: Features().narrow(0, 0, 10)),
            StringComparison.Ordinal);
        Tensor broken = Features();
        broken[5, 0] = float.NaN;
        Assert.Contains("row 5", Message(Plan, features: broken), StringComparison.Ordinal);
    }

    [Fact]
    public void ModesChangeNumbersOnlyAndFullIsThePapersProtocol()
    {
        LabelPlan quick = LabelPlan.For(RunMode.Quick), workshop = LabelPlan.For(RunMode.Workshop),
            full = LabelPlan.For(RunMode.Full);
        Assert.Equal([1, 3, 10, 30, 100, 300, 1000], full.Sizes);
        Assert.Equal(50, full.Repeats);
        Assert.Equal([1, 9, 21, 42, 555], full.Suite.Seeds);
        Assert.Equal(["knn"], full.Suite.Probing.Probes.Select(p => p.Name));
        Assert.Equal(int.MaxValue, full.Suite.MostTrain);
        Assert.True(quick.Repeats < full.Repeats && quick.Suite.Seeds.Count < full.Suite.Seeds.Count);
        // The images of the probing notebook's quick run, so that its features are read and not made again.
        Assert.Equal((SuitePlan.For(RunMode.Quick).MostTrain, SuitePlan.For(RunMode.Quick).MostTest),
            (quick.Suite.MostTrain, quick.Suite.MostTest));
        Assert.Equal((50, full.Suite.Seeds, int.MaxValue),
            (workshop.Repeats, workshop.Suite.Seeds, workshop.Suite.MostTrain));
    }
}
