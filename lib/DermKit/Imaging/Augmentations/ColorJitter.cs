using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Colour changes: blends with black, with the mean luma, with the luma; a turn of the hue.</summary>
internal enum Jitter
{
    Brightness,
    Contrast,
    Saturation,
    Hue,
}

/// <summary>Brightness, contrast, saturation and hue in random order, as torchvision's ColorJitter on float tensors.
/// Factors are in 1 - x to 1 + x, hue shifts in -x to x turns.</summary>
public sealed record ColorJitter(double Brightness, double Contrast, double Saturation, double Hue) : IAugmentation
{
    internal static readonly Jitter[][] Orders = [.. from a in Enum.GetValues<Jitter>()
        from b in Enum.GetValues<Jitter>() from c in Enum.GetValues<Jitter>() from d in Enum.GetValues<Jitter>()
            where ((Jitter[])[a, b, c, d]).Distinct().Count() == 4 select (Jitter[])[a, b, c, d]];

    /// <summary>Share of images that change.</summary>
    public double Chance { get; init; } = 0.8;

    /// <inheritdoc/>
    public AugmentationStep? Draw(ref ImageRandom random)
    {
        bool jitter = random.Uniform() < Chance;
        float brightness = Around(ref random, 1, Brightness);
        float contrast = Around(ref random, 1, Contrast);
        float saturation = Around(ref random, 1, Saturation);
        float[] factors = [brightness, contrast, saturation, Around(ref random, 0, Hue)];
        if (!jitter) return null;
        return (view, ref later) =>
        {
            Span<(Jitter Kind, float Factor)> steps = stackalloc (Jitter, float)[4];
            int count = 0;
            foreach (Jitter kind in Orders[later.Integer(Orders.Length)])
                if (factors[(int)kind] != (kind == Jitter.Hue ? 0 : 1)) steps[count++] = (kind, factors[(int)kind]);
            Apply(view, steps[..count]);
        };
    }

    // In order; neighbours share one pass over the pixels.
    internal static void Apply(ViewPlanes view, ReadOnlySpan<(Jitter Kind, float Factor)> steps)
    {
        // Contrast needs the mean of all that comes before it.
        float mean = steps.Length > 0 && steps[0].Kind == Jitter.Contrast ? Pass(view, [], 0, measure: true) : 0;
        for (int first = 0, next; first < steps.Length; first = next)
        {
            next = first + 1;
            while (next < steps.Length && steps[next].Kind != Jitter.Contrast) next++;
            mean = Pass(view, steps[first..next], mean, measure: next < steps.Length);
        }
    }

    // Returns the result's mean luma if measured.
    private static unsafe float Pass(ViewPlanes view, ReadOnlySpan<(Jitter Kind, float Factor)> steps, float mean,
        bool measure)
    {
        float* red = view[0], green = view[1], blue = view[2];
        Vector512<double> sum = default;
        for (int i = 0; i < view.Pixels; i += ViewPlanes.Lanes)
        {
            Vector512<float> r = Vector512.Load(red + i), g = Vector512.Load(green + i), b = Vector512.Load(blue + i);
            foreach ((Jitter kind, float factor) in steps)
            {
                if (kind == Jitter.Hue)
                {
                    (r, g, b) = Turn(r, g, b, factor * 6);
                    continue;
                }
                Vector512<float> other = kind switch
                {
                    Jitter.Brightness => default,
                    Jitter.Contrast => Vector512.Create(mean * (1 - factor)),
                    _ => Luma(r, g, b) * (1 - factor),
                };
                Vector512<float> own = Vector512.Create(factor);
                r = Unit(Vector512.MultiplyAddEstimate(r, own, other));
                g = Unit(Vector512.MultiplyAddEstimate(g, own, other));
                b = Unit(Vector512.MultiplyAddEstimate(b, own, other));
            }
            r.Store(red + i);
            g.Store(green + i);
            b.Store(blue + i);
            if (!measure) continue;
            Vector512<float> luma = Luma(r, g, b);
            if (i + ViewPlanes.Lanes > view.Pixels)
                luma &= Vector512.LessThan(Vector512<float>.Indices, Vector512.Create((float)(view.Pixels - i)));
            (Vector512<double> low, Vector512<double> high) = Vector512.Widen(luma);
            sum += low + high;
        }
        return (float)(Vector512.Sum(sum) / view.Pixels);
    }

    private static float Around(ref ImageRandom random, double centre, double spread) =>
        (float)random.Uniform(centre - spread, centre + spread);

    // Shifts the hue in HSV, by sixths of a turn; grey stays grey.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>) Turn(Vector512<float> r, Vector512<float> g,
        Vector512<float> b, float shift)
    {
        Vector512<float> value = Vector512.Max(Vector512.Max(r, g), b);
        Vector512<float> range = value - Vector512.Min(Vector512.Min(r, g), b);
        Vector512<float> share = Vector512<float>.One
            / Vector512.ConditionalSelect(Vector512.Equals(range, default), Vector512<float>.One, range);
        Vector512<float> hue = Vector512.ConditionalSelect(Vector512.Equals(value, r), (g - b) * share,
            Vector512.ConditionalSelect(Vector512.Equals(value, g), ((b - r) * share) + Vector512.Create(2f),
                ((r - g) * share) + Vector512.Create(4f))) + Vector512.Create(shift);
        return (Channel(hue, 5, value, range), Channel(hue, 3, value, range), Channel(hue, 1, value, range));
    }

    // value - range * clamp(min(k, 4 - k), 0, 1), k = (n + hue) mod 6: six sectors of HSV; n = 5, 3, 1 for R, G, B.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Channel(Vector512<float> hue, float n, Vector512<float> value,
        Vector512<float> range)
    {
        Vector512<float> k = hue + Vector512.Create(n);
        k -= Vector512.Floor(k * (1 / 6f)) * 6;
        return value - (Unit(Vector512.Min(k, Vector512.Create(4f) - k)) * range);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Luma(Vector512<float> r, Vector512<float> g, Vector512<float> b) =>
        (r * 0.2989f) + (g * 0.587f) + (b * 0.114f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Unit(Vector512<float> x) =>
        Vector512.Min(Vector512.Max(x, default), Vector512<float>.One);
}
