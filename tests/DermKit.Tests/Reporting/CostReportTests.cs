using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Studies;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Reporting;

public sealed class CostReportTests
{
    internal static readonly string DataFolder = Path.Combine(KitSettings.FromEnvironment().Root, "data");
    internal static readonly ModelRegistry Registry = ModelRegistry.Load(DataFolder);

    /// <summary>Two points that anybody can check: 2 images/s of MONET's tower against 90 of ViT-T.</summary>
    internal static MeasuredCost[] Measured() =>
        [new(ModelCost.Ladder[0], 1, 60, 58, 61, null), new(ModelCost.Ladder[0], 4, 90, 85, 92, 40 << 20),
            new(ModelCost.Ladder[^1], 1, 2, 1.9, 2.1, null), new(ModelCost.Ladder[^1], 4, 1.8, 1.7, 1.9, null)];

    [Fact]
    public void TheLadderIsPrintedWithItsRatios()
    {
        string text = CostReport.Ladder(ModelCost.Ladder).ToString();
        foreach (string expected in new[] { "5.52", "303.2", "54.9", "1.25", "81.0", "64.6", "3072", "16384" })
            Assert.Contains(expected, text);
        Table all = CostReport.Layers(ModelCost.Ladder);
        foreach ((int m, ModelCost model) in ModelCost.Ladder.Index())
        {
            double[] cells = [.. all.Rows.Select(r => (double)r[m + 1]!).Where(c => !double.IsNaN(c))];
            Assert.Equal(model.GigaMacs, cells[^1]);
            Assert.Equal(model.GigaMacs, cells[..^1].Sum(), 9);
        }
    }

    [Fact]
    public void MeasurementsSayHowTheyWereMade()
    {
        var plan = new CostPlan { Batches = [1, 4], Rounds = 3 };
        Table table = CostReport.Measured(Measured(), plan, "cpu");
        Assert.Equal(new object[] { "ViT-T/16", "fp32", new Estimate(60, 58, 61), 4, new Estimate(90, 85, 92), 1.0 },
            table.Rows[0].Take(6));
        Assert.Equal((1, 45.0, double.NaN),
            ((int)table.Rows[1][3]!, (double)table.Rows[1][5]!, (double)table.Rows[1][7]!));
        Assert.Equal(40.0, table.Rows[0][7]);
        Assert.Contains("Batches 1, 4, cpu", table.Note);
        Assert.Contains("bf16 is not measured", table.Note);
        IEnumerable<MeasuredCost> twice = Measured()
            .Select(m => m with { Precision = Precision.Bf16, ImagesPerSecond = 2 * m.ImagesPerSecond });
        Table both = CostReport.Measured([.. Measured(), .. twice], plan, "cpu");
        Assert.Equal([("fp32", 1.0), ("fp32", 45.0), ("bf16", 0.5), ("bf16", 22.5)],
            both.Rows.Select(r => ((string)r[1]!, (double)r[5]!)));
        Assert.Contains("converted in each pass", both.Note);
        Assert.DoesNotContain("busy", table.Note);
        Assert.DoesNotContain("nvidia-smi", table.Note);
        Assert.Contains("by nvidia-smi, from before the first model",
            CostReport.Measured(Measured(), plan, "cuda").Note);
        Assert.Contains("not read, because nvidia-smi is not here",
            CostReport.Measured([.. Measured().Select(m => m with { PeakBytes = null })], plan, "cuda:1").Note);
        MeasuredCost[] busy = [Measured()[0], Measured()[1] with { Slowest = 30 }, .. Measured()[2..]];
        Assert.Contains("fastest round of ViT-T/16 (fp32, batch 4) was 3.07 times as fast",
            CostReport.Measured(busy, plan, "cpu").Note);
        LineFigure figure = CostReport.Rates(Measured());
        Assert.True(figure.LogX && figure.LogY);
        Assert.Equal(["fp32, batch 1", "fp32, best batch"], figure.Series.Select(s => s.Name));
        Assert.Equal([1.9, 85], figure.Series[1].Low!.Reverse());
    }

    [Fact]
    public void WithoutMonetALineMarksItsCost()
    {
        ComparisonRow[] means = [Row("vit-tiny-random", 0.4, null)];
        ScatterFigure figure = CostReport.Quality(means, [Registry["vit-tiny-random"]], "linear");
        Assert.Equal(ModelCost.Ladder[0].GigaMacs, Assert.Single(Assert.Single(figure.Groups).X));
        JsonNode layout = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!["layout"]!;
        double cost = ModelCost.Ladder[^1].GigaMacs;
        Assert.Equal(cost, (double)layout["shapes"]![0]!["x0"]!, 9);
        Assert.Equal(Math.Log10(cost), (double)layout["annotations"]![0]!["x"]!, 9);
        Assert.Contains("linear", Assert.Throws<KitException>(() => CostReport.Quality([], [], "linear")).Message);
    }

    [Fact]
    public void EachModelWithWeightsIsAPointWithItsInterval()
    {
        ComparisonRow[] means = [Row("monet", 0.6, null) with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01))];
        ModelDefinition[] models = [Registry["monet"], Registry["vit-tiny-random"]];
        ScatterFigure figure = CostReport.Quality(means, models, "linear");
        Assert.Null(figure.Mark);
        Assert.Equal([ModelCost.Ladder[^1].GigaMacs, ModelCost.Ladder[0].GigaMacs], figure.Groups[0].X);
        Assert.Equal(["monet (cls4-prenorm)", "vit-tiny-random"], figure.Groups[0].Labels);
        JsonNode error = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!["data"]![0]!["error_y"]!;
        Assert.Equal([0.1, 0.1], error["array"]!.AsArray().Select(v => Math.Round((double)v!, 9)));

        using var folder = new TemporaryFolder();
        ModelRegistry with = ModelRegistry.Load(DataFolder, ClipFixture.Write(folder.Path));
        means = [Row(ClipFixture.Name, 0.6, null, "FIXTURE") with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01), "FIXTURE")];
        Assert.Equal("FIXTURE",
            CostReport.Quality(means, [with[ClipFixture.Name], with["vit-tiny-random"]], "linear").Stamp);
    }

    [Fact]
    public void StampsAreJoinedOnce()
    {
        Assert.Equal("SYNTHETIC + FIXTURE", Stamps.Join(["", "FIXTURE", "SYNTHETIC + FIXTURE", "SYNTHETIC"]));
        Assert.Equal("", Stamps.Join(["", ""]));
    }

    internal static ComparisonRow Row(string model, double score, PairedDifference? difference, string stamp = "") =>
        new(model, Comparison.Outside, "linear", 2, 5, new(score, score - 0.1, score + 0.1), 0,
            difference, null, stamp);
}
