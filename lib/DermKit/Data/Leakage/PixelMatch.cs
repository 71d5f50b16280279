using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>Tells whether two images are one photograph: grey thumbnails of the middle are turned, mirrored and shifted
/// to the best agreement. Resizing, JPEG, brightness and colour change it little; another crop does.</summary>
internal sealed class PixelMatch
{
    private const int Side = 64, Half = Side / 2, Radius = 4, Shift = 3;
    private const double Disc = 0.42, Noise = 6;

    private readonly float[] fine, coarse;

    private PixelMatch(float[] fine, float[] coarse)
    {
        this.fine = fine;
        this.coarse = coarse;
    }

    public static PixelMatch Of(RgbImage image) => new(Thumbnail(image, Side, Radius), Thumbnail(image, Half, Radius));

    // Highest correlation (-1 to 1) over eight orientations and shifts up to 5 % of the side: near 1 for copies, seldom
    // above 0.6 for different lesions.
    public double Correlation(PixelMatch other)
    {
        // A quarter of the pixels gives the orientation, then all give the shift.
        int best = Enumerable.Range(0, 8).MaxBy(turn => Best(coarse, Turn(other.coarse, Half, turn), Half, Shift - 1));
        return Best(fine, Turn(other.fine, Side, best), Side, Shift);
    }

    // Thumbnail of length 1 (zeros if flat), in a disc; each pixel is normalised over a square of 2 radius + 1, which
    // removes what all images of a central dark spot share.
    internal static float[] Thumbnail(RgbImage image, int side, int radius)
    {
        byte[] rgb = PillowResize.Resize(image, side, side, ResizeFilter.Bilinear).Pixels;
        var grey = new float[side * side];
        for (int i = 0; i < grey.Length; i++)
            grey[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
        double[] sums = Corner(grey, side, v => v);
        double[] squares = Corner(grey, side, v => v * v);
        var local = new float[side * side];
        double length = 0, middle = (side - 1) / 2.0;
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
            {
                // Rulers, stickers and the round frame at the rim are the same for different lesions.
                if ((y - middle) * (y - middle) + (x - middle) * (x - middle) > Disc * Disc * side * side) continue;
                int top = Math.Max(0, y - radius), left = Math.Max(0, x - radius),
                    bottom = Math.Min(side, y + radius + 1), right = Math.Min(side, x + radius + 1);
                double Mean(double[] corner) =>
                    (corner[bottom * (side + 1) + right] - corner[top * (side + 1) + right]
                        - corner[bottom * (side + 1) + left] + corner[top * (side + 1) + left])
                        / ((bottom - top) * (right - left));
                double mean = Mean(sums), deviation = Math.Sqrt(Math.Max(0, Mean(squares) - mean * mean));
                float value = local[y * side + x] = (float)((grey[y * side + x] - mean) / (deviation + Noise));
                length += value * value;
            }
        float scale = length < 1e-4 * side * side ? 0 : (float)(1 / Math.Sqrt(length));
        for (int i = 0; i < local.Length; i++) local[i] *= scale;
        return local;
    }

    // Summed-area table [side + 1, side + 1].
    private static double[] Corner(float[] values, int side, Func<double, double> of)
    {
        var sums = new double[(side + 1) * (side + 1)];
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
                sums[(y + 1) * (side + 1) + x + 1] = of(values[y * side + x]) + sums[y * (side + 1) + x + 1]
                    + sums[(y + 1) * (side + 1) + x] - sums[y * (side + 1) + x];
        return sums;
    }

    // turn mod 4 quarter turns, mirrored from 4 on.
    internal static float[] Turn(float[] square, int side, int turn)
    {
        if (turn == 0) return square;
        var turned = new float[square.Length];
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
            {
                (int v, int u) = (turn % 4) switch
                {
                    0 => (y, x),
                    1 => (side - 1 - x, y),
                    2 => (side - 1 - y, side - 1 - x),
                    _ => (x, side - 1 - y)
                };
                turned[y * side + x] = square[v * side + (turn < 4 ? u : side - 1 - u)];
            }
        return turned;
    }

    private static double Best(float[] a, float[] b, int side, int shift)
    {
        double best = -1;
        for (int dy = -shift; dy <= shift; dy++)
            for (int dx = -shift; dx <= shift; dx++)
            {
                float product = 0, first = 0, second = 0;
                int from = Math.Max(0, -dx), to = side - Math.Max(0, dx);
                for (int y = Math.Max(0, -dy); y < side - Math.Max(0, dy); y++)
                {
                    ReadOnlySpan<float> p = a.AsSpan(y * side + from, to - from),
                        q = b.AsSpan((y + dy) * side + from + dx, to - from);
                    for (int x = 0; x < p.Length; x++)
                    {
                        product += p[x] * q[x];
                        first += p[x] * p[x];
                        second += q[x] * q[x];
                    }
                }
                // Where one is flat in the overlap, they agree in nothing.
                if (first > 1e-6f && second > 1e-6f) best = Math.Max(best, product / Math.Sqrt((double)first * second));
            }
        return best;
    }
}
