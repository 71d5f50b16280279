using System.Buffers;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Gaussian blur with reflected borders, as torchvision's gaussian_blur, on a share of the images. Sigma is
/// uniform from <paramref name="MaxSigma"/> / 20 to MaxSigma pixels.</summary>
public sealed record GaussianBlur(double Chance, double MaxSigma) : IAugmentation
{
    /// <inheritdoc/>
    public AugmentationStep? Draw(ref ImageRandom random)
    {
        bool blur = random.Uniform() < Chance;
        float sigma = (float)random.Uniform(MaxSigma / 20, MaxSigma);
        return blur ? (view, ref _) => Apply(view, sigma, Reach(view.Side)) : null;
    }

    // Three of the largest sigmas; further taps, such as the 23 of SimCLR's code for sigma 2, weigh under 0.3 %.
    private int Reach(int side) => (int)Math.Min((long)Math.Ceiling(3 * MaxSigma), side / 2);

    // Sigma in pixels, above 0; half: taps on each side, at most half of the view's side.
    internal static unsafe void Apply(ViewPlanes view, float sigma, int half)
    {
        Span<float> taps = stackalloc float[half + 1];
        double sum = 0;
        for (int i = 0; i <= half; i++)
        {
            double position = i / sigma;
            double weight = Math.Exp(-0.5 * position * position);
            taps[i] = (float)weight;
            sum += i == 0 ? weight : 2 * weight;
        }
        for (int i = 0; i <= half; i++) taps[i] = (float)(taps[i] / sum);
        // Weights below rounding need no pass.
        while (half > 0 && taps[half] < 1e-9f) half--;
        if (half == 0) return;
        int size = view.Side, padded = size + (2 * half);
        float[] scratch = ArrayPool<float>.Shared.Rent(((padded + 1) * size) + (2 * half) + (2 * ViewPlanes.Lanes));
        fixed (float* tall = scratch, weights = taps)
            for (int channel = 0; channel < 3; channel++)
            {
                // A copy with reflected rows above and below is blurred into the plane; then each row is blurred.
                float* plane = view[channel], row = tall + (padded * size);
                for (int y = 0; y < padded; y++)
                    new ReadOnlySpan<float>(plane + (Reflected(y - half, size) * size), size)
                        .CopyTo(new Span<float>(tall + (y * size), size));
                for (int y = 0; y < size; y++)
                {
                    Sums(tall + ((y + half) * size), size, weights, half, size, row + half);
                    for (int x = 0; x < half; x++)
                    {
                        row[x] = row[(2 * half) - x];
                        row[half + size + x] = row[half + size - 2 - x];
                    }
                    Sums(row + half, 1, weights, half, size, plane + (y * size));
                }
            }
        ArrayPool<float>.Shared.Return(scratch);
    }

    private static unsafe void Sums(float* centre, int stride, float* taps, int half, int count, float* target)
    {
        for (int x = 0; x < count; x += ViewPlanes.Lanes)
        {
            float* at = centre + x;
            Vector512<float> sum = Vector512.Load(at) * taps[0];
            for (int i = 1, offset = stride; i <= half; i++, offset += stride)
                sum = Vector512.MultiplyAddEstimate(Vector512.Load(at - offset) + Vector512.Load(at + offset),
                    Vector512.Create(taps[i]), sum);
            sum.Store(target + x);
        }
    }

    private static int Reflected(int i, int size) => size - 1 - Math.Abs(size - 1 - Math.Abs(i));
}
