using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Studies;
using static DermKit.Tests.Reporting.CostReportTests;
using static DermKit.Tests.Studies.DisagreementTests;

namespace DermKit.Tests.Studies;

public sealed class SizeReportTests
{
    [Fact]
    public void RatesOfABusyMachineAreNotInTheHeadline()
    {
        MeasuredCost[] busy = [Measured()[0], Measured()[1] with { Slowest = 30 }, .. Measured()[2..]];
        Table claim = SizeReport.Claim(busy, [], [Registry["vit-tiny-random"]], "vit-tiny-random", Registry);
        Assert.DoesNotContain("images/s", claim.Headline);
        Assert.Contains("not to be quoted", claim.ToString());
    }

    [Fact]
    public void WithoutMonetTheClaimSaysWhatIsNotTested()
    {
        ComparisonRow[] means = [Row("vit-tiny-random", 0.4, null)];
        Table claim = SizeReport.Claim(Measured(), means, [Registry["vit-tiny-random"]], "vit-tiny-random", Registry);
        Assert.Contains("5,524,416 against 303,179,776, 54.9 times", claim.ToString());
        Assert.Contains("90 against 2 images/s (45 times)", claim.Headline);
        Assert.Contains("not tested here", claim.Headline);
        Assert.Equal("", claim.Stamp);
    }

    [Fact]
    public void WithMonetItShowsThePairedDifferenceAndWithAFixtureItsStamp()
    {
        ComparisonRow[] means = [Row("monet", 0.6, null) with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01))];
        ModelDefinition[] models = [Registry["monet"], Registry["vit-tiny-random"]];
        string text = SizeReport.Claim(Measured(), means, models, "monet", Registry).ToString();
        Assert.Contains("F1 minus monet's: -0.20 [-0.25, -0.15]", text);
        Assert.DoesNotContain("not tested here", text);

        using var folder = new TemporaryFolder();
        ModelRegistry with = ModelRegistry.Load(DataFolder, ClipFixture.Write(folder.Path));
        means = [Row(ClipFixture.Name, 0.6, null, "FIXTURE") with { Features = "cls4-prenorm" },
            Row("vit-tiny-random", 0.4, new(new(-0.2, -0.25, -0.15), 0.01), "FIXTURE")];
        Table claim = SizeReport.Claim(Measured(), means, [with[ClipFixture.Name], with["vit-tiny-random"]],
            ClipFixture.Name, with);
        Assert.Equal("FIXTURE", claim.Stamp);
        Assert.Contains("[FIXTURE] F1 minus tiny-clip's", claim.ToString());
        Assert.Contains("not tested here", claim.ToString());
    }

    [Fact]
    public void QualityIsDividedByEveryCost()
    {
        QualityAboveMajority[] rows = [new("vit-tiny-random", "cls4", "linear", Comparison.Outside, 2,
            new(new(0.2, 0.1, 0.3), 0.01), "SYNTHETIC")
        {
            Units = 173,
            Seeds = 5
        },
            new("resnet50-random", "avgpool", "linear", Comparison.Outside, 2, new(new(0.4, 0.3, 0.5), 0.01),
                "")
            {
                Units = 173,
                Seeds = 5
            }];
        ComparisonRow[] means = [Row("vit-tiny-random", 0.4, null), Row("resnet50-random", 0.6, null)];
        Table table = SizeReport.PerUnit(rows, means, [Registry["vit-tiny-random"], Registry["resnet50-random"]],
            Measured());
        ModelCost tiny = ModelCost.Ladder[0];
        Assert.Equal(new Estimate(0.4, 0.4 - 0.1, 0.5), table.Rows[0][3]);
        Assert.Equal([tiny.Parameters * 1e-6, tiny.GigaMacs, new Estimate(90, 85, 92)], table.Rows[0].Skip(4).Take(3));
        Assert.Equal(new Estimate(20, 10, 30), Round((Estimate)table.Rows[0][7]!));
        Assert.Equal(20 / (tiny.Parameters * 1e-6), (double)table.Rows[0][8]!, 9);
        Assert.Equal(20 / tiny.GigaMacs, (double)table.Rows[0][9]!, 9);
        // 1,000 images at 90 a second.
        Assert.Equal(20 / (1000 / 90.0), (double)table.Rows[0][10]!, 9);
        Assert.True(double.IsNaN((double)table.Rows[1][10]!));
        Assert.Equal("SYNTHETIC", table.Stamp);
        Assert.Equal("2 unseen (173)", table.Rows[0][2]);
        Assert.Contains("Seeds: 5, averaged.", table.ToString());

        static Estimate Round(Estimate e) => new(Math.Round(e.Value, 9), Math.Round(e.Low, 9), Math.Round(e.High, 9));
    }

    [Fact]
    public void TheMostFrequentClassIsWhatAModelIsMeasuredFrom()
    {
        // Truth with a tie: the smaller class index is the constant answer, whose F1 of the positive class is 0.
        QualityAboveMajority row =
            Assert.Single(
                QualityAboveMajority.Of([Result("m", [0, 0, 1, 1, 1, 0]), Result("x", Truth, inMeans: false)], 50));
        double f1 = ClassCounts.Of(Truth, [0, 0, 1, 1, 1, 0], 2).PaperF1();
        Assert.Equal((f1, "m", Comparison.Outside, 1), (row.Above.Difference.Value, row.Model, row.Task, row.Tasks));
        Assert.True(f1 > 0.6 && row.Above.Difference.Low <= f1);
    }
}
