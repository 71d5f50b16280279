using System.Buffers;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>torchvision's resized_crop(antialias=True) on float tensors. Columns in the first pass make both passes
/// sums of whole rows.</summary>
internal static unsafe class ResizedCrop
{
    private static readonly float[] Units = [.. Enumerable.Range(0, 256).Select(i => i / 255f)];

    public static int ColumnsLength(int height, int width) => (3 * height * width) + ViewPlanes.Lanes;

    // Bytes [3, H, W], in the upper left corner of larger planes, to floats [3, W, H] in 0 to 1.
    public static void Columns(byte* planes, (int Width, int Height) room, int height, int width, float* columns)
    {
        const int Tile = 16;
        fixed (float* units = Units)
            for (int plane = 0; plane < 3; plane++, planes += room.Height * room.Width, columns += height * width)
                for (int top = 0; top < height; top += Tile)
                    for (int x = 0; x < width; x++)
                        for (int y = top, end = Math.Min(top + Tile, height); y < end; y++)
                            columns[(x * height) + y] = units[planes[(y * room.Width) + x]];
    }

    // Antialiased, clipped to 0 to 1; flip mirrors left to right.
    public static void Apply(float* columns, int height, int width, CropBox box, ResizeFilter filter, bool flip,
        ViewPlanes view)
    {
        int lanes = ViewPlanes.Lanes, size = view.Side, padded = (box.Height + lanes - 1) / lanes * lanes;
        ResizeWeights across = ResizeWeights.Make(box.Width, size, filter);
        ResizeWeights down = ResizeWeights.Make(box.Height, size, filter);
        float[] acrossValues = Array.ConvertAll(across.Values, w => (float)w);
        float[] downValues = Array.ConvertAll(down.Values, w => (float)w);
        float[] scratch = ArrayPool<float>.Shared.Rent((2 * padded * size) + lanes);
        fixed (float* narrow = scratch)
            for (int channel = 0; channel < 3; channel++)
            {
                float* rows = narrow + (padded * size), plane = view[channel];
                Combine(columns + (channel * height * width) + (box.Left * height) + box.Top, height, across,
                    acrossValues, narrow, padded, padded, flip);
                Transpose(narrow, size, padded, rows);
                Combine(rows, size, down, downValues, plane, size, size, mirror: false);
                for (int i = 0; i < view.Pixels; i += lanes)
                    Vector512.Min(Vector512.Max(Vector512.Load(plane + i), default), Vector512<float>.One)
                        .Store(plane + i);
            }
        ArrayPool<float>.Shared.Return(scratch);
    }

    // Row i, or the mirrored i, of the target from the source rows that its weights name.
    private static void Combine(float* source, int sourceStride, ResizeWeights weights, float[] values,
        float* target, int targetStride, int count, bool mirror)
    {
        int outputs = weights.Start.Length;
        fixed (float* first = values)
            for (int i = 0; i < outputs; i++)
            {
                float* from = source + (weights.Start[i] * sourceStride), weight = first + (i * weights.Stride);
                float* to = target + ((mirror ? outputs - 1 - i : i) * targetStride);
                int taps = weights.Count[i];
                for (int x = 0; x < count; x += ViewPlanes.Lanes)
                {
                    Vector512<float> sum = default;
                    float* row = from + x;
                    for (int k = 0; k < taps; k++, row += sourceStride)
                        sum = Vector512.MultiplyAddEstimate(Vector512.Load(row), Vector512.Create(weight[k]), sum);
                    sum.Store(to + x);
                }
            }
    }

    private static void Transpose(float* source, int rows, int columns, float* target)
    {
        const int Tile = 16;
        for (int top = 0; top < rows; top += Tile)
            for (int x = 0; x < columns; x++)
            {
                float* to = target + (x * rows) + top, from = source + (top * columns) + x;
                for (float* end = to + Math.Min(Tile, rows - top); to < end; to++, from += columns) *to = *from;
            }
    }
}
