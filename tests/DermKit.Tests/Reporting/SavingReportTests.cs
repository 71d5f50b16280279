using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Tests.Evaluation;
using System.Text.Json.Nodes;
using static DermKit.Tests.Reporting.LabelReportTests;

namespace DermKit.Tests.Reporting;

public sealed class SavingReportTests
{
    private const string Kit = "vit-tiny-dino-kit", ImageNet = "resnet18-imagenet", Untrained = "vit-tiny-random";
    private static readonly ModelDefinition[] Two =
        [.. new[] { "m", "b" }.Select(name => LabelReportTests.Models[0] with { Name = name })];

    private static ModelDefinition[] Of(params string[] names) =>
        [.. LabelReportTests.Models.Where(m => names.Contains(m.Name))];

    /// <summary>The kit's model takes a third of ImageNet's labels, and that a ninth of those of random weights; the
    /// kit has seen the last task's images.</summary>
    private static IReadOnlyList<MeanCurve> Three(params string[] tasks) => LabelMeans.Of(tasks.SelectMany(task =>
    {
        LabelCurve[] Exact(string model, double by) => [.. new[] { 1, 9 }.Select(seed =>
            LabelSavingTests.Curve(task, model, seed, n => 0.3 + 0.05 * Math.Log(by * n), noise: 0) with
            {
                InPretraining = model == Kit && task == tasks[^1],
            })];
        return Exact(Kit, 3).Concat(Exact(ImageNet, 1)).Concat(Exact(Untrained, 1.0 / 9));
    }));

    [Fact]
    public void TheFactorAgainstRandomWeightsStandsBesideThatAgainstImageNet()
    {
        Table table = SavingReport.Savings(Three("a", "b", "seen"), Of(Kit, ImageNet, Untrained),
            [ImageNet, Untrained]);
        // By hand, with 1, 10 and 100 labels of the baseline: (1.., 3, 3) on each task against ImageNet, whose median
        // is 3 whatever the bounded pair is; (1.., 10.., 27) against random weights, at least 10 and without upper
        // bound. Random weights are no model of the table, and ImageNet is compared with them alone.
        Assert.Equal(
        [
            $"{Kit} | {Comparison.Outside} (2 tasks) | 3.00 [3.00, 3.00] | 4, 2, 0 | ≥ 10.00 [10.00, ∞) | 2, 4, 0",
            $"{Kit} | seen (200) | 3.00 [3.00, 3.00] | 2, 1, 0 | ≥ 10.00 [10.00, ∞) | 1, 2, 0",
            $"{ImageNet} | {Comparison.Outside} (2 tasks) | – | – | 9.00 [9.00, 9.00] | 4, 2, 0",
            $"{ImageNet} | seen (200) | – | – | 9.00 [9.00, 9.00] | 2, 1, 0",
        ], table.Rows.Select(r => string.Join(" | ", new[] { 0, 2, 3, 4, 5, 6 }.Select(c => $"{r[c]}"))));
        Assert.Contains($"Labels of {ImageNet} for one of {Kit}, {Comparison.Outside}: median of all 6 pairs 3.00 "
            + "[3.00, 3.00] (4 read off, 2 at least, 0 at most)", table.Headline, StringComparison.Ordinal);
        Assert.DoesNotContain(Untrained, table.Headline, StringComparison.Ordinal);
        // The other way round the pairs are bounded above.
        table = SavingReport.Savings(Three("a", "b", "seen"), Of(Kit, Untrained), [Kit]);
        Assert.Equal(["≤ 0.10 (0, 0.10]", "2, 0, 4"], table.Rows[0].Skip(3).Take(2));
        Assert.Empty(SavingReport.Savings(Three("a"), Of(Kit), [Kit]).Rows);
    }

