using System.Buffers;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>
/// <see cref="TensorCrop"/> on the cpu: a box of an 8-bit image scaled to float planes in vectors. Both passes are sums of whole rows,
/// because the image is held as columns for the first one.
/// </summary>
internal static unsafe class CropPass
{
    /// <summary>Sides of a view must be a multiple of this.</summary>
    public static int Lanes => Vector512<float>.Count;

    private static readonly float[] Units = [.. Enumerable.Range(0, 256).Select(i => i / 255f)];

    /// <summary>Floats that <see cref="Columns"/> writes and that may be read behind them.</summary>
    public static int ColumnsLength(int height, int width) => (3 * height * width) + Lanes;

    /// <summary>8-bit planes [3, H, W] in the upper left corner of larger ones to columns [3, W, H] in 0 to 1.</summary>
    public static void Columns(byte* planes, (int Width, int Height) room, int height, int width, float* columns)
    {
        const int Tile = 16;
        fixed (float* units = Units)
            for (int plane = 0; plane < 3; plane++, planes += room.Height * room.Width, columns += height * width)
                for (int top = 0; top < height; top += Tile)
                    for (int x = 0; x < width; x++)
                        for (int y = top, end = Math.Min(top + Tile, height); y < end; y++) columns[(x * height) + y] = units[planes[(y * room.Width) + x]];
    }

    /// <summary>Antialiased resize of a box, cut to 0 to 1.</summary>
    /// <param name="columns">From <see cref="Columns"/>.</param>
    /// <param name="height">Of the image.</param>
    /// <param name="width">Of the image.</param>
    /// <param name="box">Inside the image.</param>
    /// <param name="size">Side of the view.</param>
    /// <param name="filter">Filter.</param>
    /// <param name="flip">Mirrors the view left to right.</param>
    /// <param name="view">[3, size, size].</param>
    public static void Resize(float* columns, int height, int width, CropBox box, int size, ResizeFilter filter, bool flip, float* view)
    {
        int padded = (box.Height + Lanes - 1) / Lanes * Lanes;
        Taps across = Taps.Make(box.Width, size, filter), down = Taps.Make(box.Height, size, filter);
        float[] scratch = ArrayPool<float>.Shared.Rent(2 * padded * size);
        fixed (float* narrow = scratch)
            for (int plane = 0; plane < 3; plane++)
            {
                float* rows = narrow + (padded * size);
                Combine(columns + (plane * height * width) + (box.Left * height) + box.Top, height, across, narrow, padded, padded, flip);
                Transpose(narrow, size, padded, rows);
                float* target = view + (plane * size * size);
                Combine(rows, size, down, target, size, size, mirror: false);
            }
        ArrayPool<float>.Shared.Return(scratch);
        for (int i = 0; i < 3 * size * size; i += Lanes) Vector512.Min(Vector512.Max(Vector512.Load(view + i), default), Vector512<float>.One).Store(view + i);
    }

    /// <summary>Row i of the target is the sum of the source's rows that the taps of i name, or of those of the mirrored i.</summary>
    private static void Combine(float* source, int sourceStride, Taps taps, float* target, int targetStride, int count, bool mirror)
    {
        fixed (float* weights = taps.Weights)
            for (int i = 0; i < taps.Start.Length; i++)
            {
                float* from = source + (taps.Start[i] * sourceStride), weight = weights + (i * taps.Stride), to = target + ((mirror ? taps.Start.Length - 1 - i : i) * targetStride);
                int n = taps.Count[i];
                for (int x = 0; x < count; x += Lanes)
                {
                    Vector512<float> sum = default;
                    float* row = from + x;
                    for (int k = 0; k < n; k++, row += sourceStride) sum = Vector512.MultiplyAddEstimate(Vector512.Load(row), Vector512.Create(weight[k]), sum);
                    sum.Store(to + x);
                }
            }
    }

    /// <summary>[rows, columns] to [columns, rows].</summary>
    private static void Transpose(float* source, int rows, int columns, float* target)
    {
        const int Tile = 16;
        for (int top = 0; top < rows; top += Tile)
            for (int x = 0; x < columns; x++)
            {
                float* to = target + (x * rows) + top, from = source + (top * columns) + x;
                for (int y = 0; y < Tile; y++, from += columns) to[y] = *from;
            }
    }

    /// <summary>Normalised weights of one axis: output i reads Count[i] inputs from Start[i] on; its weights begin at i * Stride.</summary>
    private sealed record Taps(int[] Start, int[] Count, float[] Weights, int Stride)
    {
        public static Taps Make(int inputs, int outputs, ResizeFilter filter)
        {
            double scale = (double)inputs / outputs, filterScale = Math.Max(scale, 1), support = (filter == ResizeFilter.Bilinear ? 1.0 : 2.0) * filterScale;
            int stride = ((int)Math.Ceiling(support) * 2) + 1;
            var taps = new Taps(new int[outputs], new int[outputs], new float[outputs * stride], stride);
            Span<double> weight = stackalloc double[stride];
            for (int i = 0; i < outputs; i++)
            {
                double center = (i + 0.5) * scale, sum = 0;
                int start = Math.Max((int)(center - support + 0.5), 0), count = Math.Min((int)(center + support + 0.5), inputs) - start;
                for (int k = 0; k < count; k++) sum += weight[k] = PillowResize.Weights.Filter((k + start - center + 0.5) / filterScale, filter);
                (taps.Start[i], taps.Count[i]) = (start, count);
                for (int k = 0; k < count; k++) taps.Weights[(i * stride) + k] = (float)(weight[k] / sum);
            }
            return taps;
        }
    }
}
