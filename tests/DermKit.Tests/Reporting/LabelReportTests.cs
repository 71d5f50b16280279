using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Tests.Evaluation;
using System.Globalization;

namespace DermKit.Tests.Reporting;

public sealed class LabelReportTests
{
    private static readonly KitSettings Settings = KitSettings.FromEnvironment();
    private static readonly TaskSuite Suite = TaskSuite.Load(Path.Combine(Settings.Root, "data"));
    private static readonly IReadOnlyList<ModelDefinition> Models =
        ModelRegistry.Load(Path.Combine(Settings.Root, "data")).Models;

    private static LabelCurve[] Drawn(string task, string model, Func<int, double> f1, string probe = "knn") =>
        [.. new[] { 1, 9 }.Select(seed =>
            LabelSavingTests.Curve(task, model, seed, f1, 0.002, probe) with { Stamp = "SYNTHETIC" })];

    private static IReadOnlyList<MeanCurve> Curves(string other = "vit-tiny-dino-kit",
        string baseline = "vit-tiny-random") =>
            LabelMeans.Of(new[] { "synthetic-diagnosis", "synthetic-malignancy" }.SelectMany(t =>
                (LabelCurve[])[.. Drawn(t, other, n => 0.3 + 0.05 * Math.Log(3 * n)),
                    .. Drawn(t, baseline, n => 0.3 + 0.05 * Math.Log(n)),
                    .. Drawn(t, baseline, n => n == 10 ? 0.2 : 0.25, "linear")]));

