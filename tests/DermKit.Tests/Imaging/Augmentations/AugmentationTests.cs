using DermKit.Imaging;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

/// <summary>The augmentations agree with the tensor expressions of torchvision.</summary>
public sealed class AugmentationTests
{
    private static Tensor Image(long side) => rand([1, 3, side, side], generator: new Generator(5));

    private static void Near(Tensor expected, Tensor found, double tolerance, string what)
    {
        double off = (expected - found).abs().max().item<float>();
        Assert.True(off <= tolerance, $"{what}: off by {off}, more than {tolerance}");
    }

    private static Tensor Expected(Tensor image, Jitter kind, float factor) => kind switch
    {
        Jitter.Brightness => TorchColor.Brightness(image, factor),
        Jitter.Contrast => TorchColor.Contrast(image, factor),
        Jitter.Saturation => TorchColor.Saturation(image, factor),
        _ => TorchColor.Hue(image, factor),
    };

    [Theory]
    // 15 leaves a rest behind the last whole vector of a plane.
    [InlineData(32), InlineData(15)]
    public void EachJitterIsTorchvisions(int side)
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(side), before = image.clone();
        // A grey pixel has no hue, and the corners of the cube are where sectors meet.
        image[.., .., 0, 0] = 0.5;
        image[.., 0, 1] = 1;
        image[.., 2, 2] = 0;
        foreach (Jitter kind in Enum.GetValues<Jitter>())
        {
            foreach (float factor in kind == Jitter.Hue ? new[] { -0.4f, 0.4f } : [0, 0.6f, 1.4f])
                Near(Expected(image, kind, factor), ViewTensors.Jittered(image, (kind, factor)), 2e-6,
                    $"{kind} {factor}");
            Near(image, ViewTensors.Jittered(image, (kind, kind == Jitter.Hue ? 0 : 1)), 1e-6,
                $"{kind} without effect");
        }
        Near(image, ViewTensors.Jittered(image, (Jitter.Hue, 1)), 1e-5, "a whole turn");
        Near(TorchColor.Grayscale(image), ViewTensors.Jittered(image, (Jitter.Saturation, 0)), 2e-6, "grey");
        Assert.True(image.Equals(ViewTensors.Jittered(image)));
    }

    [Fact]
    public void ContrastTakesTheMeanOfWhatCameBefore()
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(48);
        float[] factors = [0.7f, 1.3f, 0.8f, 0.08f];
        Assert.Equal((24, 24),
            (ColorJitter.Orders.Length, ColorJitter.Orders.Select(o => string.Join(',', o)).Distinct().Count()));
        foreach (Jitter[] order in ColorJitter.Orders)
            Near(order.Aggregate(image, (x, kind) => Expected(x, kind, factors[(int)kind])),
                ViewTensors.Jittered(image, [.. order.Select(kind => (kind, factors[(int)kind]))]), 5e-6,
                string.Join(", ", order));
    }

    [Theory]
    [InlineData(32, 0.1f, 6), InlineData(32, 0.5f, 6), InlineData(32, 2f, 6), InlineData(32, 2f, 2), InlineData(32, 9f,
        16), InlineData(21, 2f, 6)]
    public void BlurIsTorchvisions(int side, float sigma, int half)
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(side);
        // torch's padding must be smaller than the side's half; the kernel reaches it at most.
        Near(TorchColor.GaussianBlur(image, sigma, half),
            ViewTensors.Changed(image, view => GaussianBlur.Apply(view, sigma, half)), 2e-6,
            $"sigma {sigma}, {half} taps");
    }

    [Theory]
    [InlineData(16), InlineData(13)]
    public unsafe void ValuesAreSolarisedAndNormalised(int side)
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(side), mean = tensor([0.1f, 0.2f, 0.3f]).view(1, 3, 1, 1),
            std = tensor([0.5f, 0.25f, 0.2f]).view(1, 3, 1, 1);
        image[0, 0, 0, 0] = 128 / 255f;
        Assert.True(TorchColor.Solarize(image).Equals(ViewTensors.Changed(image, Solarize.Apply)));
        Tensor found = empty_like(image);
        ViewTensors.Changed(image, view =>
        {
            fixed (byte* target = found.bytes)
                view.Normalise(new(0.1f, 0.2f, 0.3f), new(0.5f, 0.25f, 0.2f), (float*)target);
        });
        Near((image - mean) / std, found, 2e-6, "normalised");
    }

    [Theory]
    [InlineData(ResizeFilter.Bilinear, 32), InlineData(ResizeFilter.Bicubic, 32), InlineData(ResizeFilter.Bicubic, 27)]
    public void CropsAreTorchvisions(ResizeFilter filter, int size)
    {
        using var scope = NewDisposeScope();
        const int Height = 45, Width = 70;
        Tensor bytes = randint(0, 256, [1, 3, Height, Width], uint8, generator: new Generator(6)),
            unit = bytes.to(float32) / Kept(255);
        foreach (CropBox box in new CropBox[]
        {
            new(0, 0, Height, Width), new(3, 7, 20, 31), new(44, 69, 1, 1), new(11, 0, 34, 9), new(0, 5, 2, 65)
        })
            foreach (bool flip in new[] { false, true })
                Near(TorchColor.ResizedCrop(unit, box, size, filter, flip).clamp(Kept(0), Kept(1)),
                    ViewTensors.Crop(bytes, box, size, filter, flip), 2e-5, $"{box}, flip {flip}");
    }
}
