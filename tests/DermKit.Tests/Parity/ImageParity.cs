using DermKit.Imaging;
using DermKit.Models;
using System.Text.RegularExpressions;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

/// <summary>Images and 8-bit tensors of the fixtures.</summary>
internal static class Images
{
    /// <summary>The image that a fixture was made from: preprocess_skin.safetensors belongs
    /// to picture_skin.png.</summary>
    public static RgbImage Of(string fixture) =>
        Png($"picture_{Regex.Match(fixture, "^(?:preprocess|paper_transform)_(.*)\\.safetensors$").Groups[1].Value}"
            + ".png", fixture);

    /// <summary>An image of the folder, else the shipped one of that name; without either
    /// the test is skipped.</summary>
    public static RgbImage Png(string name, string fixture)
    {
        string? path = Fixtures.PathOrShipped(name);
        Assert.SkipWhen(path is null, $"{fixture} was made from {name}, which is not beside it.");
        return ImageCodec.Decode(path!);
    }

    /// <summary>A stored uint8 [H, W, 3] tensor.</summary>
    public static RgbImage Image(this SafeTensorsFile file, string key)
    {
        using Tensor tensor = file.Load(key);
        Assert.Equal(3, tensor.shape[2]);
        return new((int)tensor.shape[1], (int)tensor.shape[0], tensor.bytes.ToArray());
    }

    /// <summary>float32 [1, 3, H, W] in 0 to 1.</summary>
    public static Tensor Floats(RgbImage image) =>
        Bytes(image).to(float32).div_(Kept(255)).permute(0, 3, 1, 2).contiguous();

    /// <summary>uint8 [1, H, W, 3].</summary>
    public static Tensor Bytes(RgbImage image) =>
        tensor(image.Pixels, [1, image.Height, image.Width, 3], ScalarType.Byte);

    /// <summary>Fails with the number and size of the differences when any pixel differs by more than
    /// <paramref name="levels"/>.</summary>
    public static void Same(RgbImage actual, RgbImage expected, string what, int levels = 0)
    {
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        int[] differences = [.. actual.Pixels.Zip(expected.Pixels, (a, b) => Math.Abs(a - b))];
        Assert.True(differences.Max() <= levels,
            $"{what}: {differences.Count(d => d > 0)} of {differences.Length} values differ, by {differences.Max()} at "
            + $"most; {levels} allowed.");
    }
}

[Takes("picture_*.png")]
[Takes("picture_*.jpg")]
public sealed class ImageParity
{
    public static TheoryData<string> Jpegs => Fixtures.Named("picture_*.jpg");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Jpegs))]
    public void JpegDecodesAsPillowDoes(string name)
    {
        RgbImage ours = ImageCodec.Decode(Fixtures.PathOf(name)),
            pillow = Images.Png(Path.ChangeExtension(name, ".png"), name);
        int[] differences = [.. ours.Pixels.Zip(pillow.Pixels, (a, b) => Math.Abs(a - b))];
        Fixtures.Print($"{name}: {differences.Count(d => d > 0)} of {differences.Length} differ, mean "
            + $"{differences.Average():g3}, largest {differences.Max()}");
        Images.Same(ours, pillow, name, levels: 1);
    }
}
