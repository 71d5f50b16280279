using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

/// <summary>What the cpu does to planes in vectors is what the tensor operations do.</summary>
public sealed class PlanePassTests
{
    private static readonly ColorDraw None = new(1, 1, 1, 0, false, 0, false, 0);

    private static Tensor Image(long side) => rand([1, 3, side, side], generator: new Generator(5));

    private static unsafe Tensor Changed(Tensor image, Action<nint> pass)
    {
        Tensor copy = image.clone();
        fixed (byte* at = copy.bytes) pass((nint)at);
        return copy;
    }

    private static void Near(Tensor expected, Tensor found, double tolerance, string what)
    {
        double off = (expected - found).abs().max().item<float>();
        Assert.True(off <= tolerance, $"{what}: off by {off}, more than {tolerance}");
    }

    [Fact]
    public unsafe void EachJitterIsTheTensorOperation()
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(32);
        // A grey pixel has no hue, and the corners of the cube are where sectors meet.
        image[.., .., 0, 0] = 0.5;
        image[.., 0, 1] = 1;
        image[.., 2, 2] = 0;
        Tensor Of(float factor) => tensor([factor]);
        foreach (float factor in new[] { 0.6f, 1.4f })
            foreach ((string what, ColorDraw draw, Tensor expected) in new[]
            {
                ("brightness", None with { Brightness = factor }, TensorColor.Brightness(image, Of(factor))),
                ("contrast", None with { Contrast = factor }, TensorColor.Contrast(image, Of(factor))),
                ("saturation", None with { Saturation = factor }, TensorColor.Saturation(image, Of(factor))),
                ("hue", None with { Hue = factor - 1 }, TensorColor.Hue(image, Of(factor - 1))),
                ("grey", None with { Grey = true }, TensorColor.Grayscale(image)),
            })
                Near(expected, Changed(image, at => ColorPass.Apply((float*)at, 32 * 32, draw)), 2e-6, $"{what} {factor}");
        Assert.True(image.Equals(Changed(image, at => ColorPass.Apply((float*)at, 32 * 32, None))));
    }

    [Fact]
    public unsafe void ContrastTakesTheMeanOfWhatCameBefore()
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(48);
        ColorDraw[] draws = [.. ColorDraw.Orders.Select((_, i) => new ColorDraw(0.7f, 1.3f, 0.8f, 0.08f, true, 0, false, i))];
        Assert.Equal((24, 24), (draws.Length, ColorDraw.Orders.Select(o => string.Join(',', o)).Distinct().Count()));
        Tensor together = new ColorJitter().Apply(image.expand(24, -1, -1, -1), draws);
        for (int i = 0; i < draws.Length; i++)
        {
            Tensor[] jitters = [.. ColorDraw.Orders[i].Select(k => tensor([draws[i].Of(k)]))];
            Tensor expected = ColorDraw.Orders[i].Zip(jitters).Aggregate(image, (x, j) => j.First switch
            {
                Jitter.Brightness => TensorColor.Brightness(x, j.Second),
                Jitter.Contrast => TensorColor.Contrast(x, j.Second),
                Jitter.Saturation => TensorColor.Saturation(x, j.Second),
                _ => TensorColor.Hue(x, j.Second),
            });
            Near(TensorColor.Grayscale(expected), Changed(image, at => ColorPass.Apply((float*)at, 48 * 48, draws[i])), 5e-6, string.Join(", ", ColorDraw.Orders[i]));
            Near(TensorColor.Grayscale(expected), together[i..(i + 1)], 5e-6, string.Join(", ", ColorDraw.Orders[i]));
        }
    }

    [Theory]
    [InlineData(0.1f, 6), InlineData(0.5f, 6), InlineData(2f, 6), InlineData(2f, 2), InlineData(9f, 16)]
    public unsafe void BlurIsTheTensorOperation(float sigma, int half)
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(32);
        Near(TensorColor.GaussianBlur(image, tensor([sigma]), (2 * half) + 1), Changed(image, at => BlurPass.Apply((float*)at, 32, sigma, half)), 2e-6, $"sigma {sigma}, {half} taps");
    }

    [Fact]
    public unsafe void TheLastPassSolarisesAndNormalises()
    {
        using var scope = NewDisposeScope();
        Tensor image = Image(16), mean = tensor([0.1f, 0.2f, 0.3f]).view(1, 3, 1, 1), std = tensor([0.5f, 0.25f, 0.2f]).view(1, 3, 1, 1);
        image[0, 0, 0, 0] = 128 / 255f;
        foreach (bool solarize in new[] { false, true })
            Near(((solarize ? TensorColor.Solarize(image) : image) - mean) / std, Changed(image, at => ColorPass.Finish((float*)at, 256, solarize, new(0.1f, 0.2f, 0.3f), new(0.5f, 0.25f, 0.2f))), 2e-6, $"solarize {solarize}");
    }

    [Theory]
    [InlineData(ResizeFilter.Bilinear), InlineData(ResizeFilter.Bicubic)]
    public unsafe void CropsAreThoseOfTheTensorOperation(ResizeFilter filter)
    {
        using var scope = NewDisposeScope();
        const int Height = 45, Width = 70;
        Tensor bytes = randint(0, 256, [1, 3, Height, Width], uint8, generator: new Generator(6)), unit = bytes.to(float32) / 255;
        Tensor columns = empty(CropPass.ColumnsLength(Height, Width));
        fixed (byte* from = bytes.bytes, to = columns.bytes) CropPass.Columns(from, (Width, Height), Height, Width, (float*)to);
        foreach (CropBox box in new CropBox[] { new(0, 0, Height, Width), new(3, 7, 20, 31), new(44, 69, 1, 1), new(11, 0, 34, 9), new(0, 5, 2, 65) })
            foreach (bool flip in new[] { false, true })
            {
                Tensor found = empty(1, 3, 32, 32);
                fixed (byte* from = columns.bytes, to = found.bytes) CropPass.Resize((float*)from, Height, Width, box, 32, filter, flip, (float*)to);
                Near(TensorCrop.ResizedCrop(unit, [box], 32, filter, [flip]).clamp_(0, 1), found, 2e-5, $"{box}, flip {flip}");
            }
    }
}
