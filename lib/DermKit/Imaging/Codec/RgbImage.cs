namespace DermKit.Imaging;

/// <summary>An 8-bit RGB image in memory, height x width x 3, row by row.</summary>
[TypeFormatterSource(typeof(RgbImageFormatterSource), PreferredMimeTypes = ["text/html", "text/plain"])]
public sealed class RgbImage
{
    /// <summary>Takes the pixels as they are, without a copy.</summary>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="pixels">R, G, B of each pixel; 3 x width x height bytes.</param>
    /// <exception cref="ArgumentException">The sizes do not match the number of bytes.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        if (width < 1 || height < 1 || pixels.LongLength != 3L * width * height)
            throw new ArgumentException($"Expected 3 x {width} x {height} bytes with both sizes at least 1, found {pixels.LongLength}.", nameof(pixels));
        (Width, Height, Pixels) = (width, height, pixels);
    }

    /// <summary>Pixels in a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>R, G, B of each pixel, row by row.</summary>
    public byte[] Pixels { get; }

    /// <summary>The pixels as planes [3, H, W].</summary>
    /// <param name="planes">At least 3 x W x H bytes.</param>
    internal void ToPlanes(Span<byte> planes)
    {
        int plane = Width * Height;
        ReadOnlySpan<byte> pixels = Pixels;
        Span<byte> r = planes[..plane], g = planes.Slice(plane, plane), b = planes.Slice(2 * plane, plane);
        for (int i = 0, from = 0; i < plane; i++, from += 3) (r[i], g[i], b[i]) = (pixels[from], pixels[from + 1], pixels[from + 2]);
    }

    /// <summary>A copy of the rectangle; parts outside the image are black, as torchvision's crop pads.</summary>
    /// <exception cref="ArgumentException">A size is below 1.</exception>
    public RgbImage Crop(int left, int top, int width, int height)
    {
        var result = new RgbImage(width, height, new byte[3 * width * height]);
        int first = Math.Max(left, 0), count = Math.Min(left + width, Width) - first;
        if (count > 0)
            for (int y = Math.Max(top, 0); y < Math.Min(top + height, Height); y++)
                Pixels.AsSpan(3 * (y * Width + first), 3 * count).CopyTo(result.Pixels.AsSpan(3 * ((y - top) * width + first - left)));
        return result;
    }

    /// <summary>torchvision's CenterCrop: offsets are rounded half to even; an image smaller than the crop is padded with black.</summary>
    /// <param name="size">Side of the square, in pixels.</param>
    public RgbImage CenterCrop(int size)
    {
        return size == Width && size == Height ? this : Crop(CropOffset(Width, size), CropOffset(Height, size), size, size);
    }

    /// <summary>Where a centred crop begins. An odd margin is split differently where the image is too small: padding takes the floor, cropping rounds to even.</summary>
    internal static int CropOffset(int length, int size) => length < size ? -((size - length) / 2) : (int)Math.Round((length - size) / 2.0, MidpointRounding.ToEven);
}
