using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

public sealed class RandomResizedCropTests
{
    [Fact]
    public void DrawsDependOnSeedEpochImageAndViewOnly()
    {
        static CropBox Draw(long seed, int epoch, long image, int view)
        {
            var random = new ImageRandom(seed, epoch, image, view);
            return new RandomResizedCrop().Draw(600, 450, ref random);
        }
        CropBox[] draws = [Draw(1, 0, 0, 0), Draw(0, 1, 0, 0), Draw(0, 0, 1, 0), Draw(0, 0, 0, 1), Draw(0, 0, 0, 0)];
        Assert.Equal(5, draws.Distinct().Count());
        Assert.Equal(draws[0], Draw(1, 0, 0, 0));
    }

    [Fact]
    public void AnImageWithoutAFittingBoxIsCroppedAtItsCentre()
    {
        var random = new ImageRandom(0, 0, 0);
        Assert.Equal(new CropBox(0, 493, 10, 13), new RandomResizedCrop(0.9, 1).Draw(1000, 10, ref random));
        Assert.Equal(new CropBox(493, 0, 13, 10), new RandomResizedCrop(0.9, 1).Draw(10, 1000, ref random));
    }
}
