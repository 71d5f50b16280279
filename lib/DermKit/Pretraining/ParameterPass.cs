using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Updates of many tensors that are limited by memory: float32 on the cpu in one pass that reads and writes every number once, cut into
/// pieces that the threads take in turn. The result does not depend on the number of threads.
/// </summary>
internal static unsafe class ParameterPass
{
    /// <summary>Numbers in a piece: four streams of them fit a core's cache, and their sum of squares loses nothing in float32.</summary>
    private const int Piece = 1 << 14;

    /// <summary>Where a tensor's numbers lie; 0 unless they are float32 in one block on the cpu.</summary>
    public static nint Address(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous()) return 0;
        fixed (byte* at = tensor.bytes) return (nint)at;
    }

    /// <summary>Calls the body with (tensor, first number, count) for all pieces of tensors of these lengths; nothing for a length of 0.</summary>
    public static void Run(ReadOnlySpan<int> lengths, Action<int, int, int> body)
    {
        int pieces = 0;
        foreach (int length in lengths) pieces += Pieces(length);
        var all = new (int Tensor, int First, int Count)[pieces];
        for (int i = 0, at = 0; i < lengths.Length; i++)
            for (int first = 0; first < lengths[i]; first += Piece) all[at++] = (i, first, Math.Min(Piece, lengths[i] - first));
        Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, i => body(all[i].Tensor, all[i].First, all[i].Count));
    }

    /// <summary>Square root of the sum of squares of each tensor.</summary>
    /// <param name="tensors">Addresses.</param>
    /// <param name="lengths">Numbers of each.</param>
    public static float[] Norms(nint[] tensors, int[] lengths)
    {
        double[][] sums = [.. lengths.Select(length => new double[Pieces(length)])];
        Run(lengths, (i, first, count) => sums[i][first / Piece] = SumOfSquares((float*)tensors[i] + first, count));
        return [.. sums.Select(s => (float)Math.Sqrt(s.Sum()))];
    }

    /// <summary>x = factor * x.</summary>
    public static void Scale(float* x, int count, float factor)
    {
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count) (Vector256.Load(x + i) * factor).Store(x + i);
        for (; i < count; i++) x[i] *= factor;
    }

    /// <summary>slow = momentum * slow + (1 - momentum) * fast.</summary>
    public static void Average(float* slow, float* fast, int count, double momentum)
    {
        float old = (float)momentum, share = (float)(1 - momentum);
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
            Vector256.MultiplyAddEstimate(Vector256.Load(fast + i), Vector256.Create(share), Vector256.Load(slow + i) * old).Store(slow + i);
        for (; i < count; i++) slow[i] = slow[i] * old + fast[i] * share;
    }

    /// <summary>One step of AdamW on numbers that share their factors.</summary>
    public static void AdamW(float* parameter, float* gradient, float* mean, float* square, int count, AdamWFactors f)
    {
        Vector256<float> epsilon = Vector256.Create(f.Epsilon), share1 = Vector256.Create(f.Share1), share2 = Vector256.Create(f.Share2);
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> g = Vector256.Load(gradient + i), m = Vector256.Load(mean + i);
            m = Vector256.MultiplyAddEstimate(g - m, share1, m);
            Vector256<float> v = Vector256.MultiplyAddEstimate(g * g, share2, Vector256.Load(square + i) * (1 - f.Share2));
            m.Store(mean + i);
            v.Store(square + i);
            Vector256<float> denominator = Vector256.MultiplyAddEstimate(Vector256.Sqrt(v), Vector256.Create(f.RootScale), epsilon);
            (Vector256.Load(parameter + i) * f.Keep - m * f.Rate / denominator).Store(parameter + i);
        }
        for (; i < count; i++)
        {
            float g = gradient[i], m = mean[i] += (g - mean[i]) * f.Share1, v = square[i] = g * g * f.Share2 + square[i] * (1 - f.Share2);
            parameter[i] = parameter[i] * f.Keep - m * f.Rate / (MathF.Sqrt(v) * f.RootScale + f.Epsilon);
        }
    }

    private static int Pieces(int length) => (length + Piece - 1) / Piece;

    private static double SumOfSquares(float* x, int count)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0, step = Vector256<float>.Count;
        for (; i <= count - 4 * step; i += 4 * step)
        {
            Vector256<float> p = Vector256.Load(x + i), q = Vector256.Load(x + i + step), r = Vector256.Load(x + i + 2 * step), s = Vector256.Load(x + i + 3 * step);
            (a, b, c, d) = (Vector256.MultiplyAddEstimate(p, p, a), Vector256.MultiplyAddEstimate(q, q, b), Vector256.MultiplyAddEstimate(r, r, c), Vector256.MultiplyAddEstimate(s, s, d));
        }
        double rest = 0;
        for (; i < count; i++) rest += (double)x[i] * x[i];
        return rest + Vector256.Sum(a + b + c + d);
    }
}

/// <summary>What all numbers of one parameter share in a step of AdamW.</summary>
/// <param name="Keep">1 - learning rate x weight decay.</param>
/// <param name="Share1">1 - beta1.</param>
/// <param name="Share2">1 - beta2.</param>
/// <param name="RootScale">1 / sqrt(1 - beta2^steps).</param>
/// <param name="Rate">Learning rate / (1 - beta1^steps).</param>
/// <param name="Epsilon">Added to the root.</param>
internal readonly record struct AdamWFactors(float Keep, float Share1, float Share2, float RootScale, float Rate, float Epsilon);
