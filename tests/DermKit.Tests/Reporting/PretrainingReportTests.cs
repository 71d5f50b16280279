using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Reporting;

public sealed class PretrainingReportTests
{
    private static readonly RgbImage Image = TestImages.Draw(32, 32, 1);

    internal static TrainingStep[] Log(double entropy) => [.. Enumerable.Range(1, 20)
        .Select(i => new TrainingStep(i, 20, i / 10.0, 8 - 0.1 * i, 1e-3, 2, 50)
        {
            LossRatio = 0.95 - 0.01 * i,
            TeacherEntropy = entropy,
            FeatureStd = i % 5 == 0 ? 0.5 : double.NaN,
            EffectiveRank = i % 5 == 0 ? i : double.NaN,
        })];

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
}
