using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

public sealed class ImageCodecTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void PngIsLosslessAndJpegIsClose()
    {
        RgbImage image = TestImages.Draw(37, 21, 1);
        Assert.Equal(image.Pixels, ImageCodec.Decode(ImageCodec.EncodePng(image)).Pixels);
        RgbImage jpeg = ImageCodec.Decode(ImageCodec.EncodeJpeg(image, 95));
        Assert.Equal((37, 21), (jpeg.Width, jpeg.Height));
        Assert.True(jpeg.Pixels.Zip(image.Pixels, (a, b) => Math.Abs(a - b)).Average() < 6);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6),
        InlineData(7), InlineData(8)]
    public void ExifOrientationIsApplied(int orientation)
    {
        byte[] jpeg = ImageCodec.EncodeJpeg(TestImages.Draw(24, 16, 2), 90);
        RgbImage stored = ImageCodec.Decode(jpeg);
        string path = folder.Write("turned.jpg", HandMadeFiles.WithOrientation(jpeg, orientation));
        RgbImage turned = ImageCodec.Decode(path);
        (int w, int h) = orientation >= 5 ? (16, 24) : (24, 16);
        Assert.Equal((w, h), (turned.Width, turned.Height));
        Assert.Equal(new ImageHeader(w, h, "Jpeg"), ImageCodec.ReadHeader(path));
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
            {
                // Where the EXIF standard puts the visual pixel (x, y): row 0 and column 0 of the stored
                // image are named by the orientation.
                (int sx, int sy) = orientation switch
                {
                    1 => (x, y),
                    2 => (w - 1 - x, y),
                    3 => (w - 1 - x, h - 1 - y),
                    4 => (x, h - 1 - y),
                    5 => (y, x),
                    6 => (y, w - 1 - x),
                    7 => (h - 1 - y, w - 1 - x),
                    _ => (h - 1 - y, x),
                };
                Assert.Equal(stored.Pixels.AsSpan(3 * (sy * 24 + sx), 3).ToArray(),
                    turned.Pixels.AsSpan(3 * (y * w + x), 3).ToArray());
            }
    }

    [Fact]
    public void GreyIsRepeated()
    {
        Assert.Equal([7, 7, 7, 200, 200, 200], ImageCodec.Decode(HandMadeFiles.Png(2, 1, 8, 0, [7, 200])).Pixels);
        RgbImage jpeg = ImageCodec.Decode(HandMadeFiles.FlatJpeg([90], adobe: false));
        Assert.All(jpeg.Pixels, v => Assert.Equal(90, v));
    }

    [Fact]
    public void AlphaIsDropped()
    {
        Assert.Equal([10, 20, 30, 40, 50, 60],
            ImageCodec.Decode(HandMadeFiles.Png(2, 1, 8, 6, [10, 20, 30, 0, 40, 50, 60, 128])).Pixels);
        Assert.Equal([9, 9, 9, 250, 250, 250], ImageCodec.Decode(HandMadeFiles.Png(2, 1, 8, 4, [9, 0, 250, 3])).Pixels);
    }

    [Fact]
    public void PalettesAreLookedUpAndTheirTransparencyIsDropped() =>
        Assert.Equal([1, 2, 3, 200, 100, 50, 1, 2, 3],
            ImageCodec.Decode(HandMadeFiles.Png(3, 1, 8, 3, [0, 1, 0], palette: [1, 2, 3, 200, 100, 50],
                transparency: [0, 255])).Pixels);

    [Fact]
    public void SixteenBitsKeepTheHighByte()
    {
        Assert.Equal([0x12, 0xFF, 0x80],
            ImageCodec.Decode(HandMadeFiles.Png(1, 1, 16, 2, [0x12, 0xFE, 0xFF, 0x00, 0x80, 0x7F])).Pixels);
        Assert.Equal([0x12, 0x12, 0x12], ImageCodec.Decode(HandMadeFiles.Png(1, 1, 16, 0, [0x12, 0xFE])).Pixels);
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void CmykIsMultipliedOutFromAdobesInvertedValues(bool adobe)
    {
        RgbImage image = ImageCodec.Decode(HandMadeFiles.FlatJpeg([200, 100, 30, 180], adobe));
        byte[] expected = [.. new[] { 200, 100, 30 }.Select(c => (byte)Math.Round(c * 180 / 255.0))];
        Assert.Equal(expected, image.Pixels[..3]);
        Assert.Equal(expected, image.Pixels[^3..]);
    }

    [Fact]
    public void TheSizeIsReadAndCappedBeforeDecoding()
    {
        string huge = folder.Write("huge.png", HandMadeFiles.Png(60_000, 60_000, 8, 2, []));
        Assert.Equal(new ImageHeader(60_000, 60_000, "Png"), ImageCodec.ReadHeader(huge));
        Assert.Equal("declares 60000 x 60000 pixels, over the limit of 100000000",
            Assert.Throws<ImageUnreadableException>(() => ImageCodec.Decode(huge)).Reason);
        string fine = folder.Write("fine.png", ImageCodec.EncodePng(TestImages.Draw(20, 10, 3)));
        Assert.Throws<ImageUnreadableException>(() => ImageCodec.Decode(fine, new DecodeLimits(MaxPixels: 199)));
        Assert.Throws<ImageUnreadableException>(() => ImageCodec.Decode(fine, new DecodeLimits(MaxFileBytes: 50)));
        Assert.Equal(20, ImageCodec.Decode(fine, new DecodeLimits(MaxPixels: 200)).Width);
    }

    [Fact]
    public void EveryTruncationIsAnError()
    {
        RgbImage image = TestImages.Draw(60, 40, 4);
        foreach (byte[] whole in new[] { ImageCodec.EncodePng(image), ImageCodec.EncodeJpeg(image) })
        {
            ImageCodec.Decode(whole);
            // The closing bytes (JPEG's end marker, PNG's checksum of the data and its end chunk) carry no pixel.
            for (int length = 0; length < whole.Length - 40; length += 1 + length / 50)
                Assert.Throws<ImageUnreadableException>(() => ImageCodec.Decode(whole[..length]));
        }
    }

    [Fact]
    public void ErrorsNameTheFileAndTheReason()
    {
        string missing = Path.Combine(folder.Path, "missing.jpg"), text = folder.Write("text.jpg", "hello"u8.ToArray()),
            empty = folder.Write("empty.png", []);
        Assert.Equal((missing, "there is no such file"), Caught(missing));
        Assert.Equal((folder.Path, "is a folder, not a file"), Caught(folder.Path));
        Assert.Equal((empty, "the file is empty"), Caught(empty));
        Assert.StartsWith("holds no image", Caught(text).Reason);

        (string Path, string Reason) Caught(string path)
        {
            var fromDecode = Assert.Throws<ImageUnreadableException>(() => ImageCodec.Decode(path));
            Assert.Equal(fromDecode.Reason,
                Assert.Throws<ImageUnreadableException>(() => ImageCodec.ReadHeader(path)).Reason);
            return (fromDecode.Path, fromDecode.Reason);
        }
    }
}