    [Fact]
    public void TheFigureMarksEveryTaskAndWhatHasNoEnd()
    {
        RatioFigure figure = Assert.Single(SavingReport.Figures(Three("a", "b", "seen"), Of(Kit, ImageNet, Untrained),
            [ImageNet, Untrained]));
        Assert.Equal([$"{Comparison.Outside} (2 tasks)", "a", "b", "seen"], figure.Categories);
        Assert.Equal([$"{ImageNet}, knn", $"{Untrained}, knn"], figure.Series.Select(s => s.Name));
        Assert.Equal(8, figure.Data().Rows.Count);
        Assert.Equal(0.05 * Math.Log(3), ((Estimate)figure.Data().Rows[0][^1]!).Value, 6);
        Assert.Equal(0.05 * Math.Log(27), ((Estimate)figure.Data().Rows[^1][^1]!).Value, 6);
        JsonNode spec = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!;
        JsonArray traces = spec["data"]!.AsArray();
        Assert.Equal(2, traces.Count);
        Assert.All(traces[0]!["marker"]!["symbol"]!.AsArray(), symbol => Assert.Equal("circle", (string)symbol!));
        Assert.All(traces[0]!["x"]!.AsArray(), x => Assert.Equal(3, (double)x!, 6));
        // Against random weights each median is at least 10: an open mark with a line to an arrow at the right edge.
        Assert.Equal(Enumerable.Repeat("square-open", 4).Concat(Enumerable.Repeat("triangle-right", 4)),
            traces[1]!["marker"]!["symbol"]!.AsArray().Select(symbol => (string)symbol!));
        double edge = Math.Pow(10, (double)spec["layout"]!["xaxis"]!["range"]![1]!);
        Assert.Equal(edge, (double)traces[1]!["x"]![7]!, 6);
        Assert.Equal(edge - 10, (double)traces[1]!["error_x"]!["array"]![0]!, 6);
        Assert.Equal("log", (string)spec["layout"]!["xaxis"]!["type"]!);
        Assert.Equal(1.0, (double)spec["layout"]!["shapes"]![0]!["x0"]!);
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
        Table table = SavingReport.Savings(curves, Two, ["b"]);
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
            SavingReport.Savings(curves, Two, ["b"]).Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void AgainstRandomWeightsTheHeadlineNamesNoFactor()
    {
        MeanCurve[] knn = [.. Curves().Where(c => c.Probe == "knn")];
        Table table = SavingReport.Savings(knn, Of(Kit, Untrained), [Untrained]);
        Assert.Single(table.Rows);
        Assert.Equal("4, 2, 0", table.Rows[0][4]);
        // Three pairs of each task, (1.., 3, 3): the middle one is known.
        Assert.Matches(@"^[23]\.\d\d( to [23]\.\d\d)? \[\d\.\d\d, \d\.\d\d\]$", (string)table.Rows[0][3]!);
        Assert.Matches(@"^\d seeds x \d+ draws, averaged$", table.Footnote!.Seeds);
        Assert.Contains("over seeds with their draws", table.Footnote.Interval, StringComparison.Ordinal);
        Assert.Contains("above on 2, below on 0 of 2 tasks", table.Headline, StringComparison.Ordinal);
        Assert.Contains("[SYNTHETIC]", table.Headline, StringComparison.Ordinal);
        Assert.DoesNotContain("Labels of", table.Headline, StringComparison.Ordinal);
        // Two probes of one model are a table without a headline.
        table = Assert.IsType<Table>(SavingReport.Probes(Curves(), Of(Untrained)));
        Assert.Empty(table.Headline);
        Assert.Equal($"{Untrained}, knn", table.Rows[0][1]);
        Assert.IsType<string>(SavingReport.Probes(knn, Of(Untrained)));
    }

    [Theory]
    [InlineData(2, 2, 1.8, 2.31, "2.00 [1.80, 2.31]")]
    [InlineData(1.2, 2, 1, 2.2, "1.20 to 2.00 [1.00, 2.20]")]
    [InlineData(4, double.PositiveInfinity, 3.1, double.PositiveInfinity, "≥ 4.00 [3.10, ∞)")]
    [InlineData(0, 0.5, 0, 0.7, "≤ 0.50 (0, 0.70]")]
    [InlineData(2, 2, 1.5, double.PositiveInfinity, "2.00 [1.50, ∞)")]
    [InlineData(0, double.PositiveInfinity, 0, double.PositiveInfinity, "not bounded")]
    public void AMedianSaysWhatIsKnownOfIt(double lower, double upper, double low, double high, string expected) =>
        Assert.Equal(expected, SavingReport.Median(new(lower, upper, low, high)));

    [Fact]
    public void ComparingWithNobodyIsRefused() =>
        Assert.Contains("no task in common", Assert.Throws<KitException>(
            () => SavingReport.Savings(Curves(), Of(Kit, ImageNet), [ImageNet])).Message, StringComparison.Ordinal);
}
