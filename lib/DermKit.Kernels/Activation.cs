using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Kernels;

/// <summary>Exponential, GELU and softmax on vectors of 16.</summary>
internal static unsafe class Activation
{
    private const float Log2E = 1.44269504f;

    /// <summary>
    /// 2^x, relative error below 4e-6, a thousandth of what bfloat16 keeps; 2^-86 for all that is lower, since subnormal numbers cost a hundred times as much.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp2(Vector512<float> x)
    {
        // In this order NaN stays NaN.
        x = Avx512F.Max(Vector512.Create(-86f), x);
        Vector512<float> power = Avx512F.RoundScale(x, 0), rest = x - power;
        // Taylor's series of 2^rest = e^(ln 2 rest), the rest at most 1/2; its last factor is made a little greater for the terms that are left out.
        Vector512<float> sum = Vector512.Create(0.00968f);
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(0.05550411f));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(0.24022651f));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(0.69314718f));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512<float>.One);
        return Avx512F.Scale(sum, power);
    }

    /// <summary>
    /// Exact GELU, x Phi(x), and its derivative Phi(x) + x phi(x). Phi by Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, whose
    /// error stays below 7.5e-8, with a reciprocal and a power that are good to 2e-4 of the smaller of Phi and 1 - Phi.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Gelu(Vector512<float> x, out Vector512<float> slope)
    {
        const float HalfLog2E = 0.72134752f;
        Vector512<float> t = Avx512F.Reciprocal14(Vector512.FusedMultiplyAdd(Vector512.Abs(x), Vector512.Create(0.3275911f * 0.70710678f), Vector512<float>.One));
        Vector512<float> bell = Exp2(x * x * Vector512.Create(-HalfLog2E));
        // Half the coefficients: the tail is half of 1 - erf.
        Vector512<float> tail = Vector512.Create(0.5f * 1.061405429f);
        tail = Vector512.FusedMultiplyAdd(tail, t, Vector512.Create(0.5f * -1.453152027f));
        tail = Vector512.FusedMultiplyAdd(tail, t, Vector512.Create(0.5f * 1.421413741f));
        tail = Vector512.FusedMultiplyAdd(tail, t, Vector512.Create(0.5f * -0.284496736f));
        tail = Vector512.FusedMultiplyAdd(tail, t, Vector512.Create(0.5f * 0.254829592f));
        tail *= t * bell;
        Vector512<float> share = Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), Vector512<float>.One - tail, tail);
        slope = Vector512.FusedMultiplyAdd(x * bell, Vector512.Create(0.39894228f), share);
        return x * share;
    }

    /// <summary>Softmax of scale times each row, in bfloat16; columns from the last to the stride are zero.</summary>
    /// <param name="scores">[rows, columns], <paramref name="stride"/> apart; their memory is used.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Numbers that count.</param>
    /// <param name="stride">Numbers from row to row, a multiple of 32.</param>
    /// <param name="scale">Factor of the scores, above 0.</param>
    /// <param name="to">[rows, stride].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(float* scores, int rows, int columns, int stride, float scale, ushort* to)
    {
        int whole = columns & ~15;
        Vector512<float> last = Vector512.LessThan(Vector512<float>.Indices, Vector512.Create((float)(columns - whole)));
        Vector512<float> lowest = Vector512.Create(float.NegativeInfinity), factor = Vector512.Create(scale * Log2E), least = Vector512.Create(-80f);
        for (int r = 0; r < rows; r++, scores += stride, to += stride)
        {
            Vector512<float> most = lowest;
            for (int c = 0; c < whole; c += 16) most = Vector512.MaxNative(most, Vector512.Load(scores + c));
            if (columns > whole) most = Vector512.MaxNative(most, Vector512.ConditionalSelect(last, Vector512.Load(scores + whole), lowest));
            Vector512<float> shift = factor * -Largest(most), sum = Vector512<float>.Zero;
            for (int c = 0; c < stride; c += 16)
            {
                Vector512<float> e = Vector512<float>.Zero;
                if (c < columns)
                {
                    Vector512<float> x = Vector512.FusedMultiplyAdd(Vector512.Load(scores + c), factor, shift);
                    // Below 2^-80 it is nothing; products with it would be subnormal.
                    e = Vector512.AndNot(Exp2(x), Vector512.LessThan(x, least));
                    if (c == whole) e &= last;
                }
                sum += e;
                e.Store(scores + c);
            }
            Vector512<float> share = Vector512.Create(1 / Vector512.Sum(sum));
            for (int c = 0; c < stride; c += 32) Bf16.Store(to + c, Vector512.Load(scores + c) * share, Vector512.Load(scores + c + 16) * share);
        }
    }

    /// <summary>Gradient of the scores, scale p (g - sum of p g over the row), in bfloat16 as rows and as pairs of rows, and p as pairs of rows.</summary>
    /// <param name="gradient">Of the shares p, [rows, stride].</param>
    /// <param name="shares">p of <see cref="Softmax"/>, [rows, stride].</param>
    /// <param name="rows">Rows; those up to the next multiple of 32 are zero in the pairs.</param>
    /// <param name="stride">Numbers from row to row, a multiple of 32.</param>
    /// <param name="scale">Factor of the scores.</param>
    /// <param name="to">[rows, stride].</param>
    /// <param name="pairs">[rows / 2, stride] pairs, rows rounded up.</param>
    /// <param name="sharePairs">[rows / 2, stride] pairs, rows rounded up.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxBackward(float* gradient, ushort* shares, int rows, int stride, float scale, ushort* to, uint* pairs, uint* sharePairs)
    {
        Vector512<float> factor = Vector512.Create(scale);
        for (int r = 0; r < rows; r += 2, gradient += 2 * stride, shares += 2 * stride, to += 2 * stride, pairs += stride)
        {
            bool both = r + 1 < rows;
            Vector512<float> even = Vector512<float>.Zero, odd = Vector512<float>.Zero;
            for (int c = 0; c < stride; c += 16) even = Vector512.FusedMultiplyAdd(Bf16.Load(shares + c), Vector512.Load(gradient + c), even);
            if (both) for (int c = 0; c < stride; c += 16) odd = Vector512.FusedMultiplyAdd(Bf16.Load(shares + stride + c), Vector512.Load(gradient + stride + c), odd);
            Vector512<float> meanEven = Vector512.Create(Vector512.Sum(even)), meanOdd = Vector512.Create(Vector512.Sum(odd));
            for (int c = 0; c < stride; c += 16)
            {
                even = (Vector512.Load(gradient + c) - meanEven) * (Bf16.Load(shares + c) * factor);
                odd = both ? (Vector512.Load(gradient + stride + c) - meanOdd) * (Bf16.Load(shares + stride + c) * factor) : Vector512<float>.Zero;
                Bf16.Store(to + c, even);
                if (both) Bf16.Store(to + stride + c, odd);
                Bf16.Pairs(even, odd).Store(pairs + c);
            }
        }
        int padded = Slabs.Up(rows, 32);
        new Span<uint>(pairs, (padded - rows) / 2 * stride).Clear();
        Bf16.ToPairs(shares - (rows + 1) / 2 * 2 * stride, stride, rows, padded, stride, sharePairs);
    }

    /// <summary>The greatest of 16; NaN if one is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector512<float> x)
    {
        Vector256<float> y = Vector256.MaxNative(x.GetLower(), x.GetUpper());
        Vector128<float> z = Vector128.MaxNative(y.GetLower(), y.GetUpper());
        return MathF.Max(MathF.Max(z[0], z[1]), MathF.Max(z[2], z[3]));
    }
}
