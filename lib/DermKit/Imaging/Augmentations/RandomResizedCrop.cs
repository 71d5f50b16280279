namespace DermKit.Imaging;

/// <summary>A rectangle of an image, in pixels.</summary>
public readonly record struct CropBox(int Top, int Left, int Height, int Width)
{
    /// <summary>The same part at another image size, at least one pixel.</summary>
    public CropBox Scaled((int Width, int Height) from, (int Width, int Height) to)
    {
        if (from == to) return this;
        (int top, int height) = Axis(Top, Height, from.Height, to.Height);
        (int left, int width) = Axis(Left, Width, from.Width, to.Width);
        return new(top, left, height, width);

        static (int, int) Axis(int start, int length, int from, int to)
        {
            int first = Math.Min((int)Math.Round((double)start * to / from), to - 1),
                end = (int)Math.Round((double)(start + length) * to / from);
            return (first, Math.Max(end - first, 1));
        }
    }
}

/// <summary>Draws that depend only on (seed, epoch, image id, view); SplitMix64.</summary>
public struct ImageRandom
{
    private ulong state;

    /// <summary>Starts the sequence of a view of an image in an epoch.</summary>
    public ImageRandom(long seed, int epoch, long imageId, int view = 0)
    {
        foreach (long part in (ReadOnlySpan<long>)[seed, epoch, imageId, view])
            state = RandomStream.Next(state, part);
    }

    /// <summary>Uniform in [from, to).</summary>
    public double Uniform(double from = 0, double to = 1) =>
        from + (to - from) * ((Next() >> 11) * (1.0 / (1UL << 53)));

    /// <summary>Uniform in [0, count).</summary>
    public int Integer(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    private ulong Next() => RandomStream.Mix(state += RandomStream.Step);
}

/// <summary>torchvision's RandomResizedCrop.get_params: a box of a random share of the area and aspect ratio, or, after
/// ten tries that do not fit, the largest central one.</summary>
public sealed record RandomResizedCrop(double MinScale = 0.08, double MaxScale = 1.0)
{
    /// <summary>Smallest width / height.</summary>
    public double MinRatio { get; init; } = 3.0 / 4;

    /// <summary>Largest width / height.</summary>
    public double MaxRatio { get; init; } = 4.0 / 3;

    /// <summary>Draws a box in an image of this size.</summary>
    public CropBox Draw(int width, int height, ref ImageRandom random)
    {
        double area = (double)width * height;
        for (int attempt = 0; attempt < 10; attempt++)
        {
            double target = area * random.Uniform(MinScale, MaxScale),
                aspect = Math.Exp(random.Uniform(Math.Log(MinRatio), Math.Log(MaxRatio)));
            int w = (int)Math.Round(Math.Sqrt(target * aspect)), h = (int)Math.Round(Math.Sqrt(target / aspect));
            if (w > 0 && w <= width && h > 0 && h <= height)
                return new(random.Integer(height - h + 1), random.Integer(width - w + 1), h, w);
        }
        double ratio = (double)width / height;
        int bestWidth = ratio > MaxRatio ? (int)Math.Round(height * MaxRatio) : width;
        int bestHeight = ratio < MinRatio ? (int)Math.Round(width / MinRatio) : height;
        return new((height - bestHeight) / 2, (width - bestWidth) / 2, bestHeight, bestWidth);
    }
}
