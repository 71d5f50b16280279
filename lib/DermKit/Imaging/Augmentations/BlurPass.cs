using System.Buffers;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Gaussian blur of one image's square float planes, in place; their side is a multiple of 16.</summary>
internal static unsafe class BlurPass
{
    /// <summary>A sampled Gaussian along columns and rows, borders reflected.</summary>
    /// <param name="planes">[3, size, size].</param>
    /// <param name="size">Side in pixels.</param>
    /// <param name="sigma">Standard deviation in pixels, above 0.</param>
    /// <param name="half">Most taps on each side, at most half of <paramref name="size"/>.</param>
    public static void Apply(float* planes, int size, float sigma, int half)
    {
        Span<float> taps = stackalloc float[half + 1];
        double sum = 0;
        for (int i = 0; i <= half; i++)
        {
            double position = i / sigma, weight = Math.Exp(-0.5 * position * position);
            taps[i] = (float)weight;
            sum += i == 0 ? weight : 2 * weight;
        }
        for (int i = 0; i <= half; i++) taps[i] = (float)(taps[i] / sum);
        // What rounding swallows is not worth a pass.
        while (half > 0 && taps[half] < 1e-9f) half--;
        if (half == 0) return;
        int padded = size + (2 * half);
        float[] scratch = ArrayPool<float>.Shared.Rent((padded + 1) * size + (2 * half));
        fixed (float* tall = scratch, weights = taps)
            for (int plane = 0; plane < 3; plane++, planes += size * size)
            {
                // A copy with reflected rows above and below, blurred back into the plane row by row, then each row by itself.
                float* row = tall + (padded * size);
                for (int y = 0; y < padded; y++) new ReadOnlySpan<float>(planes + (Reflected(y - half, size) * size), size).CopyTo(new Span<float>(tall + (y * size), size));
                for (int y = 0; y < size; y++)
                {
                    float* target = planes + (y * size), wide = row;
                    Sums(tall + ((y + half) * size), size, weights, half, size, wide + half);
                    for (int x = 0; x < half; x++) (wide[x], wide[half + size + x]) = (wide[(2 * half) - x], wide[half + size - 2 - x]);
                    Sums(wide + half, 1, weights, half, size, target);
                }
            }
        ArrayPool<float>.Shared.Return(scratch);
    }

    /// <summary>Sums of neighbours at multiples of the stride on both sides.</summary>
    private static void Sums(float* centre, int stride, float* taps, int half, int count, float* target)
    {
        for (int x = 0; x < count; x += Vector512<float>.Count)
        {
            float* at = centre + x;
            Vector512<float> sum = Vector512.Load(at) * taps[0];
            for (int i = 1, offset = stride; i <= half; i++, offset += stride)
                sum = Vector512.MultiplyAddEstimate(Vector512.Load(at - offset) + Vector512.Load(at + offset), Vector512.Create(taps[i]), sum);
            sum.Store(target + x);
        }
    }

    private static int Reflected(int i, int size) => size - 1 - Math.Abs(size - 1 - Math.Abs(i));
}
