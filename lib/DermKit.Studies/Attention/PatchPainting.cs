using DermKit.Imaging;

namespace DermKit.Studies;

/// <summary>Draws a weight or a colour for each patch as a square; nothing is known at a finer scale.</summary>
internal static class PatchPainting
{
    // The image in grey, coloured from dark to yellow by weights [row, column] above 0.
    internal static RgbImage Heat(RgbImage image, double[,] weights)
    {
        double most = Math.Max(weights.Cast<double>().Max(), double.Epsilon);
        return Paint(image.Width, image.Height, weights.GetLength(0), weights.GetLength(1), (pixel, row, column) =>
        {
            ReadOnlySpan<byte> p = image.Pixels.AsSpan(pixel, 3);
            double grey = 0.55 * (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]);
            double share = weights[row, column] / most;
            return (Mix(grey, 255, share), Mix(grey, 214, share), Mix(grey, 40, share));
        });
    }

    // Enlarges pixels to squares; side is the new width in pixels, the aspect ratio stays.
    internal static RgbImage Enlarge(RgbImage patches, int side)
    {
        int height = Math.Max(1, side * patches.Height / patches.Width);
        return Paint(side, height, patches.Height, patches.Width, (_, row, column) =>
        {
            ReadOnlySpan<byte> p = patches.Pixels.AsSpan(3 * (row * patches.Width + column), 3);
            return (p[0], p[1], p[2]);
        });
    }

    private static RgbImage Paint(
        int width, int height, int rows, int columns, Func<int, int, int, (byte R, byte G, byte B)> color)
    {
        byte[] pixels = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                int at = 3 * (y * width + x);
                (pixels[at], pixels[at + 1], pixels[at + 2]) = color(at, y * rows / height, x * columns / width);
            }
        return new(width, height, pixels);
    }

    private static byte Mix(double from, double to, double share) => (byte)Math.Round(from + (to - from) * share);
}
