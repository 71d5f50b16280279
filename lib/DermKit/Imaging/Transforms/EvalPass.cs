using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Imaging;

/// <summary>
/// <see cref="EvalTransform.Apply"/> from a decoder's RGBA straight to planes, with the same bits: only the rows and columns of the crop are
/// made, and no image is stored between. Needs AVX2 and a crop, if any, that lies inside the scaled image.
/// </summary>
internal static unsafe class EvalPass
{
    /// <summary>Bytes that are read behind the last pixel at most: of a row of fewer than four pixels.</summary>
    public const int Slack = 16;

    private const int PixelBytes = 4, Group = 4;

    /// <summary>The sizes of the last image of this thread: those of one set mostly agree.</summary>
    [ThreadStatic]
    private static Axis? lastColumns, lastRows;

    /// <summary>Whether <see cref="Planes"/> can do this.</summary>
    public static bool Fits(EvalTransform transform, int width, int height)
    {
        (int Width, int Height) scaled = transform.ScaledSize(width, height), result = transform.ResultSize(width, height);
        return Avx2.IsSupported && result.Width >= Group && result.Width <= scaled.Width && result.Height <= scaled.Height;
    }

    /// <summary>Scales and crops.</summary>
    /// <param name="rgba">Pixels of four bytes, rows without gaps, and <see cref="Slack"/> bytes that may be read behind them.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="transform">What to do; <see cref="Fits"/> has been asked.</param>
    /// <param name="planes">3 x the result's pixels, in bytes: all red, all green, all blue.</param>
    public static void Planes(byte* rgba, int width, int height, EvalTransform transform, Span<byte> planes)
    {
        (int Width, int Height) scaled = transform.ScaledSize(width, height), result = transform.ResultSize(width, height);
        int side = result.Width, rowBytes = 3 * side;
        Axis columns = lastColumns = Axis.For(lastColumns, width, scaled.Width, side, transform.Filter, windows: true);
        Axis rows = lastRows = Axis.For(lastRows, height, scaled.Height, result.Height, transform.Filter, windows: false);
        int first = rows.Weights.Start[0], end = rows.Weights.Start[^1] + rows.Weights.Count[^1];
        byte[] rented = ArrayPool<byte>.Shared.Rent(rowBytes * (end - first));
        fixed (byte* between = rented, to = planes)
        {
            for (int y = first; y < end; y += 2)
            {
                int below = Math.Min(y + 1, end - 1);
                Rows(rgba + (long)y * width * PixelBytes, rgba + (long)below * width * PixelBytes, columns, side, between + (y - first) * rowBytes, between + (below - first) * rowBytes);
            }
            for (int channel = 0; channel < 3; channel++)
                PillowResizeAvx2.Vertical(between + channel * side, first, rowBytes, side, rows.Weights, to + channel * side * result.Height, side);
        }
        ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>
    /// Two rows into three of <paramref name="side"/> bytes each. Two rows share each load of weights, which is what limits the speed, and four
    /// outputs of both go side by side, because the sums of one wait for each other.
    /// </summary>
    private static void Rows(byte* upper, byte* lower, Axis columns, int side, byte* toUpper, byte* toLower)
    {
        int blocks = columns.Blocks, next = blocks * 32;
        long down = lower - upper;
        fixed (int* start = columns.Weights.Start)
        fixed (short* taps = columns.Taps)
            for (int i = 0; i < side; i += Group)
            {
                // The last group is moved back over the one before it where the side is no multiple of four.
                int x = Math.Min(i, side - Group);
                short* tap = taps + x * next;
                byte* a = upper + PixelBytes * start[x], b = upper + PixelBytes * start[x + 1], c = upper + PixelBytes * start[x + 2], d = upper + PixelBytes * start[x + 3];
                Sums upperA = default, upperB = default, upperC = default, upperD = default, lowerA = default, lowerB = default, lowerC = default, lowerD = default;
                for (int block = 0; block < blocks; block++, tap += 32, a += 16, b += 16, c += 16, d += 16)
                {
                    Add(a, down, tap, ref upperA, ref lowerA);
                    Add(b, down, tap + next, ref upperB, ref lowerB);
                    Add(c, down, tap + 2 * next, ref upperC, ref lowerC);
                    Add(d, down, tap + 3 * next, ref upperD, ref lowerD);
                }
                Store(upperA, upperB, upperC, upperD, toUpper + x, side);
                Store(lowerA, lowerB, lowerC, lowerD, toLower + x, side);
            }
    }

    /// <summary>Sums over the low and the high halves of the weights.</summary>
    private struct Sums
    {
        public Vector256<int> Low, High;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(byte* from, long down, short* tap, ref Sums upper, ref Sums lower)
    {
        Vector256<byte> order = Vector256.Create(
            0, 0x80, 4, 0x80, 1, 0x80, 5, 0x80, 2, 0x80, 6, 0x80, 0x80, 0x80, 0x80, 0x80,
            8, 0x80, 12, 0x80, 9, 0x80, 13, 0x80, 10, 0x80, 14, 0x80, 0x80, 0x80, 0x80, (byte)0x80);
        Vector256<short> low = Vector256.Load(tap), high = Vector256.Load(tap + 16);
        Vector256<short> pixels = Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(from), order).AsInt16(), below = Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(from + down), order).AsInt16();
        upper.Low += Avx2.MultiplyAddAdjacent(pixels, low);
        upper.High += Avx2.MultiplyAddAdjacent(pixels, high);
        lower.Low += Avx2.MultiplyAddAdjacent(below, low);
        lower.High += Avx2.MultiplyAddAdjacent(below, high);
    }

