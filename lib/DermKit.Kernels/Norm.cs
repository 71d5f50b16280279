using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace DermKit.Kernels;

/// <summary>Layer normalisation of rows of a multiple of 16 numbers, float32 in, bfloat16 out (Ba et al. 2016, arXiv 1607.06450).</summary>
internal static unsafe class Norm
{
    /// <summary>weight (x - mean) / sqrt(variance + eps) + bias.</summary>
    /// <param name="x">[rows, columns].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="weight">[columns].</param>
    /// <param name="bias">[columns].</param>
    /// <param name="eps">Added to the variance.</param>
    /// <param name="to">[rows, columns].</param>
    /// <param name="means">[rows], written.</param>
    /// <param name="inverses">[rows], 1 / sqrt(variance + eps), written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward(float* x, int rows, int columns, float* weight, float* bias, float eps, ushort* to, float* means, float* inverses)
    {
        for (int r = 0; r < rows; r++, x += columns, to += columns)
        {
            Vector512<float> sum = Vector512<float>.Zero, sum2 = sum, squares = sum, squares2 = sum;
            for (int c = 0; c < columns; c += 32) (sum, sum2) = (sum + Vector512.Load(x + c), sum2 + Vector512.Load(x + c + 16));
            float mean = means[r] = Vector512.Sum(sum + sum2) / columns;
            Vector512<float> shift = Vector512.Create(mean);
            for (int c = 0; c < columns; c += 32)
            {
                Vector512<float> a = Vector512.Load(x + c) - shift, b = Vector512.Load(x + c + 16) - shift;
                (squares, squares2) = (Vector512.FusedMultiplyAdd(a, a, squares), Vector512.FusedMultiplyAdd(b, b, squares2));
            }
            float inverse = inverses[r] = 1 / MathF.Sqrt(Vector512.Sum(squares + squares2) / columns + eps);
            for (int c = 0; c < columns; c += 32)
            {
                Vector512<float> a = (Vector512.Load(x + c) - shift) * inverse, b = (Vector512.Load(x + c + 16) - shift) * inverse;
                Bf16.Store(to + c, Vector512.FusedMultiplyAdd(a, Vector512.Load(weight + c), Vector512.Load(bias + c)), Vector512.FusedMultiplyAdd(b, Vector512.Load(weight + c + 16), Vector512.Load(bias + c + 16)));
            }
        }
    }

    /// <summary>The gradient of x, added to that which goes past the norm, and the gradients of weight and bias, added to theirs.</summary>
    /// <param name="x">[rows, columns].</param>
    /// <param name="gradient">Of the norm's result, [rows, columns].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="weight">[columns].</param>
    /// <param name="means">[rows] of the forward pass.</param>
    /// <param name="inverses">[rows] of the forward pass.</param>
    /// <param name="past">Gradient that goes past the norm, [rows / step, columns].</param>
    /// <param name="step">Every so many rows, from the first on, have one.</param>
    /// <param name="to">[rows, columns].</param>
    /// <param name="weightGradient">[columns].</param>
    /// <param name="biasGradient">[columns].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward(float* x, float* gradient, int rows, int columns, float* weight, float* means, float* inverses, float* past, int step, float* to, float* weightGradient, float* biasGradient)
    {
        for (int r = 0; r < rows; r++, x += columns, gradient += columns, to += columns)
        {
            Vector512<float> mean = Vector512.Create(means[r]), inverse = Vector512.Create(inverses[r]), sum = Vector512<float>.Zero, dot = Vector512<float>.Zero;
            for (int c = 0; c < columns; c += 16)
            {
                Vector512<float> g = Vector512.Load(gradient + c), normed = (Vector512.Load(x + c) - mean) * inverse, weighted = g * Vector512.Load(weight + c);
                Vector512.FusedMultiplyAdd(g, normed, Vector512.Load(weightGradient + c)).Store(weightGradient + c);
                (Vector512.Load(biasGradient + c) + g).Store(biasGradient + c);
                sum += weighted;
                dot = Vector512.FusedMultiplyAdd(weighted, normed, dot);
            }
            Vector512<float> meanGradient = Vector512.Create(Vector512.Sum(sum) / columns), slope = Vector512.Create(Vector512.Sum(dot) / columns);
            bool hasPast = r % step == 0;
            for (int c = 0; c < columns; c += 16)
            {
                Vector512<float> normed = (Vector512.Load(x + c) - mean) * inverse;
                Vector512<float> inner = Vector512.Load(gradient + c) * Vector512.Load(weight + c) - meanGradient - normed * slope;
                Vector512.FusedMultiplyAdd(inner, inverse, hasPast ? Vector512.Load(past + c) : Vector512<float>.Zero).Store(to + c);
            }
            if (hasPast) past += columns;
        }
    }
}
