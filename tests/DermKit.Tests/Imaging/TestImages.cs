using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

/// <summary>Images drawn from formulas.</summary>
internal static class TestImages
{
    /// <summary>Smooth colours with a blob and some noise; different for each seed.</summary>
    public static RgbImage Draw(int width, int height, int seed)
    {
        var random = new Random(seed);
        byte[] pixels = new byte[3 * width * height];
        double cx = width * random.NextDouble(), cy = height * random.NextDouble(), radius = (width + height) / 6.0;
        for (int y = 0, i = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                bool inside = Math.Pow(x - cx, 2) + Math.Pow(y - cy, 2) < radius * radius;
                pixels[i++] = (byte)((inside ? 90 : 200) + 30.0 * x / width + random.Next(20));
                pixels[i++] = (byte)((inside ? 50 : 150) + 30.0 * y / height + random.Next(20));
                pixels[i++] = (byte)((inside ? 40 : 130) + random.Next(20));
            }
        return new(width, height, pixels);
    }
}
