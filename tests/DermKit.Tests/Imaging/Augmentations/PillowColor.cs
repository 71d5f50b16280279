using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

/// <summary>
/// Colour operations on 8 bits, exact with torchvision over Pillow 11 (ImageEnhance,
/// Image.convert, ImageOps, ImageFilter).
/// Each returns a new image and rounds to 8 bits, as Pillow does between the steps of a chain.
/// </summary>
internal static class PillowColor
{
    /// <summary>ImageEnhance.Brightness: blend with black.</summary>
    /// <param name="image">The image.</param>
    /// <param name="factor">0 black, 1 unchanged; at least 0.</param>
    public static RgbImage Brightness(RgbImage image, float factor) =>
        Map(image, Enumerable.Range(0, 256).Select(v => Blend(0, v, factor)));

    /// <summary>ImageEnhance.Contrast: blend with the mean luma of the image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="factor">0 flat grey, 1 unchanged; at least 0.</param>
    public static RgbImage Contrast(RgbImage image, float factor)
    {
        long sum = 0;
        for (int i = 0; i < image.Pixels.Length; i += 3) sum += Luma(image.Pixels, i);
        int mean = (int)((double)sum / (image.Pixels.Length / 3) + 0.5);
        return Map(image, Enumerable.Range(0, 256).Select(v => Blend(mean, v, factor)));
    }

    /// <summary>ImageEnhance.Color: blend of each pixel with its luma.</summary>
    /// <param name="image">The image.</param>
    /// <param name="factor">0 grey, 1 unchanged; at least 0.</param>
    public static RgbImage Saturation(RgbImage image, float factor)
    {
        byte[] from = image.Pixels, to = new byte[from.Length];
        for (int i = 0; i < from.Length; i += 3)
        {
            int luma = Luma(from, i);
            (to[i], to[i + 1], to[i + 2]) = (Blend(luma, from[i], factor), Blend(luma, from[i + 1], factor),
                Blend(luma, from[i + 2], factor));
        }
        return new(image.Width, image.Height, to);
    }

    /// <summary>torchvision's adjust_hue on a PIL image: the hue byte of Pillow's HSV is shifted by int(255
    /// * shift), modulo 256.</summary>
    /// <param name="image">The image.</param>
    /// <param name="shift">-0.5 to 0.5, in turns.</param>
    public static RgbImage Hue(RgbImage image, double shift)
    {
        byte add = unchecked((byte)(int)(shift * 255));
        byte[] from = image.Pixels, to = new byte[from.Length];
        for (int i = 0; i < from.Length; i += 3)
        {
            (byte h, byte s, byte v) = ToHsv(from[i], from[i + 1], from[i + 2]);
            (to[i], to[i + 1], to[i + 2]) = ToRgb(unchecked((byte)(h + add)), s, v);
        }
        return new(image.Width, image.Height, to);
    }

    /// <summary>ITU-R 601-2 luma in all three channels.</summary>
    public static RgbImage Grayscale(RgbImage image)
    {
        byte[] from = image.Pixels, to = new byte[from.Length];
        for (int i = 0; i < from.Length; i += 3) to[i] = to[i + 1] = to[i + 2] = (byte)Luma(from, i);
        return new(image.Width, image.Height, to);
    }

    /// <summary>ImageOps.solarize: values from <paramref name="threshold"/> up are inverted.</summary>
    public static RgbImage Solarize(RgbImage image, int threshold = 128) =>
        Map(image, Enumerable.Range(0, 256).Select(v => (byte)(v < threshold ? v : 255 - v)));

    /// <summary>Mirror image, left to right.</summary>
    public static RgbImage FlipHorizontal(RgbImage image)
    {
        byte[] from = image.Pixels, to = new byte[from.Length];
        for (int row = 0; row < from.Length; row += 3 * image.Width)
            for (int i = row, j = row + 3 * (image.Width - 1); j >= row; i += 3, j -= 3)
                (to[i], to[i + 1], to[i + 2]) = (from[j], from[j + 1], from[j + 2]);
        return new(image.Width, image.Height, to);
    }

    /// <summary>Image.blend in float32: truncates inside 0 to 1, truncates and clips outside.</summary>
    private static byte Blend(int degenerate, int value, float factor) =>
        (byte)Math.Clamp(degenerate + factor * (value - degenerate), 0f, 255f);

    private static int Luma(byte[] rgb, int i) =>
        (rgb[i] * 19595 + rgb[i + 1] * 38470 + rgb[i + 2] * 7471 + 0x8000) >> 16;

    private static RgbImage Map(RgbImage image, IEnumerable<byte> values)
    {
        byte[] table = [.. values], to = new byte[image.Pixels.Length];
        for (int i = 0; i < to.Length; i++) to[i] = table[image.Pixels[i]];
        return new(image.Width, image.Height, to);
    }

    private static (byte H, byte S, byte V) ToHsv(byte r, byte g, byte b)
    {
        byte max = Math.Max(r, Math.Max(g, b)), min = Math.Min(r, Math.Min(g, b));
        if (max == min) return (0, 0, max);
        // Pillow mixes float variables with double literals; the widths of the
        // intermediate results decide the last bit.
        float range = max - min, s = range / max, rc = (max - r) / range, gc = (max - g) / range,
            bc = (max - b) / range;
        float h = r == max ? bc - gc : (float)(g == max ? 2.0 + rc - bc : 4.0 + gc - rc);
        double turns = h / 6.0 + 1.0;
        h = (float)(turns >= 1 ? turns - 1 : turns);
        return ((byte)(h * 255.0), (byte)(s * 255.0), max);
    }

    private static (byte R, byte G, byte B) ToRgb(byte h, byte s, byte v)
    {
        if (s == 0) return (v, v, v);
        int sector = (int)((float)h * 6.0 / 255.0);
        float f = (float)((float)h * 6.0 / 255.0 - sector), fs = (float)(s / 255.0);
        byte p = Round(v * (1.0 - fs)), q = Round(v * (1.0 - fs * f)), t = Round(v * (1.0 - fs * (1.0 - f)));
        return (sector % 6) switch
        {
            0 => (v, t, p),
            1 => (q, v, p),
            2 => (p, v, t),
            3 => (p, q, v),
            4 => (t, p, v),
            _ => (v, p, q),
        };
        static byte Round(double value) => (byte)(float)Math.Floor(value + 0.5);
    }
}
