using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Kernels;

/// <summary>What is done to 64 columns of a matrix product while they lie in the cache. Products are float32, [rows, 64] unless a stride says otherwise.</summary>
internal static unsafe class Epilogue
{
    private const int Slab = MicroKernel.Slab;

    /// <summary>Product + bias, or the product alone without one, to bfloat16 rows <paramref name="stride"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(float* product, int rows, int columns, float* bias, ushort* to, int stride)
    {
        for (int c = 0; c < columns; c += 16)
        {
            Vector512<float> shift = bias == null ? Vector512<float>.Zero : Vector512.Load(bias + c);
            for (int r = 0; r < rows; r++) Bf16.Store(to + (long)r * stride + c, Vector512.Load(product + r * columns + c) + shift);
        }
    }

    /// <summary>GELU of product + bias, and its derivative there unless <paramref name="slope"/> is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gelu(float* product, int rows, float* bias, ushort* to, ushort* slope, int stride)
    {
        for (int c = 0; c < Slab; c += 32)
        {
            Vector512<float> first = Vector512.Load(bias + c), second = Vector512.Load(bias + c + 16);
            for (int r = 0; r < rows; r++)
            {
                long at = (long)r * stride + c;
                Vector512<float> a = Activation.Gelu(Vector512.Load(product + r * Slab + c) + first, out Vector512<float> p);
                Vector512<float> b = Activation.Gelu(Vector512.Load(product + r * Slab + c + 16) + second, out Vector512<float> q);
                Bf16.Store(to + at, a, b);
                if (slope != null) Bf16.Store(slope + at, p, q);
            }
        }
    }

    /// <summary>y = x + scale (product + bias), float32 rows that lie <paramref name="xStride"/> and <paramref name="yStride"/> apart; a scale for each row, or null for 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* product, int rows, float* bias, float* scales, float* x, int xStride, float* y, int yStride)
    {
        for (int c = 0; c < Slab; c += 16)
        {
            Vector512<float> shift = Vector512.Load(bias + c);
            for (int r = 0; r < rows; r++)
            {
                Vector512<float> branch = Vector512.Load(product + r * Slab + c) + shift;
                if (scales != null) branch *= scales[r];
                (branch + Vector512.Load(x + (long)r * xStride + c)).Store(y + (long)r * yStride + c);
            }
        }
    }

    /// <summary>Product times slope as bfloat16: rows <paramref name="stride"/> apart, pairs of rows [padded / 2, 64] with zeros behind the last, and sums over rows added to 64 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TimesSlope(float* product, int rows, int padded, ushort* slope, ushort* to, int stride, uint* pairs, float* sums)
    {
        for (int c = 0; c < Slab; c += 16)
        {
            Vector512<float> sum = Vector512<float>.Zero;
            int r = 0;
            for (; r < rows; r += 2)
            {
                long at = (long)r * stride + c;
                Vector512<float> even = Vector512.Load(product + r * Slab + c) * Bf16.Load(slope + at), odd = Vector512<float>.Zero;
                Bf16.Store(to + at, even);
                if (r + 1 < rows)
                {
                    odd = Vector512.Load(product + (r + 1) * Slab + c) * Bf16.Load(slope + at + stride);
                    Bf16.Store(to + at + stride, odd);
                }
                Bf16.Pairs(even, odd).Store(pairs + r / 2 * Slab + c);
                sum += even + odd;
            }
            for (; r < padded; r += 2) Vector512<uint>.Zero.Store(pairs + r / 2 * Slab + c);
            (Vector512.Load(sums + c) + sum).Store(sums + c);
        }
    }

    /// <summary>A gradient times scale as bfloat16, and sums over its rows added.</summary>
    /// <param name="gradient">[rows, columns].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">A multiple of 64.</param>
    /// <param name="scales">Factor of each row, or null for 1.</param>
    /// <param name="to">[rows, columns].</param>
    /// <param name="sums">[columns].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scaled(float* gradient, int rows, int columns, float* scales, ushort* to, float* sums)
    {
        for (int r = 0; r < rows; r++, gradient += columns, to += columns)
        {
            Vector512<float> scale = Vector512.Create(scales == null ? 1 : scales[r]);
            for (int c = 0; c < columns; c += 32)
            {
                Vector512<float> a = Vector512.Load(gradient + c) * scale, b = Vector512.Load(gradient + c + 16) * scale;
                Bf16.Store(to + c, a, b);
                (Vector512.Load(sums + c) + a).Store(sums + c);
                (Vector512.Load(sums + c + 16) + b).Store(sums + c + 16);
            }
        }
    }

    /// <summary>Sums over rows of bfloat16, added to 64 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sum(ushort* from, int rows, int stride, float* sums)
    {
        for (int c = 0; c < Slab; c += 16)
        {
            Vector512<float> sum = Vector512.Load(sums + c);
            for (int r = 0; r < rows; r++) sum += Bf16.Load(from + (long)r * stride + c);
            sum.Store(sums + c);
        }
    }
}
