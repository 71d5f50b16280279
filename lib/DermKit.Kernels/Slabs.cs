using System.Runtime.Intrinsics;

namespace DermKit.Kernels;

/// <summary>Products whose right operand, or whose result, lies in slabs of 64 columns</summary>
internal static unsafe class Slabs
{
    private const int Slab = MicroKernel.Slab;

    /// <summary>The next multiple.</summary>
    public static int Up(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    /// <summary>The first of a part's items, when they are shared out in whole groups; that of the part behind the last is the count.</summary>
    public static int First(int items, int group, int parts, int part) => (int)Math.Min(items, (long)((items + group - 1) / group) * part / parts * group);

    /// <summary>[m, k] times all columns of a packed weight, to rows of <paramref name="columns"/>.</summary>
    public static void Multiply(int m, int k, int columns, ushort* a, int lda, uint* packed, float* c)
    {
        for (int j = 0; j < columns; j += Slab) MicroKernel.Multiply(m, Slab, k, a, lda, packed + (long)j * k / 2, c + j, columns);
    }

    /// <summary>Rows of bfloat16 as columns, [columns, padded]; columns beyond the last row are zero.</summary>
    public static void Transposed(ushort* from, int stride, int rows, int padded, int columns, uint* pairs, ushort* to)
    {
        Bf16.ToPairs(from, stride, rows, padded, columns, pairs);
        Bf16.Transpose(pairs, columns, padded / 2, columns, (uint*)to, padded / 2);
    }

    /// <summary>Sums of the parts' slabs [columns / 64, rows, 64] as rows of <paramref name="columns"/>.</summary>
    public static void Gather(float** sums, int parts, int slab, int rows, int columns, float* to)
    {
        Add(sums, parts, slab, rows);
        float* from = sums[0] + (long)slab * rows * Slab;
        to += slab * Slab;
        for (int r = 0; r < rows; r++, from += Slab, to += columns)
            for (int c = 0; c < Slab; c += 16) Vector512.Load(from + c).Store(to + c);
    }

    /// <summary>The same transposed: [columns, rows].</summary>
    public static void GatherTransposed(float** sums, int parts, int slab, int rows, float* to)
    {
        Add(sums, parts, slab, rows);
        Bf16.Transpose((uint*)(sums[0] + (long)slab * rows * Slab), Slab, rows, Slab, (uint*)(to + (long)slab * Slab * rows), rows);
    }

    /// <summary>Sums of the parts' vectors.</summary>
    public static void Gather(float** sums, int parts, int count, float* to)
    {
        for (int c = 0; c < count; c += 16)
        {
            Vector512<float> sum = Vector512.Load(sums[0] + c);
            for (int w = 1; w < parts; w++) sum += Vector512.Load(sums[w] + c);
            sum.Store(to + c);
        }
    }

    private static void Add(float** sums, int parts, int slab, int rows)
    {
        long at = (long)slab * rows * Slab;
        for (int w = 1; w < parts; w++)
            for (long i = at; i < at + (long)rows * Slab; i += 16) (Vector512.Load(sums[0] + i) + Vector512.Load(sums[w] + i)).Store(sums[0] + i);
    }
}
