using System.Buffers;
using System.Drawing;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Imaging;

/// <summary>Resampling filters, antialiased when shrinking.</summary>
public enum ResizeFilter
{
    /// <summary>Triangle, support 1.</summary>
    Bilinear,
    /// <summary>Keys' cubic with a = -0.5, support 2.</summary>
    Bicubic,
}

/// <summary>
/// Bit-exact with Pillow 11's 8-bit resampling (src/libImaging/Resample.c): weights in float64 rounded to 22-bit fixed point,
/// horizontal pass to 8 bits first, then the vertical pass. Pure functions; safe from any number of threads.
/// </summary>
public static class PillowResize
{
    internal const int PrecisionBits = 22;

    /// <summary>Pillow's <c>image.resize((width, height), filter, box)</c>.</summary>
    /// <param name="image">The image.</param>
    /// <param name="width">New width, at least 1.</param>
    /// <param name="height">New height, at least 1.</param>
    /// <param name="filter">Filter.</param>
    /// <param name="box">Part of the image to scale, in pixels, fractions allowed (the filter still sees the pixels around it); null = all.</param>
    /// <exception cref="ArgumentException">A size is below 1 or the box leaves the image.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height, ResizeFilter filter, RectangleF? box = null) =>
        Resize(image, width, height, filter, box, Avx2.IsSupported);

    /// <summary>As above, with or without vectors.</summary>
    internal static RgbImage Resize(RgbImage image, int width, int height, ResizeFilter filter, RectangleF? box, bool vectors)
    {
        RectangleF area = box ?? new(0, 0, image.Width, image.Height);
        if (width < 1 || height < 1) throw new ArgumentException($"Expected a size of at least 1 x 1, found {width} x {height}.");
        if (!(area.Left >= 0 && area.Top >= 0 && area.Right <= image.Width && area.Bottom <= image.Height && area.Width > 0 && area.Height > 0))
            throw new ArgumentException($"Expected a box inside {image.Width} x {image.Height}, found {area}.", nameof(box));
        bool horizontal = width != image.Width || area.Left != 0 || area.Right != width;
        bool vertical = height != image.Height || area.Top != 0 || area.Bottom != height;
        if (!horizontal && !vertical) return new(width, height, [.. image.Pixels]);

        byte[] target = GC.AllocateUninitializedArray<byte>(3 * width * height);
        Weights rows = Weights.Make(image.Height, area.Top, area.Bottom, height, filter);
        // Only the source rows that the vertical pass will read.
        (int first, int end) = vertical ? (rows.Start[0], rows.Start[^1] + rows.Count[^1]) : (0, height);
        byte[] between = horizontal ? ArrayPool<byte>.Shared.Rent(3 * width * (end - first) + PillowResizeAvx2.Slack) : image.Pixels;
        if (horizontal)
        {
            Weights columns = Weights.Make(image.Width, area.Left, area.Right, width, filter);
            if (vectors) PillowResizeAvx2.Horizontal(image, first, end, columns, between);
            else Horizontal(image, first, end, columns, between);
        }
        if (!vertical) between.AsSpan(0, target.Length).CopyTo(target);
        else if (vectors) VectorVertical(between, horizontal ? first : 0, 3 * width, rows, target);
        else Vertical(between, horizontal ? first : 0, 3 * width, rows, target);
        if (horizontal) ArrayPool<byte>.Shared.Return(between);
        return new(width, height, target);
    }

    /// <summary>Fixed-point weights of one axis: output i reads Count[i] inputs from Start[i] on; its weights begin at i * Stride.</summary>
    internal sealed record Weights(int[] Start, int[] Count, int[] Values, int Stride)
    {
        public static Weights Make(int inputs, double from, double to, int outputs, ResizeFilter filter)
        {
            double scale = (to - from) / outputs, filterScale = Math.Max(scale, 1), support = (filter == ResizeFilter.Bilinear ? 1.0 : 2.0) * filterScale;
            int stride = (int)Math.Ceiling(support) * 2 + 1;
            var result = new Weights(new int[outputs], new int[outputs], new int[outputs * stride], stride);
            double[] weight = new double[stride];
            double inverse = 1.0 / filterScale;
            for (int i = 0; i < outputs; i++)
            {
                double center = from + (i + 0.5) * scale, sum = 0;
                int start = Math.Max((int)(center - support + 0.5), 0), count = Math.Min((int)(center + support + 0.5), inputs) - start;
                for (int j = 0; j < count; j++)
                {
                    weight[j] = Filter((j + start - center + 0.5) * inverse, filter);
                    sum += weight[j];
                }
                (result.Start[i], result.Count[i]) = (start, count);
                for (int j = 0; j < count; j++)
                {
                    double w = (sum != 0 ? weight[j] / sum : weight[j]) * (1 << PrecisionBits);
                    result.Values[i * stride + j] = (int)(w < 0 ? w - 0.5 : w + 0.5);
                }
            }
            return result;
        }

