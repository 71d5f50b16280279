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
    public void WithoutItsWeightsMonetIsMarkedByItsCostAlone()
    {
        ComparisonRow[] means = [Row("vit-tiny-random", 0.4, null),
            Row("vit-tiny-dino-kit", 0.5, null) with { Task = Comparison.Inside }];
        ModelDefinition[] models = [Registry["vit-tiny-random"], Registry["vit-tiny-dino-kit"]];
        PanelFigure figure = CostReport.Quality(means, models, Measured(), "linear");
        ModelCost tiny = ModelCost.Ladder[0], monet = ModelCost.Ladder[^1];
        // Of the measured batches the fastest: 90 images/s, and 2 of MONET's.
        Assert.Equal([tiny.Parameters * 1e-6, tiny.GigaMacs, 1000 / 90.0], figure.Points[0].X);
        Assert.Equal([monet.Parameters * 1e-6, monet.GigaMacs, 500], figure.Points[2].X);
        Assert.Equal("–", $"{figure.Data().Rows[2][^1]}");
        Assert.Contains("MONET's weights are not in this run", figure.AltText);
        JsonNode spec = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!;
        JsonNode[] traces = [.. spec["data"]!.AsArray().Select(t => t!)];
        // Two rows of three panels, each with a dashed line and a point; the legend has each name once.
        JsonNode[] lines = [.. traces.Where(t => (string)t["mode"]! == "lines")];
        Assert.Equal(["x", "x2", "x3", "x4", "x5", "x6"], lines.Select(t => (string)t["xaxis"]!));
        Assert.Equal(monet.GigaMacs, (double)lines[1]["x"]![1]!, 9);
        Assert.All(lines, t => Assert.Equal("dash", (string)t["line"]!["dash"]!));
        Assert.Equal(["MONET, cost only", "vit-tiny-dino-kit", "vit-tiny-random"],
            traces.Where(t => (bool)t["showlegend"]!).Select(t => (string)t["name"]!).Order());
        Assert.Equal([Comparison.Outside, Comparison.Inside],
            spec["layout"]!["annotations"]!.AsArray().Select(a => ((string)a!["text"]!)[3..^4]));
        // Without a measurement there is no place on that axis.
        figure = CostReport.Quality(means, models, [], "linear");
        Assert.All(figure.Points, p => Assert.True(double.IsNaN(p.X[2]) && p.X[1] > 0));
        Assert.DoesNotContain("NaN", FigureRenderer.PlotlySpec(figure));
        Assert.Contains("linear", Assert.Throws<KitException>(() => CostReport.Quality([], [], [], "linear")).Message);
    }

    [Fact]
    public void EachModelWithWeightsIsAPointWithItsInterval()
    {
        ComparisonRow[] means = [Row("monet", 0.6, null) with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01)), Row("vit-tiny-dino-kit", 0.5, null)];
        ModelDefinition[] models = [Registry["monet"], Registry["vit-tiny-random"], Registry["vit-tiny-dino-kit"]];
        PanelFigure figure = CostReport.Quality(means, models, Measured(), "linear");
        Assert.Equal(["monet (cls4-prenorm)", "vit-tiny-random", "vit-tiny-dino-kit"],
            figure.Points.Select(p => p.Name));
        Assert.All(figure.Points, p => Assert.Equal(0.2, p.Y.High - p.Y.Low, 9));
        JsonNode[] traces = [.. JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!["data"]!.AsArray()
            .Select(t => t!)];
        Assert.Equal(9, traces.Length);
        Assert.All(traces, t => Assert.Equal(0.1, (double)t["error_y"]!["array"]![0]!, 9));
        // Two models of one cost stand side by side around it.
        double left = (double)traces[1]["x"]![0]!, right = (double)traces[2]["x"]![0]!;
        Assert.True(left < figure.Points[1].X[0] && right > left);
        Assert.Equal(figure.Points[1].X[0], Math.Sqrt(left * right), 9);

        using var folder = new TemporaryFolder();
        ModelRegistry with = ModelRegistry.Load(DataFolder, ClipFixture.Write(folder.Path));
        means = [Row(ClipFixture.Name, 0.6, null, "FIXTURE") with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01), "FIXTURE")];
        Assert.Equal("FIXTURE",
            CostReport.Quality(means, [with[ClipFixture.Name], with["vit-tiny-random"]], Measured(), "linear").Stamp);
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
