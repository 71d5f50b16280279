using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Bit-exact with Pillow 11's 8-bit resampling (src/libImaging/Resample.c): float64 weights rounded to 22-bit
/// fixed point; horizontal pass to 8 bits, then vertical.</summary>
internal static unsafe class PillowResize
{
    private const int PrecisionBits = 22;

    // Rows that the horizontal pass scales together; values of a vector.
    private const int Rows = 4, Lanes = 16;

    public static RgbImage Resize(RgbImage image, int width, int height, ResizeFilter filter)
    {
        if (width < 1 || height < 1)
            throw new ArgumentException($"Expected a size of at least 1 x 1, found {width} x {height}.");
        if ((width, height) == (image.Width, image.Height)) return new(width, height, [.. image.Pixels]);
        byte[] target = GC.AllocateUninitializedArray<byte>(3 * width * height);
        byte[] between = width == image.Width ? image.Pixels
            : height == image.Height ? target : ArrayPool<byte>.Shared.Rent(3 * width * image.Height);
        fixed (byte* source = image.Pixels, middle = between, to = target)
        {
            if (width != image.Width)
                Horizontal(source, image.Width, image.Height, ResizeWeights.Make(image.Width, width, filter), middle);
            if (height != image.Height)
                Vertical(middle, 3 * width, ResizeWeights.Make(image.Height, height, filter), to);
        }
        if (between != target && between != image.Pixels) ArrayPool<byte>.Shared.Return(between);
        return new(width, height, target);
    }

    private static void Horizontal(byte* source, int width, int height, ResizeWeights weights, byte* target)
    {
        int[] taps = FixedPoint(weights), wide = ArrayPool<int>.Shared.Rent(Lanes * width);
        int* sums = stackalloc int[Lanes];
        int outputs = weights.Start.Length;
        fixed (int* pixels = wide, first = taps)
            for (int y = 0; y < height; y += Rows)
            {
                int rows = Math.Min(Rows, height - y);
                for (int row = 0; row < rows; row++)
                    Widen(source + (3L * width * (y + row)), width, pixels + (4 * row));
                for (int x = 0; x < outputs; x++)
                {
                    Vector512<int> sum = Vector512.Create(1 << (PrecisionBits - 1));
                    int* from = pixels + (Lanes * weights.Start[x]), tap = first + (x * weights.Stride);
                    for (int* end = tap + weights.Count[x]; tap < end; tap++, from += Lanes)
                        sum += Vector512.Load(from) * *tap;
                    Rounded(sum).Store(sums);
                    for (int row = 0; row < rows; row++)
                    {
                        byte* to = target + (3L * ((outputs * (long)(y + row)) + x));
                        to[0] = (byte)sums[4 * row];
                        to[1] = (byte)sums[(4 * row) + 1];
                        to[2] = (byte)sums[(4 * row) + 2];
                    }
                }
            }
        ArrayPool<int>.Shared.Return(wide);
    }

    // Pixels of a row as integers, a vector apart.
    private static void Widen(byte* row, int width, int* pixels)
    {
        for (int x = 0; x < width; x++, row += 3, pixels += Lanes)
        {
            pixels[0] = row[0];
            pixels[1] = row[1];
            pixels[2] = row[2];
        }
    }

    private static void Vertical(byte* source, int rowBytes, ResizeWeights weights, byte* target)
    {
        fixed (int* first = FixedPoint(weights))
            for (int y = 0; y < weights.Start.Length; y++, target += rowBytes)
            {
                byte* from = source + ((long)weights.Start[y] * rowBytes);
                int* taps = first + (y * weights.Stride);
                int count = weights.Count[y];
                // The last vector of a row is moved back over the one before it.
                for (int i = 0; i < rowBytes && rowBytes >= Lanes; i += Lanes)
                {
                    int x = Math.Min(i, rowBytes - Lanes);
                    Vector512<int> sum = Vector512.Create(1 << (PrecisionBits - 1));
                    for (int k = 0; k < count; k++) sum += Widened(from + x + ((long)k * rowBytes)) * taps[k];
                    Narrowed(Rounded(sum)).Store(target + x);
                }
                for (int x = 0; x < rowBytes && rowBytes < Lanes; x++)
                {
                    int sum = 1 << (PrecisionBits - 1);
                    for (int k = 0; k < count; k++) sum += from[x + (k * rowBytes)] * taps[k];
                    target[x] = (byte)Math.Clamp(sum >> PrecisionBits, 0, 255);
                }
            }
    }

    private static int[] FixedPoint(ResizeWeights weights) =>
        Array.ConvertAll(weights.Values, w => (int)((w * (1 << PrecisionBits)) + (w < 0 ? -0.5 : 0.5)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rounded(Vector512<int> sum) =>
        Vector512.Min(Vector512.Max(sum >> PrecisionBits, default), Vector512.Create(255));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widened(byte* from)
    {
        Vector256<ushort> words = Vector256.WidenLower(Vector128.Load(from).ToVector256Unsafe());
        return Vector512.WidenLower(words.ToVector512Unsafe()).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Narrowed(Vector512<int> values)
    {
        Vector256<short> words = Vector256.Narrow(values.GetLower(), values.GetUpper());
        return Vector128.Narrow(words.GetLower().AsUInt16(), words.GetUpper().AsUInt16());
    }
}