        /// <summary>Weights of one output.</summary>
        public ReadOnlySpan<int> Taps(int output) => Values.AsSpan(output * Stride, Count[output]);

        /// <summary>Those of <paramref name="count"/> outputs from <paramref name="first"/> on.</summary>
        public Weights Middle(int first, int count) => new(Start[first..(first + count)], Count[first..(first + count)], Values[(first * Stride)..((first + count) * Stride)], Stride);

        /// <summary>
        /// The same sums over <paramref name="width"/> inputs at every output, weights of 0 among them: a window that would leave the inputs begins
        /// earlier, or at 0 where there are fewer inputs than that. So whoever reads whole windows reads nothing behind the last input.
        /// </summary>
        public Weights Windows(int inputs, int width)
        {
            var result = new Weights(new int[Start.Length], new int[Start.Length], new int[Start.Length * width], width);
            for (int i = 0; i < Start.Length; i++)
            {
                result.Start[i] = Math.Max(Math.Min(Start[i], inputs - width), 0);
                int shift = Start[i] - result.Start[i];
                result.Count[i] = shift + Count[i];
                Taps(i).CopyTo(result.Values.AsSpan(i * width + shift));
            }
            return result;
        }

        public static double Filter(double x, ResizeFilter filter)
        {
            x = Math.Abs(x);
            if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
            const double a = -0.5;
            if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
        }
    }

    private static void Horizontal(RgbImage image, int firstRow, int endRow, Weights weights, byte[] target)
    {
        for (int y = firstRow, to = 0; y < endRow; y++)
        {
            ReadOnlySpan<byte> row = image.Pixels.AsSpan(3 * y * image.Width, 3 * image.Width);
            for (int x = 0; x < weights.Start.Length; x++, to += 3)
            {
                int r = 1 << (PrecisionBits - 1), g = r, b = r, from = 3 * weights.Start[x];
                for (int k = x * weights.Stride, end = k + weights.Count[x]; k < end; k++, from += 3)
                {
                    int w = weights.Values[k];
                    r += row[from] * w;
                    g += row[from + 1] * w;
                    b += row[from + 2] * w;
                }
                (target[to], target[to + 1], target[to + 2]) = (Round(r), Round(g), Round(b));
            }
        }
    }

    private static unsafe void VectorVertical(byte[] source, int sourceFirstRow, int rowBytes, Weights weights, byte[] target)
    {
        fixed (byte* from = source, to = target) PillowResizeAvx2.Vertical(from, sourceFirstRow, rowBytes, rowBytes, weights, to, rowBytes);
    }

    private static unsafe void Vertical(byte[] source, int sourceFirstRow, int rowBytes, Weights weights, byte[] target)
    {
        fixed (byte* from = source)
            for (int y = 0, to = 0; y < weights.Start.Length; y++)
                for (int x = 0; x < rowBytes; x++, to++)
                    target[to] = Column(from + (long)(weights.Start[y] - sourceFirstRow) * rowBytes + x, rowBytes, weights.Taps(y));
    }

    internal static unsafe byte Column(byte* from, int rowBytes, ReadOnlySpan<int> taps)
    {
        int sum = 1 << (PrecisionBits - 1);
        foreach (int tap in taps)
        {
            sum += *from * tap;
            from += rowBytes;
        }
        return Round(sum);
    }

    private static byte Round(int sum) => (byte)Math.Clamp(sum >> PrecisionBits, 0, 255);
}
