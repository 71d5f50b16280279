using DermKit.Data;
using DermKit.Imaging;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Data;

public sealed class CutValuesTests
{
    /// <summary>What an image becomes when it is stored after ImageNet's normalisation.</summary>
    private static RgbImage Normalised(RgbImage image)
    {
        EvalTransform imageNet = new();
        float[] mean = [imageNet.Mean.R, imageNet.Mean.G, imageNet.Mean.B], std = [imageNet.Std.R, imageNet.Std.G,
            imageNet.Std.B];
        return new(image.Width, image.Height,
            [.. image.Pixels.Select((value, i) =>
                (byte)Math.Round(255 * Math.Clamp(((value / 255f) - mean[i % 3]) / std[i % 3], 0, 1)))]);
    }

    [Fact]
    public void APartThatWasStoredAfterNormalisationIsNoticedAndNaturalPartsAreNot()
    {
        RgbImage[] natural = [.. Enumerable.Range(0, 6).Select(i => TestImages.Draw(60, 40, i))];
        bool[] frozen = [false, false, false, true, true, true];
        double[] shares = [.. natural.Select(CutValues.Share)];
        Assert.Null(CutValues.Warning(shares, frozen));
        double[] changed = [.. natural.Select((p, i) => CutValues.Share(frozen[i] ? Normalised(p) : p))];
        Assert.Matches("of the test images [0-9]+ % of all values are 0 or 255, of the others [0-9]+ %",
            CutValues.Warning(changed, frozen)!);
        // An image that cannot be read says nothing, and neither does a set without frozen images.
        Assert.NotNull(CutValues.Warning([.. changed[..5], double.NaN], frozen));
        Assert.Null(CutValues.Warning(changed, new bool[6]));
    }

    [Fact]
    public void TheShareCountsBothEnds() => Assert.Equal(0.5, CutValues.Share(new(2, 1, [0, 255, 7, 9, 254, 0])), 12);

    /// <summary>The copies of the shared folder: ISIC-2017 and PAD-UFES-20 are as they were taken, the test images
    /// of HAM10000 are not.</summary>
    [Theory]
    [InlineData("isic2017", false), InlineData("pad-ufes-20", false), InlineData("ham10000", true)]
    public void OfTheRealSetsOnlyHam10000IsWarnedOf(string set, bool warned)
    {
        KitSettings settings = RealData.Need(set);
        ImageTable table = DataSetCatalog.Load(settings, set);
        bool[] frozen = FrozenTest.Mask(settings, table);
        // Every eighth image is enough to tell.
        int[] some = [.. Enumerable.Range(0, table.Count).Where(i => i % 8 == 0)];
        Assert.Equal(warned,
            CutValues.Warning([.. some.Select(i => CutValues.Share(ImageCodec.Decode(table.Paths[i])))],
                [.. some.Select(i => frozen[i])]) is not null);
    }
}
