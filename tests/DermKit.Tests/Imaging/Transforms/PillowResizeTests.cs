using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

public sealed class PillowResizeTests
{
    [Fact]
    public void VectorsGiveTheBitsOfPillowsLoops()
    {
        var random = new Random(11);
        for (int i = 0; i < 150; i++)
        {
            RgbImage image = TestImages.Draw(random.Next(1, 130), random.Next(1, 130), i);
            // Black and white pixels make the cubic overshoot on both sides.
            if (i % 3 == 0)
                for (int k = 0; k < image.Pixels.Length; k++) image.Pixels[k] = (byte)(image.Pixels[k] > 140 ? 255 : 0);
            int width = i % 7 == 0 ? image.Width : random.Next(1, 90), height = i % 5 == 0 ? image.Height
                : random.Next(1, 90);
            ResizeFilter filter = i % 2 == 0 ? ResizeFilter.Bilinear : ResizeFilter.Bicubic;
            RgbImage across = width == image.Width ? image : Rows(image, width, filter);
            RgbImage plain = height == image.Height ? across : Transposed(Rows(Transposed(across), height, filter));
            RgbImage found = PillowResize.Resize(image, width, height, filter);
            Assert.Equal((width, height), (found.Width, found.Height));
            Assert.Equal(plain.Pixels, found.Pixels);
        }
    }

    /// <summary>Resample.c's ImagingResampleHorizontal_8bpc.</summary>
    private static RgbImage Rows(RgbImage image, int width, ResizeFilter filter)
    {
        var result = new RgbImage(width, image.Height, new byte[3 * width * image.Height]);
        double scale = (double)image.Width / width, filterScale = Math.Max(scale, 1),
            support = (filter == ResizeFilter.Bilinear ? 1 : 2) * filterScale;
        for (int x = 0; x < width; x++)
        {
            double center = (x + 0.5) * scale;
            int first = Math.Max(0, (int)(center - support + 0.5)),
                end = Math.Min(image.Width, (int)(center + support + 0.5));
            double[] weights = [.. Enumerable.Range(first, end - first)
                .Select(i => Weight((i - center + 0.5) * (1 / filterScale), filter))];
            int[] fixedPoint = [.. weights.Select(w => w / weights.Sum() * (1 << 22))
                .Select(w => (int)(w < 0 ? w - 0.5 : w + 0.5))];
            for (int y = 0; y < image.Height; y++)
                for (int channel = 0; channel < 3; channel++)
                {
                    int sum = fixedPoint.Select((w, k) => w * image.Pixels[3 * (y * image.Width + first + k) + channel])
                        .Sum() + (1 << 21);
                    result.Pixels[3 * (y * width + x) + channel] = (byte)Math.Clamp(sum >> 22, 0, 255);
                }
        }
        return result;
    }

    private static double Weight(double x, ResizeFilter filter)
    {
        x = Math.Abs(x);
        if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
        return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    }

    private static RgbImage Transposed(RgbImage image)
    {
        var result = new RgbImage(image.Height, image.Width, new byte[image.Pixels.Length]);
        for (int y = 0; y < image.Height; y++)
            for (int x = 0; x < image.Width; x++)
                image.Pixels.AsSpan(3 * (y * image.Width + x), 3)
                    .CopyTo(result.Pixels.AsSpan(3 * (x * image.Height + y)));
        return result;
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
    public void ASizeBelowOneIsRefused() =>
        Assert.Throws<ArgumentException>(() =>
            PillowResize.Resize(TestImages.Draw(40, 30, 2), 0, 11, ResizeFilter.Bilinear));

    [Theory]
    // Offsets of torchvision 0.21: round half to even where the image is larger, floor of
    // the padding where it is smaller.
    [InlineData(9, 4, 2), InlineData(11, 4, 4), InlineData(10, 4, 3), InlineData(4, 9, -2), InlineData(4, 4, 0)]
    public void CenterCropRoundsAsTorchvision(int side, int crop, int offset)
    {
        var columns = new RgbImage(side, side,
            [.. Enumerable.Range(0, side * side).SelectMany(i => Enumerable.Repeat((byte)(i % side + 1), 3))]);
        RgbImage cropped = columns.CenterCrop(crop);
        for (int x = 0; x < crop; x++)
            Assert.Equal(x + offset >= 0 && x + offset < side ? x + offset + 1 : 0,
                cropped.Pixels[3 * (crop * (crop / 2) + x)]);
    }
}
