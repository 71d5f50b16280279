namespace DermKit.Imaging;

/// <summary>An 8-bit RGB image, height x width x 3, row by row.</summary>
[TypeFormatterSource]
public sealed class RgbImage : IRichOutput
{
    /// <summary>Takes R, G, B of each pixel, 3 x width x height bytes, without a copy.</summary>
    /// <exception cref="ArgumentException">The sizes do not match the bytes.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        if (width < 1 || height < 1 || pixels.LongLength != 3L * width * height)
            throw new ArgumentException($"Expected 3 x {width} x {height} bytes with both sizes at least 1, "
                + $"found {pixels.LongLength}.", nameof(pixels));
        Width = width;
        Height = height;
        Pixels = pixels;
    }

    /// <summary>Width in pixels.</summary>
    public int Width { get; }

    /// <summary>Height in pixels.</summary>
    public int Height { get; }

    /// <summary>R, G, B of each pixel, row by row.</summary>
    public byte[] Pixels { get; }

    string IRichOutput.ToHtml() =>
        $"<img src=\"data:image/png;base64,{Convert.ToBase64String(ImageCodec.EncodePng(this))}\" width=\"{Width}\" "
        + $"height=\"{Height}\" style=\"max-width:100%;height:auto\" alt=\"{((IRichOutput)this).ToPlain()}\">";

    string IRichOutput.ToPlain() => $"Image of {Width} x {Height} pixels";

    // [3, H, W].
    internal void ToPlanes(Span<byte> planes)
    {
        int plane = Width * Height;
        ReadOnlySpan<byte> pixels = Pixels;
        Span<byte> r = planes[..plane], g = planes.Slice(plane, plane), b = planes.Slice(2 * plane, plane);
        for (int i = 0, from = 0; i < plane; i++, from += 3)
            (r[i], g[i], b[i]) = (pixels[from], pixels[from + 1], pixels[from + 2]);
    }

    /// <summary>A copy of the rectangle; parts outside are black, as torchvision's crop pads.</summary>
    public RgbImage Crop(int left, int top, int width, int height)
    {
        var result = new RgbImage(width, height, new byte[3 * width * height]);
        int first = Math.Max(left, 0), count = Math.Min(left + width, Width) - first;
        if (count > 0)
            for (int y = Math.Max(top, 0); y < Math.Min(top + height, Height); y++)
                Pixels.AsSpan(3 * (y * Width + first), 3 * count)
                    .CopyTo(result.Pixels.AsSpan(3 * ((y - top) * width + first - left)));
        return result;
    }

    /// <summary>torchvision's CenterCrop: offsets round half to even; a smaller image is padded with black.</summary>
    public RgbImage CenterCrop(int size) => size == Width && size == Height ? this
        : Crop(CropOffset(Width, size), CropOffset(Height, size), size, size);

    // An odd margin takes the floor when padding, rounds to even when cropping.
    internal static int CropOffset(int length, int size) => length < size ? -((size - length) / 2)
        : (int)Math.Round((length - size) / 2.0, MidpointRounding.ToEven);
}
