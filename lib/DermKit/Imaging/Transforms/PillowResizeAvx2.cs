using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Imaging;

/// <summary>
/// The two passes of <see cref="PillowResize"/> in vectors, with the same bits. A 22-bit weight is split as high * 4096 + low, so that
/// both halves fit 16 bits and two taps are one multiply-add; (sum of highs &lt;&lt; 12) + sum of lows is the exact 32-bit sum.
/// </summary>
internal static unsafe class PillowResizeAvx2
{
    public const int LowBits = 12;

    private const int LowMask = (1 << LowBits) - 1;

    /// <summary>Bytes that may be written behind the last row of a target.</summary>
    public const int Slack = 1;

    /// <summary>Scales rows; four taps of a pixel's three channels are one step.</summary>
    public static void Horizontal(RgbImage image, int firstRow, int endRow, PillowResize.Weights weights, Span<byte> target)
    {
        int width = weights.Start.Length, blocks = (weights.Count.Max() + 3) / 4, rowBytes = 3 * image.Width;
        short[] taps = ArrayPool<short>.Shared.Rent(width * blocks * 32);
        // A row of its own with room behind it, because the last steps read beyond the image (with weight 0).
        byte[] padded = ArrayPool<byte>.Shared.Rent(rowBytes + 12 * blocks + 16);
        SplitTaps(weights, blocks, taps.AsSpan(0, width * blocks * 32));
        Vector256<byte> order = Vector256.Create(
            0, 0x80, 3, 0x80, 1, 0x80, 4, 0x80, 2, 0x80, 5, 0x80, 0x80, 0x80, 0x80, 0x80,
            6, 0x80, 9, 0x80, 7, 0x80, 10, 0x80, 8, 0x80, 11, 0x80, 0x80, 0x80, 0x80, (byte)0x80);
        Vector128<int> half = Vector128.Create(1 << (PillowResize.PrecisionBits - 1));
        fixed (byte* row = padded, to = target)
        fixed (short* allTaps = taps)
        fixed (int* start = weights.Start)
        {
            byte* output = to;
            for (int y = firstRow; y < endRow; y++)
            {
                image.Pixels.AsSpan(y * rowBytes, rowBytes).CopyTo(padded);
                short* tap = allTaps;
                for (int x = 0; x < width; x++, output += 3)
                {
                    byte* from = row + 3 * start[x];
                    Vector256<int> low = default, high = default;
                    for (int block = 0; block < blocks; block++, from += 12, tap += 32)
                    {
                        Vector256<short> pixels = Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(from), order).AsInt16();
                        low += Avx2.MultiplyAddAdjacent(pixels, Vector256.Load(tap));
                        high += Avx2.MultiplyAddAdjacent(pixels, Vector256.Load(tap + 16));
                    }
                    Vector256<int> sums = (high << LowBits) + low;
                    Vector128<int> rounded = (sums.GetLower() + sums.GetUpper() + half) >> PillowResize.PrecisionBits;
                    Vector128<short> narrow = Sse2.PackSignedSaturate(rounded, rounded);
                    Unsafe.WriteUnaligned(output, Sse2.PackUnsignedSaturate(narrow, narrow).AsUInt32().ToScalar());
                }
            }
        }
        ArrayPool<short>.Shared.Return(taps);
        ArrayPool<byte>.Shared.Return(padded);
    }

    /// <summary>Scales columns; two source rows are one step for sixteen bytes.</summary>
    /// <param name="from">Rows of <paramref name="stride"/> bytes from row <paramref name="sourceFirstRow"/> on.</param>
    /// <param name="sourceFirstRow">Number of the first row at hand.</param>
    /// <param name="stride">Bytes from a row to the next.</param>
    /// <param name="columns">Bytes of a row to scale.</param>
    /// <param name="weights">Weights of the rows.</param>
    /// <param name="to">Rows of <paramref name="targetStride"/> bytes.</param>
    /// <param name="targetStride">Bytes from a row to the next.</param>
    public static void Vertical(byte* from, int sourceFirstRow, int stride, int columns, PillowResize.Weights weights, byte* to, int targetStride)
    {
        int[] pairs = ArrayPool<int>.Shared.Rent(weights.Stride + 1);
        fixed (int* pair = pairs)
            for (int y = 0; y < weights.Start.Length; y++)
            {
                ReadOnlySpan<int> taps = weights.Taps(y);
                byte* first = from + (long)(weights.Start[y] - sourceFirstRow) * stride, output = to + (long)y * targetStride;
                int count = taps.Length;
                for (int k = 0; k < count; k += 2)
                {
                    int next = k + 1 < count ? taps[k + 1] : 0;
                    (pair[k], pair[k + 1]) = ((taps[k] & LowMask) | (next & LowMask) << 16, ((taps[k] >> LowBits) & 0xFFFF) | (next >> LowBits) << 16);
                }
                int x = 0;
                for (; x + 16 <= columns; x += 16) SixteenColumns(first + x, stride, pair, count).Store(output + x);
                for (; x < columns; x++) output[x] = PillowResize.Column(first + x, stride, taps);
            }
        ArrayPool<int>.Shared.Return(pairs);
    }

    private static Vector128<byte> SixteenColumns(byte* from, int stride, int* pair, int count)
    {
        Vector256<int> lowLeft = default, highLeft = default, lowRight = default, highRight = default;
        for (int k = 0; k < count; k += 2, from += 2 * (long)stride)
        {
            // The weight of the second row is 0 where there is none; the first stands in, because behind it may be no memory.
            Vector128<byte> a = Vector128.Load(from), b = k + 1 < count ? Vector128.Load(from + stride) : a;
            Vector256<short> left = Avx2.ConvertToVector256Int16(Sse2.UnpackLow(a, b)), right = Avx2.ConvertToVector256Int16(Sse2.UnpackHigh(a, b));
            Vector256<short> low = Vector256.Create(pair[k]).AsInt16(), high = Vector256.Create(pair[k + 1]).AsInt16();
            lowLeft += Avx2.MultiplyAddAdjacent(left, low);
            highLeft += Avx2.MultiplyAddAdjacent(left, high);
            lowRight += Avx2.MultiplyAddAdjacent(right, low);
            highRight += Avx2.MultiplyAddAdjacent(right, high);
        }
        Vector256<int> half = Vector256.Create(1 << (PillowResize.PrecisionBits - 1));
        Vector256<int> first = ((highLeft << LowBits) + lowLeft + half) >> PillowResize.PrecisionBits;
        Vector256<int> second = ((highRight << LowBits) + lowRight + half) >> PillowResize.PrecisionBits;
        Vector256<short> words = Avx2.Permute4x64(Avx2.PackSignedSaturate(first, second).AsInt64(), 0b11_01_10_00).AsInt16();
        return Sse2.PackUnsignedSaturate(words.GetLower(), words.GetUpper());
    }

    /// <summary>For every output and four taps: low halves as t0 t1 t0 t1 t0 t1 - - t2 t3 t2 t3 t2 t3 - -, then the high halves alike.</summary>
    public static void SplitTaps(PillowResize.Weights weights, int blocks, Span<short> taps)
    {
        taps.Clear();
        for (int x = 0; x < weights.Start.Length; x++)
            for (int k = 0; k < weights.Count[x]; k++)
            {
                int value = weights.Values[x * weights.Stride + k], at = (x * blocks + k / 4) * 32 + (k & 2) * 4 + (k & 1);
                for (int channel = 0; channel < 3; channel++, at += 2) (taps[at], taps[at + 16]) = ((short)(value & LowMask), (short)(value >> LowBits));
            }
    }
}
