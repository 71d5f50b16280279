using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Tests.Evaluation;
using System.Globalization;

namespace DermKit.Tests.Reporting;

public sealed class LabelReportTests
{
    private static readonly KitSettings Settings = KitSettings.FromEnvironment();
    private static readonly TaskSuite Suite = TaskSuite.Load(Path.Combine(Settings.Root, "data"));
    internal static readonly IReadOnlyList<ModelDefinition> Models =
        ModelRegistry.Load(Path.Combine(Settings.Root, "data")).Models;

    internal static LabelCurve[] Drawn(string task, string model, Func<int, double> f1, string probe = "knn") =>
        [.. new[] { 1, 9 }.Select(seed =>
            LabelSavingTests.Curve(task, model, seed, f1, 0.002, probe) with { Stamp = "SYNTHETIC" })];

    internal static IReadOnlyList<MeanCurve> Curves(string other = "vit-tiny-dino-kit",
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
        ModelDefinition[] both = [.. Models.Where(m => m.Name is "resnet50-random" or "vit-tiny-random")];
        Table table = SavingReport.Savings(curves, both, ["vit-tiny-random"]);
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
