using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

public sealed class TensorOperationTests
{
    private static readonly CropBox[] Boxes = [new(0, 0, 40, 50), new(3, 7, 20, 31), new(11, 0, 29, 9)];

    private static Dictionary<string, Func<Tensor, Tensor, Tensor>> Operations => new()
    {
        ["brightness"] = TensorColor.Brightness,
        ["contrast"] = TensorColor.Contrast,
        ["saturation"] = TensorColor.Saturation,
        ["hue"] = TensorColor.Hue,
        ["grayscale"] = (x, f) => TensorColor.Grayscale(x),
        ["solarize"] = (x, f) => TensorColor.Solarize(x),
        ["blur"] = (x, f) => TensorColor.GaussianBlur(x, f, 9),
        ["select"] = (x, f) =>
        {
            using var scope = NewDisposeScope();
            return TensorColor.Select(f > 1, 1 - x, x).MoveToOuterDisposeScope();
        },
    };

    private static (Tensor Images, Tensor Factors) Batch(Device device) =>
        (rand([3, 3, 40, 50], device: device, generator: device.type == DeviceType.CPU ? new Generator(3) : null), tensor(new[] { 0.7f, 1.3f, 1.1f }, device: device));

    [Fact]
    public void EachImageIsTreatedByItselfAndNothingLeaks()
    {
        using var scope = NewDisposeScope();
        (Tensor images, Tensor factors) = Batch(CPU);
        foreach ((string name, Func<Tensor, Tensor, Tensor> operation) in Operations)
        {
            Tensor before = images.clone(), all = operation(images, factors);
            long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            operation(images, factors).Dispose();
            Assert.Equal((name, live), (name, DisposeScopeManager.Statistics.ThreadTotalLiveCount));
            Assert.True(images.eq(before).all().item<bool>(), $"{name} changed its input");
            Assert.True(all.ge(0).logical_and(all <= 1).all().item<bool>(), name);
            for (int i = 0; i < 3; i++)
                Assert.True((operation(images[i..(i + 1)], factors[i..(i + 1)]) - all[i..(i + 1)]).abs().max().item<float>() < 1e-6, name);
        }
    }

    [Fact]
    public void NeutralFactorsChangeNothing()
    {
        using var scope = NewDisposeScope();
        (Tensor images, _) = Batch(CPU);
        foreach (string name in new[] { "brightness", "contrast", "saturation", "hue" })
            Assert.True((Operations[name](images, name == "hue" ? zeros(3) : ones(3)) - images).abs().max().item<float>() < 1e-6, name);
        Assert.True((TensorColor.Hue(images, full([3], 1f)) - images).abs().max().item<float>() < 1e-5, "a whole turn");
    }

    [Fact]
    public void EveryOperationRunsOnTheMetaDevice()
    {
        using var scope = NewDisposeScope();
        (Tensor images, Tensor factors) = (empty([3, 3, 40, 50], device: META), empty([3], device: META));
        foreach ((string name, Func<Tensor, Tensor, Tensor> operation) in Operations)
        {
            Tensor result = operation(images, factors);
            Assert.Equal((DeviceType.META, "3,3,40,50"), (result.device_type, string.Join(',', result.shape)));
        }
        Tensor crops = TensorCrop.ResizedCrop(images, Boxes, 16, flips: [true, false, true]);
        Assert.Equal((DeviceType.META, "3,3,16,16"), (crops.device_type, string.Join(',', crops.shape)));
        Tensor input = new EvalTransform().Normalise(empty([2, 3, 8, 8], ScalarType.Byte, META));
        Assert.Equal((DeviceType.META, "2,3,8,8"), (input.device_type, string.Join(',', input.shape)));
    }

    [Theory]
    [InlineData(ResizeFilter.Bilinear), InlineData(ResizeFilter.Bicubic)]
    public void CropsAreThoseOfPlainInterpolationAndFlipsMirrorThem(ResizeFilter filter)
    {
        using var scope = NewDisposeScope();
        (Tensor images, _) = Batch(CPU);
        Tensor crops = TensorCrop.ResizedCrop(images, Boxes, 24, filter), flipped = TensorCrop.ResizedCrop(images, Boxes, 24, filter, [true, false, true]);
        InterpolationMode mode = filter == ResizeFilter.Bilinear ? InterpolationMode.Bilinear : InterpolationMode.Bicubic;
        for (int i = 0; i < 3; i++)
        {
            CropBox b = Boxes[i];
            Tensor expected = nn.functional.interpolate(images[i..(i + 1), .., b.Top..(b.Top + b.Height), b.Left..(b.Left + b.Width)], [24, 24], mode: mode, align_corners: false, antialias: true)[0];
            Assert.True((crops[i] - expected).abs().max().item<float>() < 1e-5);
            Assert.True((flipped[i] - (i == 1 ? expected : expected.flip(2))).abs().max().item<float>() < 1e-5);
        }
        Assert.Throws<ArgumentException>(() => TensorCrop.ResizedCrop(images, Boxes[..2], 24));
        Assert.Throws<ArgumentException>(() => TensorCrop.ResizedCrop(images, [.. Boxes[..2], new(20, 0, 21, 5)], 24));
    }

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
        Tensor interleaved = tensor(image.Pixels, [1, 6, 8, 3], ScalarType.Byte), planar = interleaved.permute(0, 3, 1, 2);
        Tensor a = new EvalTransform().Normalise(interleaved), b = new EvalTransform().Normalise(planar);
        Assert.Equal([1, 3, 6, 8], a.shape);
        Assert.True(a.eq(b).all().item<bool>());
        Assert.Equal((image.Pixels[1] / 255f - 0.456f) / 0.224f, a[0, 1, 0, 0].item<float>(), 1e-6f);
        Assert.Throws<ArgumentException>(() => new EvalTransform().Normalise(a));
    }
}
