using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

public sealed class EvalTransformTests
{
    [Fact]
    public void TheDefaultTransformIsThePapers()
    {
        Assert.Equal("square256-Bilinear-crop224-mean0.485,0.456,0.406-std0.229,0.224,0.225", new EvalTransform().Key);
        RgbImage tall = new EvalTransform { Resize = 50, ShortSide = true }.Scale(TestImages.Draw(64, 97, 1));
        Assert.Equal((50, 75), (tall.Width, tall.Height));
    }

    [Fact]
    public void BothLayoutsNormaliseAlike()
    {
        using var scope = NewDisposeScope();
        RgbImage image = TestImages.Draw(8, 6, 1);
        Tensor interleaved = tensor(image.Pixels, [1, 6, 8, 3], ScalarType.Byte),
            planar = interleaved.permute(0, 3, 1, 2);
        Tensor a = new EvalTransform().Normalise(interleaved), b = new EvalTransform().Normalise(planar);
        Assert.Equal([1, 3, 6, 8], a.shape);
        Assert.True(a.eq(b).all().item<bool>());
        Assert.Equal((image.Pixels[1] / 255f - 0.456f) / 0.224f, a[0, 1, 0, 0].item<float>(), 1e-6f);
        Assert.Throws<ArgumentException>(() => new EvalTransform().Normalise(a));
        Tensor meta = new EvalTransform().Normalise(empty([2, 3, 8, 8], ScalarType.Byte, META));
        Assert.Equal((DeviceType.META, "2,3,8,8"), (meta.device_type, string.Join(',', meta.shape)));
    }
}
