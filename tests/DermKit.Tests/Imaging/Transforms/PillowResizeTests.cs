using DermKit.Imaging;
using System.Drawing;

namespace DermKit.Tests.Imaging;

public sealed class PillowResizeTests
{
    [Theory]
    [InlineData(2600, 40)]
    [InlineData(97, 40)]
    [InlineData(40, 97)]
    [InlineData(3, 40)]
    public void WindowsOfOneWidthHoldTheSameWeightsAndEndWithTheInputs(int inputs, int outputs)
    {
        PillowResize.Weights weights = PillowResize.Weights.Make(inputs, 0, inputs, outputs, ResizeFilter.Bicubic);
        int width = (weights.Count.Max() + 3) / 4 * 4;
        PillowResize.Weights windows = weights.Windows(inputs, width);
        for (int i = 0; i < outputs; i++)
        {
            Assert.True(windows.Start[i] >= 0 && (windows.Start[i] + width <= inputs || windows.Start[i] == 0), $"output {i}");
            var expected = weights.Taps(i).ToArray().Select((w, k) => (At: weights.Start[i] + k, w)).Where(p => p.w != 0);
            Assert.Equal(expected, windows.Values.Skip(i * width).Take(width).Select((w, k) => (At: windows.Start[i] + k, w)).Where(p => p.w != 0));
        }
    }

    [Fact]
    public void VectorsGiveTheSameBits()
    {
        var random = new Random(11);
        for (int i = 0; i < 150; i++)
        {
            RgbImage image = TestImages.Draw(random.Next(1, 130), random.Next(1, 130), i);
            // Black and white pixels make the cubic overshoot on both sides.
            if (i % 3 == 0) for (int k = 0; k < image.Pixels.Length; k++) image.Pixels[k] = (byte)(image.Pixels[k] > 140 ? 255 : 0);
            int width = i % 7 == 0 ? image.Width : random.Next(1, 90), height = i % 5 == 0 ? image.Height : random.Next(1, 90);
            RectangleF? box = i % 4 == 0 ? new(image.Width * 0.1f, image.Height * 0.2f, image.Width * 0.6f, image.Height * 0.7f) : null;
            ResizeFilter filter = i % 2 == 0 ? ResizeFilter.Bilinear : ResizeFilter.Bicubic;
            RgbImage plain = PillowResize.Resize(image, width, height, filter, box, vectors: false);
            Assert.Equal((width, height), (plain.Width, plain.Height));
            Assert.Equal(plain.Pixels, PillowResize.Resize(image, width, height, filter, box).Pixels);
        }
    }

    [Theory]
    [InlineData(ResizeFilter.Bilinear), InlineData(ResizeFilter.Bicubic)]
    public void FlatStaysFlatAndTheSameSizeIsACopy(ResizeFilter filter)
    {
        var flat = new RgbImage(30, 20, [.. Enumerable.Repeat((byte)173, 1800)]);
        Assert.All(PillowResize.Resize(flat, 7, 55, filter).Pixels, v => Assert.Equal(173, v));
        RgbImage image = TestImages.Draw(30, 20, 1), copy = PillowResize.Resize(image, 30, 20, filter);
        Assert.NotSame(image.Pixels, copy.Pixels);
        Assert.Equal(image.Pixels, copy.Pixels);
    }

    [Fact]
    public void ABoxOnWholePixelsAtTheSameSizeIsACrop()
    {
        RgbImage image = TestImages.Draw(40, 30, 2);
        Assert.Equal(image.Crop(5, 6, 20, 11).Pixels, PillowResize.Resize(image, 20, 11, ResizeFilter.Bilinear, new(5, 6, 20, 11)).Pixels);
        Assert.Throws<ArgumentException>(() => PillowResize.Resize(image, 20, 11, ResizeFilter.Bilinear, new(25, 6, 20, 11)));
        Assert.Throws<ArgumentException>(() => PillowResize.Resize(image, 0, 11, ResizeFilter.Bilinear));
    }

    [Theory]
    // Offsets of torchvision 0.21: round half to even where the image is larger, floor of the padding where it is smaller.
    [InlineData(9, 4, 2), InlineData(11, 4, 4), InlineData(10, 4, 3), InlineData(4, 9, -2), InlineData(4, 4, 0)]
    public void CenterCropRoundsAsTorchvision(int side, int crop, int offset)
    {
        var columns = new RgbImage(side, side, [.. Enumerable.Range(0, side * side).SelectMany(i => Enumerable.Repeat((byte)(i % side + 1), 3))]);
        RgbImage cropped = columns.CenterCrop(crop);
        for (int x = 0; x < crop; x++)
            Assert.Equal(x + offset >= 0 && x + offset < side ? x + offset + 1 : 0, cropped.Pixels[3 * (crop * (crop / 2) + x)]);
    }
}
