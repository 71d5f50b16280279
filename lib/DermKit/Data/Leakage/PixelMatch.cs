using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>
/// Whether two images are the same photograph: small grey thumbnails of the middle, each pixel less the mean around it and over the deviation around it (what all images of a dark
/// spot in the middle share is gone then), turned, mirrored and shifted against each other until they agree best. Resizing, another aspect ratio, JPEG, brightness and colour change it
/// little; another crop of the photograph does.
/// </summary>
public sealed class PixelMatch
{
    private const int Side = 64, Half = Side / 2, Radius = 4, Shift = 3;
    private const double Disc = 0.42, Noise = 6;

    private readonly float[] fine, coarse;

    private PixelMatch(float[] fine, float[] coarse) => (this.fine, this.coarse) = (fine, coarse);

    /// <summary>Makes the thumbnails of an image.</summary>
    public static PixelMatch Of(RgbImage image) => new(Thumbnail(image, Side, Radius), Thumbnail(image, Half, Radius));

    /// <summary>
    /// The highest correlation (-1 to 1) over the eight ways to turn and mirror the other image and shifts of up to 5 % of the side: near 1 for copies, seldom above 0.6 for different lesions.
    /// </summary>
    public double Correlation(PixelMatch other)
    {
        // The orientation is found on a quarter of the pixels, the shift then on all.
        int best = Enumerable.Range(0, 8).MaxBy(turn => Best(coarse, Turn(other.coarse, Half, turn), Half, Shift - 1));
        return Best(fine, Turn(other.fine, Side, best), Side, Shift);
    }

    /// <summary>Grey thumbnail [side x side], normalised around each pixel within a disc, with length 1 (zeros for a flat image); also a feature row to rank candidates by where no model is at hand.</summary>
    /// <param name="image">The image; its aspect ratio is squashed to a square.</param>
    /// <param name="side">Pixels in a row.</param>
    /// <param name="radius">Half the side of the square that each pixel's mean is taken over.</param>
    internal static float[] Thumbnail(RgbImage image, int side, int radius)
    {
        byte[] rgb = PillowResize.Resize(image, side, side, ResizeFilter.Bilinear).Pixels;
        var grey = new float[side * side];
        for (int i = 0; i < grey.Length; i++) grey[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
        (double[] sums, double[] squares) = (Corner(grey, side, v => v), Corner(grey, side, v => v * v));
        var local = new float[side * side];
        double length = 0, middle = (side - 1) / 2.0;
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
            {
                // Rulers, lamps, stickers and the round frame lie at the rim, and are the same in photographs of different lesions.
                if ((y - middle) * (y - middle) + (x - middle) * (x - middle) > Disc * Disc * side * side) continue;
                int top = Math.Max(0, y - radius), left = Math.Max(0, x - radius), bottom = Math.Min(side, y + radius + 1), right = Math.Min(side, x + radius + 1);
                double Mean(double[] corner) => (corner[bottom * (side + 1) + right] - corner[top * (side + 1) + right] - corner[bottom * (side + 1) + left] + corner[top * (side + 1) + left]) / ((bottom - top) * (right - left));
                double mean = Mean(sums), deviation = Math.Sqrt(Math.Max(0, Mean(squares) - mean * mean));
                float value = local[y * side + x] = (float)((grey[y * side + x] - mean) / (deviation + Noise));
                length += value * value;
            }
        // A flat image has nothing to agree in.
        float scale = length < 1e-4 * side * side ? 0 : (float)(1 / Math.Sqrt(length));
        for (int i = 0; i < local.Length; i++) local[i] *= scale;
        return local;
    }

    /// <summary>Sums over the rectangles from the top left corner, [side + 1, side + 1].</summary>
    private static double[] Corner(float[] values, int side, Func<double, double> of)
    {
        var sums = new double[(side + 1) * (side + 1)];
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
                sums[(y + 1) * (side + 1) + x + 1] = of(values[y * side + x]) + sums[y * (side + 1) + x + 1] + sums[(y + 1) * (side + 1) + x] - sums[y * (side + 1) + x];
        return sums;
    }

    /// <summary>One of the eight ways to turn (turn mod 4 quarters) and mirror (4 and above) a square.</summary>
    internal static float[] Turn(float[] square, int side, int turn)
    {
        if (turn == 0) return square;
        var turned = new float[square.Length];
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
            {
                (int v, int u) = (turn % 4) switch { 0 => (y, x), 1 => (side - 1 - x, y), 2 => (side - 1 - y, side - 1 - x), _ => (x, side - 1 - y) };
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
                    ReadOnlySpan<float> p = a.AsSpan(y * side + from, to - from), q = b.AsSpan((y + dy) * side + from + dx, to - from);
                    for (int x = 0; x < p.Length; x++)
                    {
                        product += p[x] * q[x];
                        first += p[x] * p[x];
                        second += q[x] * q[x];
                    }
                }
                // Where one of them is flat in the part that overlaps, they agree in nothing.
                if (first > 1e-6f && second > 1e-6f) best = Math.Max(best, product / Math.Sqrt((double)first * second));
            }
        return best;
    }
}