    /// <summary>Four pixels, their channels taken apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in Sums a, in Sums b, in Sums c, in Sums d, byte* to, int side)
    {
        Vector128<byte> apart = Vector128.Create((byte)0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        Vector128<short> left = Sse2.PackSignedSaturate(Rounded(a), Rounded(b)), right = Sse2.PackSignedSaturate(Rounded(c), Rounded(d));
        Vector128<uint> channels = Ssse3.Shuffle(Sse2.PackUnsignedSaturate(left, right), apart).AsUInt32();
        *(uint*)to = channels.ToScalar();
        *(uint*)(to + side) = channels.GetElement(1);
        *(uint*)(to + 2 * side) = channels.GetElement(2);
    }

    /// <summary>Four channels of one pixel, not yet cut to 8 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Rounded(in Sums of)
    {
        Vector256<int> sums = (of.High << PillowResizeAvx2.LowBits) + of.Low;
        return (sums.GetLower() + sums.GetUpper() + Vector128.Create(1 << (PillowResize.PrecisionBits - 1))) >> PillowResize.PrecisionBits;
    }

    /// <summary>Weights of the middle of one axis; of the columns also in windows of <see cref="Blocks"/> times four inputs, split for <see cref="Add"/>.</summary>
    private sealed record Axis(int Inputs, int Outputs, int Side, ResizeFilter Filter, PillowResize.Weights Weights, int Blocks, short[] Taps)
    {
        public static Axis For(Axis? last, int inputs, int outputs, int side, ResizeFilter filter, bool windows)
        {
            if (last is not null && (last.Inputs, last.Outputs, last.Side, last.Filter) == (inputs, outputs, side, filter)) return last;
            PillowResize.Weights weights = PillowResize.Weights.Make(inputs, 0, inputs, outputs, filter).Middle(RgbImage.CropOffset(outputs, side), side);
            if (!windows) return new(inputs, outputs, side, filter, weights, 0, []);
            int blocks = (weights.Count.Max() + 3) / 4;
            weights = weights.Windows(inputs, 4 * blocks);
            short[] taps = new short[side * blocks * 32];
            PillowResizeAvx2.SplitTaps(weights, blocks, taps);
            return new(inputs, outputs, side, filter, weights, blocks, taps);
        }
    }
}
