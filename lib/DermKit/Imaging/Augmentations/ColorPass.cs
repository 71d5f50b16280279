using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>
/// <see cref="TensorColor"/> on the cpu, in place on one image's float planes [3, H, W] of which H * W is a multiple of
/// <see cref="CropPass.Lanes"/>: jitters that stand side by side are one pass, and what would change nothing is left out.
/// </summary>
internal static unsafe class ColorPass
{
    /// <summary>Jitters in their order, then grey.</summary>
    /// <param name="planes">In 0 to 1.</param>
    /// <param name="pixels">H * W.</param>
    /// <param name="draw">Factors and order.</param>
    public static void Apply(float* planes, int pixels, in ColorDraw draw)
    {
        Span<(Jitter Kind, float Factor)> steps = stackalloc (Jitter, float)[5];
        int count = 0;
        foreach (Jitter kind in ColorDraw.Orders[draw.Order])
        {
            float factor = draw.Of(kind);
            if (factor != ColorDraw.Neutral(kind)) steps[count++] = (kind, factor);
        }
        if (draw.Grey) steps[count++] = (Jitter.Saturation, 0);
        // Contrast needs the mean of all that comes before it.
        float mean = count > 0 && steps[0].Kind == Jitter.Contrast ? Pass(planes, pixels, [], 0, measure: true) : 0;
        for (int first = 0, next; first < count; first = next)
        {
            next = first + 1;
            while (next < count && steps[next].Kind != Jitter.Contrast) next++;
            mean = Pass(planes, pixels, steps[first..next], mean, measure: next < count);
        }
    }

    /// <summary>Solarises where asked, then subtracts each channel's mean and divides by its deviation.</summary>
    public static void Finish(float* planes, int pixels, bool solarize, ChannelValues mean, ChannelValues std)
    {
        Vector512<float> threshold = Vector512.Create(solarize ? 128 / 255f : float.PositiveInfinity), one = Vector512<float>.One;
        for (int channel = 0; channel < 3; channel++, planes += pixels)
        {
            Vector512<float> shift = Vector512.Create(channel == 0 ? mean.R : channel == 1 ? mean.G : mean.B);
            Vector512<float> scale = Vector512.Create(1 / (channel == 0 ? std.R : channel == 1 ? std.G : std.B));
            for (int i = 0; i < pixels; i += Vector512<float>.Count)
            {
                Vector512<float> x = Vector512.Load(planes + i);
                x = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(x, threshold), one - x, x);
                ((x - shift) * scale).Store(planes + i);
            }
        }
    }

    /// <summary>Returns the mean luma of the result where asked.</summary>
    private static float Pass(float* planes, int pixels, ReadOnlySpan<(Jitter Kind, float Factor)> steps, float mean, bool measure)
    {
        float* red = planes, green = planes + pixels, blue = planes + (2 * pixels);
        Vector512<double> sum = default;
        for (int i = 0; i < pixels; i += Vector512<float>.Count)
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
                (r, g, b) = (Unit(Vector512.MultiplyAddEstimate(r, own, other)), Unit(Vector512.MultiplyAddEstimate(g, own, other)), Unit(Vector512.MultiplyAddEstimate(b, own, other)));
            }
            r.Store(red + i);
            g.Store(green + i);
            b.Store(blue + i);
            if (!measure) continue;
            (Vector512<double> low, Vector512<double> high) = Vector512.Widen(Luma(r, g, b));
            sum += low + high;
        }
        return (float)(Vector512.Sum(sum) / pixels);
    }

    /// <summary>TensorColor.Hue's formula; the shift is in sixths of a turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>) Turn(Vector512<float> r, Vector512<float> g, Vector512<float> b, float shift)
    {
        Vector512<float> value = Vector512.Max(Vector512.Max(r, g), b), range = value - Vector512.Min(Vector512.Min(r, g), b);
        Vector512<float> share = Vector512<float>.One / Vector512.ConditionalSelect(Vector512.Equals(range, default), Vector512<float>.One, range);
        Vector512<float> hue = Vector512.ConditionalSelect(Vector512.Equals(value, r), (g - b) * share,
            Vector512.ConditionalSelect(Vector512.Equals(value, g), ((b - r) * share) + Vector512.Create(2f), ((r - g) * share) + Vector512.Create(4f))) + Vector512.Create(shift);
        return (Channel(hue, 5, value, range), Channel(hue, 3, value, range), Channel(hue, 1, value, range));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Channel(Vector512<float> hue, float n, Vector512<float> value, Vector512<float> range)
    {
        Vector512<float> k = hue + Vector512.Create(n);
        k -= Vector512.Floor(k * (1 / 6f)) * 6;
        return value - (Unit(Vector512.Min(k, Vector512.Create(4f) - k)) * range);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Luma(Vector512<float> r, Vector512<float> g, Vector512<float> b) => (r * 0.2989f) + (g * 0.587f) + (b * 0.114f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Unit(Vector512<float> x) => Vector512.Min(Vector512.Max(x, default), Vector512<float>.One);
}
