using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Kernels;

/// <summary>
/// bfloat16 in the two layouts of a matrix product: rows for the left operand; for the right one pairs of rows, the even row's number in the low half
/// of 32 bits and the odd row's in the high half. Rounds to nearest and, for speed, ties away from zero, where libtorch rounds them to even.
/// </summary>
internal static unsafe class Bf16
{
    private static Vector512<ushort> OddWords
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.Create((ushort)1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63);
    }

    /// <summary>16 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(ushort* from) => (Wide(from) << 16).AsSingle();

    /// <summary>16 numbers of an even row and 16 of the odd row below, as pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Pairs(Vector512<float> even, Vector512<float> odd) => (Rounded(even) >>> 16) | (Rounded(odd) & Vector512.Create(0xFFFF0000u));

    /// <summary>16 numbers of each of two rows, as pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Pairs(ushort* even, ushort* odd) => Wide(even) | (Wide(odd) << 16);

    /// <summary>32 numbers in a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ushort* to, Vector512<float> first, Vector512<float> second) =>
        Avx512BW.PermuteVar32x16x2(Rounded(first).AsUInt16(), OddWords, Rounded(second).AsUInt16()).Store(to);

    /// <summary>16 numbers in a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ushort* to, Vector512<float> x) => Avx512F.ConvertToVector256UInt16(Rounded(x) >>> 16).Store(to);

    /// <summary>Rows of bfloat16 to pairs of rows; rows beyond the last are zero.</summary>
    /// <param name="from">[rows, columns], <paramref name="stride"/> apart.</param>
    /// <param name="stride">Numbers from row to row.</param>
    /// <param name="rows">Rows there are.</param>
    /// <param name="padded">Rows to make, even.</param>
    /// <param name="columns">A multiple of 16.</param>
    /// <param name="to">[padded / 2, columns] pairs.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToPairs(ushort* from, int stride, int rows, int padded, int columns, uint* to)
    {
        int whole = rows & ~1;
        for (int r = 0; r < whole; r += 2, from += 2 * stride, to += columns)
            for (int c = 0; c < columns; c += 16) Pairs(from + c, from + stride + c).Store(to + c);
        if (rows > whole)
        {
            for (int c = 0; c < columns; c += 16) Wide(from + c).Store(to + c);
            to += columns;
        }
        new Span<uint>(to, (padded - rows) / 2 * columns).Clear();
    }

    /// <summary>[rows, columns] to [columns, rows], in 32-bit units, both multiples of 16: pairs of rows become rows, and rows pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(uint* from, int stride, int rows, int columns, uint* to, int toStride)
    {
        for (int r = 0; r < rows; r += 16)
            for (int c = 0; c < columns; c += 4) Transpose(from + (long)r * stride + c, stride, to + (long)c * toStride + r, toStride);
    }

    /// <summary>16 rows of 4 to 4 rows of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(uint* from, int stride, uint* to, int toStride)
    {
        Vector512<uint> a = Lanes(from, 4 * stride), b = Lanes(from + stride, 4 * stride), c = Lanes(from + 2 * stride, 4 * stride), d = Lanes(from + 3 * stride, 4 * stride);
        Vector512<ulong> ab = Avx512F.UnpackLow(a, b).AsUInt64(), cd = Avx512F.UnpackLow(c, d).AsUInt64();
        Avx512F.UnpackLow(ab, cd).AsUInt32().Store(to);
        Avx512F.UnpackHigh(ab, cd).AsUInt32().Store(to + toStride);
        (ab, cd) = (Avx512F.UnpackHigh(a, b).AsUInt64(), Avx512F.UnpackHigh(c, d).AsUInt64());
        Avx512F.UnpackLow(ab, cd).AsUInt32().Store(to + 2 * toStride);
        Avx512F.UnpackHigh(ab, cd).AsUInt32().Store(to + 3 * toStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Lanes(uint* from, int stride)
    {
        Vector512<uint> lanes = Vector128.Load(from).ToVector256Unsafe().ToVector512Unsafe();
        lanes = Avx512F.InsertVector128(lanes, Vector128.Load(from + stride), 1);
        lanes = Avx512F.InsertVector128(lanes, Vector128.Load(from + 2 * stride), 2);
        return Avx512F.InsertVector128(lanes, Vector128.Load(from + 3 * stride), 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Wide(ushort* from) => Avx512F.ConvertToVector512UInt32(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Rounded(Vector512<float> x) => x.AsUInt32() + Vector512.Create(0x8000u);
}
