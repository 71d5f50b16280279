using MathNet.Numerics.LinearAlgebra;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Numbers that tell whether training collapses: all images to one feature (<see cref="FeatureStd"/>), features to a few
/// directions (<see cref="EffectiveRank"/>), or the teacher to one answer or to none (<see cref="Entropy"/>). Each takes a batch
/// without gradients, computes in float64 on the cpu and leaves no tensor behind.
/// </summary>
public static class CollapseMonitor
{
    /// <summary>
    /// Mean over the dimensions of the standard deviation (over n) of L2-normalised rows, times sqrt(D), after Chen and He 2021
    /// (SimSiam, arXiv 2011.10566, section 4.1): about 1 for directions spread evenly, 0 when all rows point the same way.
    /// </summary>
    /// <param name="features">[B, D] on any device; a row of zeros stays zeros.</param>
    /// <returns>0 to 1; NaN when a value is not finite.</returns>
    /// <exception cref="ArgumentException">Not two dimensions, or empty.</exception>
    public static double FeatureStd(Tensor features)
    {
        using var scope = NewDisposeScope();
        Tensor rows = Rows(features);
        Tensor unit = rows / rows.norm(1, keepdim: true).clamp_min(Kept(double.Epsilon));
        return unit.var(0, unbiased: false).sqrt().mean().Value() * Math.Sqrt(features.shape[1]);
    }

    /// <summary>
    /// Effective rank of the rows less their mean: exp(-sum p ln p) with p the singular values divided by their sum (Roy and
    /// Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO). How many directions the
    /// features use: at least 1, at most min(B - 1, D).
    /// </summary>
    /// <param name="features">
    /// [B, D] on any device. Singular values below max(B, D) x 2^-23 of the norm of the rows as they are count as zero: that
    /// much comes from rounding to float32, and its many directions would pass for features.
    /// </param>
    /// <returns>0 when all rows are equal; NaN when a value is not finite.</returns>
    /// <exception cref="ArgumentException">Not two dimensions, or empty.</exception>
    public static double EffectiveRank(Tensor features)
    {
        using var scope = NewDisposeScope();
        Tensor rows = Rows(features);
        double norm = rows.norm().Value();
        if (!double.IsFinite(norm)) return double.NaN;
        Tensor centred = rows - rows.mean([0], keepdim: true);
        // Stored column by column, [D, B] row by row is [B, D]; the transpose has the same singular values.
        var matrix = Matrix<double>.Build.Dense((int)rows.shape[1], (int)rows.shape[0], centred.contiguous().data<double>().ToArray());
        double rounding = Math.Max(rows.shape[0], rows.shape[1]) * Math.Pow(2, -23) * norm;
        double[] values = [.. matrix.Svd(computeVectors: false).S.Where(s => s > rounding)];
        if (values.Length == 0) return 0;
        double sum = values.Sum();
        return Math.Exp(-values.Sum(s => s / sum * Math.Log(s / sum)));
    }

    /// <summary>Mean entropy of distributions over ln K: 1 for the uniform answer, 0 for one that is certain. 0 ln 0 counts as 0.</summary>
    /// <param name="probabilities">[..., K] on any device, each row summing to 1, K at least 2.</param>
    /// <returns>0 to 1; NaN when a value is not finite.</returns>
    /// <exception cref="ArgumentException">K is below 2 or there is no row.</exception>
    public static double Entropy(Tensor probabilities)
    {
        if (probabilities.dim() == 0 || probabilities.shape[^1] < 2 || probabilities.numel() == 0)
            throw new ArgumentException($"Expected probabilities [..., K] with K of 2 or more, found [{string.Join(", ", probabilities.shape)}].", nameof(probabilities));
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor entropy = special.entr(probabilities.to(ScalarType.Float64).cpu()).sum(-1).mean();
        return entropy.Value() / Math.Log(probabilities.shape[^1]);
    }

    private static Tensor Rows(Tensor features)
    {
        if (features.dim() != 2 || features.numel() == 0)
            throw new ArgumentException($"Expected features [B, D], found [{string.Join(", ", features.shape)}].", nameof(features));
        return features.detach().to(ScalarType.Float64).cpu();
    }
}
