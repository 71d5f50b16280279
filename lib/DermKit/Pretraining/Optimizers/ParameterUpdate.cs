using System.Runtime.Intrinsics;

namespace DermKit.Pretraining;

/// <summary>Updates of float32 numbers that are limited by memory: every number is read and written once.</summary>
internal static unsafe class ParameterUpdate
{
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
        float keep = (float)f.Keep, pull = (float)f.Pull, take1 = (float)f.Share1, take2 = (float)f.Share2, old2 = (float)(1 - f.Share2), rootScale = (float)f.RootScale, rate = (float)f.Rate;
        const float Small = (float)AdamWFactors.Epsilon;
        Vector256<float> epsilon = Vector256.Create(Small), share1 = Vector256.Create(take1), share2 = Vector256.Create(take2), pulled = Vector256.Create(pull);
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> p = Vector256.Load(parameter + i), g = Vector256.MultiplyAddEstimate(p, pulled, Vector256.Load(gradient + i)), m = Vector256.Load(mean + i);
            m = Vector256.MultiplyAddEstimate(g - m, share1, m);
            Vector256<float> v = Vector256.MultiplyAddEstimate(g * g, share2, Vector256.Load(square + i) * old2);
            m.Store(mean + i);
            v.Store(square + i);
            Vector256<float> denominator = Vector256.MultiplyAddEstimate(Vector256.Sqrt(v), Vector256.Create(rootScale), epsilon);
            (p * keep - m * rate / denominator).Store(parameter + i);
        }
        for (; i < count; i++)
        {
            float g = gradient[i] + parameter[i] * pull, m = mean[i] += (g - mean[i]) * take1, v = square[i] = g * g * take2 + square[i] * old2;
            parameter[i] = parameter[i] * keep - m * rate / (MathF.Sqrt(v) * rootScale + Small);
        }
    }

    /// <summary>One step of SGD with momentum: velocity = momentum * velocity + factor * (gradient + decay * parameter), parameter -= rate * velocity.</summary>
    public static void Momentum(float* parameter, float* gradient, float* velocity, int count, float decay, float factor, float momentum, float rate)
    {
        Vector256<float> pull = Vector256.Create(decay), scale = Vector256.Create(factor), old = Vector256.Create(momentum);
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> p = Vector256.Load(parameter + i), g = Vector256.MultiplyAddEstimate(p, pull, Vector256.Load(gradient + i)) * scale;
            Vector256<float> v = Vector256.MultiplyAddEstimate(Vector256.Load(velocity + i), old, g);
            v.Store(velocity + i);
            (p - v * rate).Store(parameter + i);
        }
        for (; i < count; i++) parameter[i] -= rate * (velocity[i] = velocity[i] * momentum + (gradient[i] + parameter[i] * decay) * factor);
    }

    /// <summary>Sum of the squares of x + factor * y.</summary>
    public static double SumOfSquares(float* x, float* y, float factor, int count)
    {
        Vector256<float> sum = default, scale = Vector256.Create(factor);
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> both = Vector256.MultiplyAddEstimate(Vector256.Load(y + i), scale, Vector256.Load(x + i));
            sum = Vector256.MultiplyAddEstimate(both, both, sum);
        }
        double rest = 0;
        for (; i < count; i++) rest += Math.Pow(x[i] + factor * y[i], 2);
        return rest + Vector256.Sum(sum);
    }

    /// <summary>Sum of the squares of x.</summary>
    public static double SumOfSquares(float* x, int count)
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
/// <param name="Pull">Weight decay that is added to the gradient.</param>
/// <param name="Share1">1 - beta1.</param>
/// <param name="Share2">1 - beta2.</param>
/// <param name="RootScale">1 / sqrt(1 - beta2^steps).</param>
/// <param name="Rate">Learning rate / (1 - beta1^steps).</param>
internal readonly record struct AdamWFactors(double Keep, double Pull, double Share1, double Share2, double RootScale, double Rate)
{
    /// <summary>Added to the root.</summary>
    public const double Epsilon = 1e-8;

    /// <summary>Leaves a parameter and its moments as they are.</summary>
    public static AdamWFactors None { get; } = new(1, 0, 0, 0, 1, 0);
}
