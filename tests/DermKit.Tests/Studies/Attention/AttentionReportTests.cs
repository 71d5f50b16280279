using DermKit.Imaging;
using DermKit.Reporting;
using DermKit.Studies;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Studies;

public sealed class AttentionReportTests
{
    private static readonly RgbImage Image = TestImages.Draw(32, 32, 1);

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
    public void AttentionSaysHowFarFromEvenItIs()
    {
        double[][][,] even = [[new[,] { { 0.2, 0.2 }, { 0.2, 0.2 } }]], sharp = [[new[,] { { 0.9, 0 }, { 0, 0 } }]];
        ImageGridFigure figure = AttentionReport.Attention([Image], [("random", even), ("DINO", sharp)]);
        Assert.Equal(["", "peak 1 x even", "", "peak 4 x even"], figure.Images.Select(t => t.Note));
        Assert.Equal(2, figure.Columns);
        Assert.Throws<ArgumentException>(() =>
            AttentionReport.Attention([Image], [("one", even), ("two", [[even[0][0], even[0][0]]])]));
        Assert.Contains("DINO: strongest patch on average 4 times", figure.AltText);
    }

    [Fact]
    public void ComponentsNameTheShareTheyShow()
    {
        var colors = new PatchColors([new RgbImage(2, 2, new byte[12])], [0.5, 0.2, 0.1]);
        ImageGridFigure figure = AttentionReport.Components([Image], [("random", colors), ("DINO", colors)]);
        Assert.Equal(6, figure.Columns);
        Assert.Equal(3, figure.Images.Count);
        Assert.Contains("DINO 80 % (50 %, 20 %, 10 %)", figure.Caption);
    }
}
