using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Reporting;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class PcaTests
{
    private static float[] Values(Tensor t) => t.contiguous().data<float>().ToArray();

    [Fact]
    public void AnExampleByHand()
    {
        using var scope = NewDisposeScope();
        // Four points on two lines through (1, 2): 3 along (3, 4) / 5, 1 along (-4, 3) / 5. Sums of squares 18 and 2.
        Tensor rows =
            tensor(new float[,]
            {
                { 1 + 1.8f, 2 + 2.4f }, { 1 - 1.8f, 2 - 2.4f }, { 1 - 0.8f, 2 + 0.6f }, { 1 + 0.8f, 2 - 0.6f }
            });
        Pca one = Pca.Fit(rows, 1), two = Pca.Fit(rows, 256);
        Assert.Equal((1, 2), (one.Kept.Width, one.Kept.From));
        Assert.Equal(0.9, one.Kept.Share, 6);
        Assert.Equal((2, 2), (two.Kept.Width, two.Kept.From));
        Assert.Equal(1, two.Kept.Share, 6);
        // The largest entry of each axis is positive: (0.6, 0.8), and (0.8, -0.6).
        float[] expected = [3, 0, -3, 0, 0, -1, 0, 1];
        foreach ((float e, float f) in expected.Zip(Values(two.Project(rows)))) Assert.Equal(e, f, 1e-5f);
        foreach ((float e, float f) in new float[] { 3, -3, 0, 0 }.Zip(Values(one.Project(rows))))
            Assert.Equal(e, f, 1e-5f);
        Assert.Contains("found 3 equal ones", Assert.Throws<KitException>(() => Pca.Fit(ones(3, 4), 2)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Pca.Fit(rows, 0));
        Assert.Contains("3", Assert.Throws<KitException>(() => one.Project(ones(2, 3))).Message);
    }

    [Theory]
    [InlineData(60, 20, 8)]
    [InlineData(20, 60, 8)]
    [InlineData(20, 60, 256)]
    public void AxesAreOrthogonalAndKeepWhatTheySay(int n, int d, int width)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        Tensor rows = randn([n, d], generator: generator) * linspace(3, 0.1, d), before = rows.clone();
        Pca pca = Pca.Fit(rows, width);
        Tensor projected = pca.Project(rows);
        // There are no more axes than rows minus one.
        Assert.Equal(Math.Min(width, n > d ? d : n - 1), pca.Kept.Width);
        Assert.Equal([n, pca.Kept.Width], projected.shape);
        // Columns of the training rows are uncorrelated, centred and ordered; their variance is the share of the whole.
        Tensor covariance = projected.t().mm(projected), off = covariance - diag(diag(covariance));
        Assert.True(off.abs().max().item<float>() < 1e-3 * covariance.max().item<float>());
        Assert.True(projected.mean([0L]).abs().max().item<float>() < 1e-5);
        float[] variances = Values(diag(covariance));
        Assert.Equal(variances.OrderDescending(), variances);
        Assert.Equal(variances.Sum() / (rows - rows.mean([0L])).square().sum().item<float>(), pca.Kept.Share, 1e-4);
        if (width == 256) Assert.Equal(1, pca.Kept.Share, 1e-6);
        // Lengths do not grow: the axes are an orthonormal set.
        Tensor other = randn([5, d], generator: generator);
        Assert.True((pca.Project(other).norm(1) <= (other - rows.mean([0L])).norm(1) + Kept(1e-4)).all().item<bool>());
        Assert.Equal(Values(projected), Values(Pca.Fit(rows, width).Project(rows)));
        Assert.Equal(Values(before), Values(rows));
    }

    [Fact]
    public void TestRowsTeachNothingAndResultsAreKeptApart()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var results = new Results(folder.Path);
        string[] ids = [.. Enumerable.Range(0, 90).Select(i => $"i{i:D2}")];
        var table = new ImageTable("made-up", ("image", ids), ("image_id", ids));
        var definition = new TaskDefinition
        {
            Name = "one",
            Version = 1,
            Title = "one",
            DataSets = new() { ["made-up"] = null },
            Label = "x",
            ClassCount = 3,
            Split = SplitKind.Frozen,
            InPretraining = false
        };
        ProbeTask task = new(definition, table, [.. Enumerable.Range(0, 90).Select(i => i % 3)], ["a", "b", "c"],
            [.. Enumerable.Range(0, 90).Select(i => i >= 60)]);
        Tensor features = ProbeTests.Blobs(90, 12, 3, 1, 1.0).X, changed = features.clone();
        changed.narrow(0, 61, 29).add_(Kept(5));
        var fits = new Dictionary<string, Pca>();
        TaskResult[] Run(Tensor x, int? width, string key, Dictionary<string, Pca>? kept = null) => [.. Probing.Run(x,
            new FeatureSource("m", "cls4", "w", key), task, 1, new() { Width = width, Resamples = 20 }, results,
            components: kept)];
        TaskResult[] own = Run(features, null, "k"), narrow = Run(features, 4, "k", fits),
            moved = Run(changed, 4, "k2");
        Assert.All(own, r => Assert.Equal(("cls4", (Reduction?)null), (r.Features, r.Pca)));
        Assert.All(narrow, r => Assert.Equal(("cls4-pca4", 4, 12), (r.Features, r.Pca!.Width, r.Pca.From)));
        Assert.Empty(own.Select(r => r.Key).Intersect(narrow.Select(r => r.Key)));
        // The components are those of the training rows: the same whatever the test rows hold,
        // and one fit serves both probes.
        Pca fitted = Assert.Single(fits.Values);
        Assert.Equal(Values(Pca.Fit(features.narrow(0, 0, 60), 4).Project(features)), Values(fitted.Project(features)));
        foreach ((TaskResult a, TaskResult b) in narrow.Zip(moved))
        {
            Assert.Equal(a.Pca, b.Pca);
            Assert.Equal(a.Predicted[0], b.Predicted[0]);
        }
        // Read back with what was kept, and another width is another result.
        Assert.Equivalent(narrow, Run(features, 4, "k"), strict: true);
        Assert.Equal(["cls4-pca2", "cls4-pca2"], Run(features, 2, "k").Select(r => r.Features));

        WidthRow row = FeatureWidth.Compare(own, narrow, 50).Single(r => r.Probe == "linear");
        Assert.Equal(own[1].Metrics["f1"], row.Own.Value, 9);
        Assert.Equal(narrow[1].Metrics["f1"] - own[1].Metrics["f1"], row.Difference!.Difference.Value, 9);
        string text = WidthReport.Table([row], 256).ToString();
        Assert.Contains("Fewer than 256", text);
        Assert.Equal((own[1].UnitCount, 1), (row.Units, row.Seeds));
        Assert.Contains($"({own[1].UnitCount})", text);
        Assert.Contains("Seeds: 1. Intervals: 95 %, percentile bootstrap over test patients, lesions or images, drawn "
            + "alike for every seed. Comparison: components minus own width, on the same resamples; two-sided p of "
            + "that bootstrap, Holm over the 1 rows.", text);
        Assert.Equal(2, WidthReport.Figure([row], 4).Series.Count);
    }
}
