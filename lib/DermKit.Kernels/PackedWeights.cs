using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Kernels;

/// <summary>A linear layer's weight [outputs, inputs] as right operand, bfloat16 in slabs of 64 columns, each in pairs of rows: [slabs, rows / 2, 64] pairs.</summary>
internal static unsafe class PackedWeights
{
    private const int Slab = MicroKernel.Slab;

    /// <summary>64 columns of the transposed weight, for x W^T: rows are inputs.</summary>
    /// <param name="weight">float32 [outputs, inputs].</param>
    /// <param name="inputs">A multiple of 64.</param>
    /// <param name="slab">Which 64 outputs.</param>
    /// <param name="to">All slabs.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transposed(float* weight, int inputs, int slab, uint* to)
    {
        uint* rows = stackalloc uint[16 * 16];
        weight += (long)slab * Slab * inputs;
        to += (long)slab * Slab * inputs / 2;
        for (int n = 0; n < Slab; n += 16)
            for (int k = 0; k < inputs; k += 32)
            {
                for (int i = 0; i < 16; i++)
                {
                    float* from = weight + (long)(n + i) * inputs + k;
                    Bf16.Store((ushort*)(rows + 16 * i), Vector512.Load(from), Vector512.Load(from + 16));
                }
                Bf16.Transpose(rows, 16, 16, 16, to + k / 2 * Slab + n, Slab);
            }
    }

    /// <summary>64 columns of the weight as it is, for g W: rows are outputs.</summary>
    /// <param name="weight">float32 [outputs, inputs].</param>
    /// <param name="outputs">Even.</param>
    /// <param name="inputs">A multiple of 64.</param>
    /// <param name="slab">Which 64 inputs.</param>
    /// <param name="to">All slabs.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Plain(float* weight, int outputs, int inputs, int slab, uint* to)
    {
        weight += slab * Slab;
        to += (long)slab * Slab * outputs / 2;
        for (int k = 0; k < outputs; k += 2, weight += 2 * inputs, to += Slab)
            for (int c = 0; c < Slab; c += 16) Bf16.Pairs(Vector512.Load(weight + c), Vector512.Load(weight + inputs + c)).Store(to + c);
    }
}