    [Fact]
    public void CurvesHaveBandsALogarithmicAxisAndTellWhatTheBandIs()
    {
        ProbeTask task = TaskSuite.Open(Suite["synthetic-diagnosis"], Settings);
        LineFigure figure = LabelReport.Curves(Curves(), task);
        Assert.True(figure.LogX);
        Assert.Equal([1, 10, 100], figure.XTicks);
        Assert.Equal(["vit-tiny-dino-kit, knn", "vit-tiny-random, knn", "vit-tiny-random, linear"],
            figure.Series.Select(s => s.Name));
        Assert.All(figure.Series,
            s => Assert.All(s.Low!.Zip(s.Y, s.High!), v => Assert.True(v.First < v.Second && v.Second < v.Third)));
        Assert.Equal("SYNTHETIC", figure.Stamp);
        const string resampled = "resamples seeds with their draws (with one seed its draws) and test patients";
        Assert.Contains(resampled, figure.Caption, StringComparison.Ordinal);
        Assert.Contains("2 seeds x 20 draws", figure.Caption, StringComparison.Ordinal);
        Assert.Contains("Not rising everywhere: vit-tiny-random, linear", figure.Caption, StringComparison.Ordinal);
        Assert.Contains("Macro F1", figure.YAxis, StringComparison.Ordinal);
        Assert.Matches(
            @"^\[SYNTHETIC\] synthetic-diagnosis, vit-tiny-dino-kit, knn: mean F1 0\.\d\d \[.*\] with 1 and 0\.\d\d \[.*\] with 100 labels of each class \(2 seeds x 20 draws, .*, n = 200 test images\)", figure.Headline);
        Assert.NotEmpty(FigureRenderer.PlotlySpec(figure));
        // One figure carries the headline.
        Assert.Empty(LabelReport.Curves(Curves(), TaskSuite.Open(Suite["synthetic-malignancy"], Settings)).Headline);
        Assert.Contains("run it first", Assert.Throws<KitException>(() => LabelReport.Curves([], task)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AModelWithPooledFeaturesIsComparedWithOneOfClassTokensAndBothStampsShow()
    {
        LabelCurve[] pooled = [.. Drawn("synthetic-diagnosis", "resnet50-random", n => 0.4 + 0.05 * Math.Log(n))
            .Select(c => c with { Features = "avgPool", Stamp = "FIXTURE" })];
        IReadOnlyList<MeanCurve> curves = LabelMeans.Of([.. Drawn("synthetic-diagnosis", "vit-tiny-random",
            n => 0.3 + 0.05 * Math.Log(n)), .. pooled]);
        Table table = LabelReport.Savings(curves, ("resnet50-random", "knn"), ("vit-tiny-random", "knn"), Models);
        Assert.Equal(Stamps.Join(["FIXTURE", "SYNTHETIC"]), table.Stamp);
        Assert.StartsWith($"[{table.Stamp}] resnet50-random against vit-tiny-random (knn)", table.Headline,
            StringComparison.Ordinal);
        LineFigure figure = LabelReport.Curves(curves, TaskSuite.Open(Suite["synthetic-diagnosis"], Settings));
        Assert.Equal(["vit-tiny-random, knn", "resnet50-random (avgPool), knn"], figure.Series.Select(s => s.Name));
        Assert.Equal(table.Stamp, figure.Stamp);
        // Two kinds of features of one model are two curves, and no one of them is the model's.
        IReadOnlyList<MeanCurve> twice = LabelMeans.Of([.. pooled, .. pooled.Select(c => c with { Features = "cls4" }),
            .. curves[0].Curves]);
        Assert.Contains("several kinds of features", Assert.Throws<KitException>(() =>
            LabelSaving.Table(twice, ("resnet50-random", "knn"), ("vit-tiny-random", "knn"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TheHeadlineCountsTasksAfterTheCorrectionOverThem()
    {
        // Of eight tasks one lies above by an amount that 20 of 1000 resamples put below 0: not shown among
        // eight.
        LabelCurve Curve(string task, string model, double gain) =>
            LabelSavingTests.Curve(task, model, 1, _ => 0.5 + gain, 0) with
            {
                Resampled = [.. new[] { 1, 10, 100 }.Select(_ =>
                Enumerable.Range(0, 1000).Select(r => 0.5 + gain * (gain > 0 && r < 20 ? -1 : 1)).ToArray())],
            };
        IReadOnlyList<MeanCurve> curves = LabelMeans.Of(Enumerable.Range(0, 8)
            .SelectMany(t => new[] { Curve($"t{t}", "m", t == 0 ? 0.05 : 0), Curve($"t{t}", "b", 0) }));
        Table table = LabelReport.Savings(curves, ("m", "knn"), ("b", "knn"), []);
        Assert.True(LabelSaving.Table(curves, ("m", "knn"), ("b", "knn"))[0].Difference.Low > 0);
        Assert.Contains("above on 0, below on 0 of 8 tasks at 0.05 after Holm's correction over the 8", table.Headline,
            StringComparison.Ordinal);
        Assert.DoesNotContain("so few resamples", table.Headline, StringComparison.Ordinal);
        Assert.DoesNotContain("no p", table.Footnote!.Comparison, StringComparison.Ordinal);
        // With 100 resamples the least p among eight is 8 x 2 / 101.
        curves = LabelMeans.Of(curves.SelectMany(c => c.Curves).Select(c => c with
        {
            Resampled = [.. c.Resampled.Select(r => r[..100])],
        }));
        Assert.Contains("test units (so few resamples can show none) (",
            LabelReport.Savings(curves, ("m", "knn"), ("b", "knn"), []).Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void AgainstRandomWeightsTheHeadlineNamesNoFactor()
    {
        Table table = LabelReport.Savings(Curves(), ("vit-tiny-dino-kit", "knn"), ("vit-tiny-random", "knn"), Models);
        Assert.Equal(3, table.Rows.Count);
        Assert.Equal(["2", "1", "0"],
            table.Rows[0].Skip(2).Take(3).Select(c => Convert.ToString(c, CultureInfo.InvariantCulture)));
        // Three pairs, (1.., 3, 3): the middle one is known.
        Assert.Matches(@"^[23]\.\d\d( to [23]\.\d\d)? \[\d\.\d\d, \d\.\d\d\]$", (string)table.Rows[0][5]!);
        Assert.Equal(3, (double)table.Rows[0][6]!, 0.2);
        Assert.Matches(@"^[\w-]+ \(\d+\)$", (string)table.Rows[0][0]!);
        Assert.Matches(@"^\d seeds x \d+ draws, averaged$", table.Footnote!.Seeds);
        Assert.Contains("above on 2, below on 0 of 2 tasks", table.Headline, StringComparison.Ordinal);
        Assert.Contains("[SYNTHETIC]", table.Headline, StringComparison.Ordinal);
        Assert.DoesNotContain("Labels of", table.Headline, StringComparison.Ordinal);
        Assert.Contains("over seeds with their draws", table.Footnote.Interval, StringComparison.Ordinal);
        // Two probes of one model are a table without a headline.
        Assert.Empty(LabelReport.Savings(Curves(), ("vit-tiny-random", "knn"), ("vit-tiny-random", "linear"),
            Models).Headline);
    }

    [Fact]
    public void AgainstTrainedWeightsItNamesTheFactorWithItsIntervalAndPairs() =>
        Assert.Matches(@"Labels of vit-tiny-imagenet for one of vit-tiny-dino-kit, .*: median of all 6 pairs "
            + @"[23]\.\d\d( to [23]\.\d\d)? \[[23]\.\d\d, [23]\.\d\d\] \(4 read off, 2 at least, 0 at most\)",
            LabelReport.Savings(Curves(baseline: "vit-tiny-imagenet"), ("vit-tiny-dino-kit", "knn"),
                ("vit-tiny-imagenet", "knn"), Models).Headline);

    [Theory]
    [InlineData(2, 2, 1.8, 2.31, "2.00 [1.80, 2.31]")]
    [InlineData(1.2, 2, 1, 2.2, "1.20 to 2.00 [1.00, 2.20]")]
    [InlineData(4, double.PositiveInfinity, 3.1, double.PositiveInfinity, "≥ 4.00 [3.10, ∞)")]
    [InlineData(0, 0.5, 0, 0.7, "≤ 0.50 (0, 0.70]")]
    [InlineData(2, 2, 1.5, double.PositiveInfinity, "2.00 [1.50, ∞)")]
    [InlineData(0, double.PositiveInfinity, 0, double.PositiveInfinity, "not bounded")]
    public void AMedianSaysWhatIsKnownOfIt(double lower, double upper, double low, double high, string expected) =>
        Assert.Equal(expected, LabelReport.Median(new(lower, upper, low, high)));

    [Fact]
    public void ComparingWithNobodyIsRefused() =>
        Assert.Contains("no task in common",
            Assert.Throws<KitException>(
                () => LabelReport.Savings(Curves(), ("vit-tiny-dino-kit", "linear"), ("vit-tiny-random", "knn"),
                    Models)).Message, StringComparison.Ordinal);

    [Fact]
    public void SizesSayWhatIsLeftOutAndSpeedCountsDraws()
    {
        ProbeTask task = TaskSuite.Open(Suite["synthetic-rare-class"], Settings);
        Table sizes = LabelReport.Sizes([task], new());
        int smallest = task.ClassNames.Select((_, c) => task.SplitFor(1).Train.Count(i => task.Labels[i] == c)).Min();
        Assert.Equal(string.Join(", ", new[] { 1, 3, 10, 30, 100, 300, 1000 }.Where(n => n <= smallest)),
            sizes.Rows[0][3]);
        Assert.EndsWith("1000", (string)sizes.Rows[0][4]!, StringComparison.Ordinal);
        LabelCurve[] curves = Drawn("synthetic-diagnosis", "m", _ => 0.5);
        Table speed = LabelReport.Speed(new(curves, new([], [task], [], [])));
        Assert.Equal([120, 4.0, 30.0], speed.Rows[0].Skip(2));
        Assert.Equal("SYNTHETIC", speed.Stamp);
    }
}
