using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Reporting;

public sealed class PretrainingReportTests
{
    private static readonly RgbImage Image = TestImages.Draw(32, 32, 1);

    private static TrainingStep[] Log(double entropy) => [.. Enumerable.Range(1, 20)
        .Select(i => new TrainingStep(i, 20, i / 10.0, 8 - 0.1 * i, 1e-3, 2, 50)
        {
            LossRatio = 0.95 - 0.01 * i,
            TeacherEntropy = entropy,
            FeatureStd = i % 5 == 0 ? 0.5 : double.NaN,
            EffectiveRank = i % 5 == 0 ? i : double.NaN,
        })];

    [Fact]
    public void HeatIsYellowWhereTheWeightIsGreatestAndGreyWhereItIsZero()
    {
        RgbImage heat = PatchPainting.Heat(Image, new double[,] { { 0.5, 0 }, { 0.25, 0 } });
        Assert.Equal((byte[])[255, 214, 40], heat.Pixels[..3]);
        int right = 3 * (5 * 32 + 20), middle = 3 * (20 * 32 + 5);
        Assert.Equal(heat.Pixels[right], heat.Pixels[right + 2]);
        Assert.InRange(heat.Pixels[middle] - heat.Pixels[middle + 2], 90, 125);
        RgbImage none = PatchPainting.Heat(Image, new double[2, 2]);
        Assert.Equal(none.Pixels[0], none.Pixels[2]);
    }

    [Fact]
    public void PatchesBecomeSquaresInTheirOrder()
    {
        RgbImage large = PatchPainting.Enlarge(new RgbImage(2, 1, [1, 2, 3, 200, 201, 202]), 32);
        Assert.Equal([32, 16], [large.Width, large.Height]);
        Assert.Equal((byte[])[1, 2, 3], large.Pixels[(3 * 15)..(3 * 16)]);
        Assert.Equal((byte[])[200, 201, 202], large.Pixels[(3 * 16)..(3 * 17)]);
    }

    [Fact]
    public void ViewsStandInRowsOfOneImage()
    {
        RgbImage small = TestImages.Draw(12, 12, 2);
        var row = new ImageViews("naevus", Image, [Image, Image], [small, small, small]);
        ImageGridFigure figure = PretrainingReport.Views([row, row], "SYNTHETIC");
        Assert.Equal(6, figure.Columns);
        Assert.Equal(["naevus", "global 1", "global 2", "local 1", "local 2", "local 3"],
            figure.Images.Take(6).Select(t => t.Label));
        Assert.Equal("12 px", figure.Images[3].Note);
        Assert.Contains("SYNTHETIC", figure.ToHtml());
        Assert.Throws<ArgumentException>(() => PretrainingReport.Views([row, row with { Locals = [small] }]));
    }

    [Fact]
    public void AttentionSaysHowFarFromEvenItIs()
    {
        double[][][,] even = [[new[,] { { 0.2, 0.2 }, { 0.2, 0.2 } }]], sharp = [[new[,] { { 0.9, 0 }, { 0, 0 } }]];
        ImageGridFigure figure = PretrainingReport.Attention([Image], [("random", even), ("DINO", sharp)]);
        Assert.Equal(["", "peak 1 x even", "", "peak 4 x even"], figure.Images.Select(t => t.Note));
        Assert.Equal(2, figure.Columns);
        Assert.Throws<ArgumentException>(() =>
            PretrainingReport.Attention([Image], [("one", even), ("two", [[even[0][0], even[0][0]]])]));
        Assert.Contains("DINO: strongest patch on average 4 times", figure.AltText);
    }

    [Fact]
    public void ComponentsNameTheShareTheyShow()
    {
        var colors = new PatchColors([new RgbImage(2, 2, new byte[12])], [0.5, 0.2, 0.1]);
        ImageGridFigure figure = PretrainingReport.Components([Image], [("random", colors), ("DINO", colors)]);
        Assert.Equal(6, figure.Columns);
        Assert.Equal(3, figure.Images.Count);
        Assert.Contains("DINO 80 % (50 %, 20 %, 10 %)", figure.Caption);
    }

    [Fact]
    public void CurvesSkipStepsThatWereNotMeasured()
    {
        LineFigure figure = PretrainingReport.Curves(Log(0.7));
        Assert.Equal([20, 20, 4], figure.Series.Select(s => s.X.Count));
        Assert.Equal([5, 10, 15, 20], figure.Series[2].X);
        Assert.Contains("loss / ln K 0.940 to 0.750", figure.AltText);
        Assert.NotEmpty(FigureRenderer.PlotlySpec(figure));
        // A method without a teacher has no such line.
        Assert.Equal(["loss / ln K"],
            PretrainingReport.Curves([.. Log(double.NaN).Take(4)]).Series.Select(s => s.Name));
    }

    [Fact]
    public void RunsAreComparedByTheirLastMeasuredValues()
    {
        (string, IReadOnlyList<TrainingStep>)[] runs = [("DINO", Log(0.7)), ("collapsed", [.. Log(1).Take(12)])];
        LineFigure rank = PretrainingReport.Monitor("rank", "Rank", "Directions in use.", "Directions",
            s => s.EffectiveRank, runs);
        Assert.Equal([4, 2], rank.Series.Select(s => s.Y.Count));
        Assert.Equal([["DINO", 0.75, 0.7, 0.5, 20.0], ["collapsed", 0.83, 1.0, 0.5, 10.0]],
            PretrainingReport.Ends(runs).Rows.Select(r => r.Select(c => c is double d ? Math.Round(d, 6) : c)));
    }

    [Fact]
    public void RunsOfOneNameAreOneLineInABand()
    {
        (string, IReadOnlyList<TrainingStep>)[] runs = [("DINO", Log(0.6)), ("BYOL", Log(0.5)), ("DINO", Log(0.8)),
            ("DINO", [.. Log(0.7).Take(12)])];
        LineFigure figure = PretrainingReport.Monitor("entropy", "Entropy", "Of three seeds.", "Entropy",
            s => s.TeacherEntropy, runs);
        Assert.Equal(["DINO", "BYOL"], figure.Series.Select(s => s.Name));
        // Steps that all three have.
        Assert.Equal(12, figure.Series[0].X.Count);
        Assert.All(figure.Series[0].Y, y => Assert.Equal(0.7, y, 1e-9));
        Assert.All(figure.Series[0].Low!.Zip(figure.Series[0].High!), p => Assert.Equal((0.6, 0.8), p));
        Assert.Null(figure.Series[1].Low);
    }
}
