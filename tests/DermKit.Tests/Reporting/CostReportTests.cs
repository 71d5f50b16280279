using DermKit.Evaluation;
using DermKit.Reporting;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Reporting;

public sealed class CostReportTests
{
    private static readonly string Data = Path.Combine(KitSettings.FromEnvironment().Root, "data");
    private static readonly ModelRegistry Registry = ModelRegistry.Load(Data);

    /// <summary>Two points that anybody can check: 2 images/s of MONET's tower against 90 of ViT-T.</summary>
    private static MeasuredCost[] Measured() =>
        [new(ModelCost.Ladder[0], 4, 90, 85, 92, 40 << 20), new(ModelCost.Ladder[^1], 4, 2, 1.9, 2.1, null)];

    [Fact]
    public void TheLadderIsPrintedWithItsRatios()
    {
        string text = CostReport.Ladder(ModelCost.Ladder).ToString();
        foreach (string expected in new[] { "5.52", "303.2", "54.9", "1.25", "81.0", "64.6", "3072", "16384" }) Assert.Contains(expected, text);
        Table layers = CostReport.Layers(ModelCost.Ladder[0], ModelCost.Ladder[^1]);
        Assert.Equal(ModelCost.Ladder[^1].GigaMacs, layers.Rows.Sum(r => (double)r[6]!), 9);
    }

    [Fact]
    public void MeasurementsSayHowTheyWereMade()
    {
        Table table = CostReport.Measured(Measured(), new CostPlan { Batch = 4, Rounds = 3 }, "cpu");
        Assert.Contains("90.00 [85.00, 92.00]", table.ToString());
        Assert.Equal((45.0, double.NaN), ((double)table.Rows[1][2]!, (double)table.Rows[1][5]!));
        Assert.Contains("Batch 4, float32, cpu", table.Note);
        Assert.DoesNotContain("busy", table.Note);
        MeasuredCost[] busy = [Measured()[0] with { Slowest = 30 }, Measured()[1]];
        Assert.Contains("fastest round of ViT-T/16 was 3.07 times as fast", CostReport.Measured(busy, new(), "cpu").Note);
        Table claim = CostReport.Claim(busy, [], [Registry["vit-tiny-random"]], "vit-tiny-random", Registry);
        Assert.DoesNotContain("images/s", claim.Headline);
        Assert.Contains("not to be quoted", claim.ToString());
        LineFigure figure = CostReport.Rates(Measured());
        Assert.True(figure.LogX && figure.LogY);
        Assert.Equal([1.9, 85], figure.Series[0].Low!.Reverse());
    }

    [Fact]
    public void WithoutMonetTheClaimSaysWhatIsNotTested()
    {
        ComparisonRow[] means = [Row("vit-tiny-random", 0.4, null)];
        Table claim = CostReport.Claim(Measured(), means, [Registry["vit-tiny-random"]], "vit-tiny-random", Registry);
        Assert.Contains("5,524,416 against 303,179,776, 54.9 times", claim.ToString());
        Assert.Contains("90 against 2 images/s (45 times)", claim.Headline);
        Assert.Contains("not tested here", claim.Headline);
        Assert.Equal("", claim.Stamp);
        ScatterFigure figure = CostReport.Quality(means, [Registry["vit-tiny-random"]], "linear");
        Assert.Equal(ModelCost.Ladder[0].GigaMacs, Assert.Single(Assert.Single(figure.Groups).X));
        JsonNode layout = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!["layout"]!;
        double cost = ModelCost.Ladder[^1].GigaMacs;
        Assert.Equal(cost, (double)layout["shapes"]![0]!["x0"]!, 9);
        Assert.Equal(Math.Log10(cost), (double)layout["annotations"]![0]!["x"]!, 9);
        Assert.Contains("linear", Assert.Throws<KitException>(() => CostReport.Quality([], [], "linear")).Message);
    }

    [Fact]
    public void WithMonetItShowsThePairedDifferenceAndWithAFixtureItsStamp()
    {
        ComparisonRow[] means = [Row("monet (cls4-prenorm)", 0.6, null), Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01))];
        ModelDefinition[] models = [Registry["monet"], Registry["vit-tiny-random"]];
        string text = CostReport.Claim(Measured(), means, models, "monet", Registry).ToString();
        Assert.Contains("F1 minus monet's: -0.20 [-0.25, -0.15]", text);
        Assert.DoesNotContain("not tested here", text);
        ScatterFigure figure = CostReport.Quality(means, models, "linear");
        Assert.Null(figure.Mark);
        Assert.Equal([ModelCost.Ladder[^1].GigaMacs, ModelCost.Ladder[0].GigaMacs], figure.Groups[0].X);
        JsonNode error = JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!["data"]![0]!["error_y"]!;
        Assert.Equal([0.1, 0.1], error["array"]!.AsArray().Select(v => Math.Round((double)v!, 9)));

        using var folder = new TemporaryFolder();
        ModelRegistry with = ModelRegistry.Load(Data, ClipFixture.Write(folder.Path));
        means = [Row($"{ClipFixture.Name} (cls4-prenorm)", 0.6, null, "FIXTURE"), Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01), "FIXTURE")];
        Table claim = CostReport.Claim(Measured(), means, [with[ClipFixture.Name], with["vit-tiny-random"]], ClipFixture.Name, with);
        Assert.Equal("FIXTURE", claim.Stamp);
        Assert.Contains("[FIXTURE] F1 minus tiny-clip's", claim.ToString());
        Assert.Contains("not tested here", claim.ToString());
        Assert.Equal("FIXTURE", CostReport.Quality(means, [with[ClipFixture.Name], with["vit-tiny-random"]], "linear").Stamp);
    }

    [Fact]
    public void StampsAreJoinedOnce()
    {
        Assert.Equal("SYNTHETIC + FIXTURE", Stamps.Join(["", "FIXTURE", "SYNTHETIC + FIXTURE", "SYNTHETIC"]));
        Assert.Equal("", Stamps.Join(["", ""]));
    }

    private static ComparisonRow Row(string model, double score, PairedDifference? difference, string stamp = "") =>
        new(model, Comparison.Outside, "linear", 2, 5, new(score, score - 0.1, score + 0.1), 0, difference, null, stamp);
}
