using MathNet.Numerics.LinearAlgebra;

namespace DermKit.Pretraining;

/// <summary>Signs of collapse: of all images to one feature (FeatureStd), of features to few directions
/// (EffectiveRank), of the teacher to one output or none (Entropy). Float64 on the CPU; NaN if not finite.</summary>
internal static class CollapseMonitor
{
    /// <summary>Mean over dimensions of the standard deviation (over n) of the L2-normalised rows [B, D], times sqrt(D)
    /// (SimSiam, arXiv 2011.10566, section 4.1): about 1 for evenly spread directions, 0 for one direction.</summary>
    public static double FeatureStd(Tensor features)
    {
        using var scope = NewDisposeScope();
        Tensor rows = Rows(features);
        // A row of zeros stays zeros.
        Tensor unit = rows / rows.norm(1, keepdim: true).clamp_min(Kept(double.Epsilon));
        return unit.var(0, unbiased: false).sqrt().mean().Value() * Math.Sqrt(features.shape[1]);
    }

    /// <summary>exp(-sum p ln p) of the centred rows [B, D], p the normalised singular values (Roy and Vetterli 2007,
    /// "The effective rank", EUSIPCO): at most min(B - 1, D), 0 for equal rows.</summary>
    public static double EffectiveRank(Tensor features)
    {
        using var scope = NewDisposeScope();
        Tensor rows = Rows(features);
        double norm = rows.norm().Value();
        if (!double.IsFinite(norm)) return double.NaN;
        Tensor centred = rows - rows.mean([0], keepdim: true);
        // Math.NET reads column by column, hence the transpose, which has the same singular values.
        double[] numbers = centred.contiguous().data<double>().ToArray();
        var matrix = Matrix<double>.Build.Dense((int)rows.shape[1], (int)rows.shape[0], numbers);
        // Float32 rounding gives as much in many directions, which would pass for features.
        double rounding = Math.Max(rows.shape[0], rows.shape[1]) * Math.Pow(2, -23) * norm;
        double[] values = [.. matrix.Svd(computeVectors: false).S.Where(s => s > rounding)];
        if (values.Length == 0) return 0;
        double sum = values.Sum();
        return Math.Exp(-values.Sum(s => s / sum * Math.Log(s / sum)));
    }

    /// <summary>Mean entropy of distributions [..., K] / ln K: 1 uniform, 0 certain.</summary>
    public static double Entropy(Tensor probabilities)
    {
        if (probabilities.dim() == 0 || probabilities.shape[^1] < 2 || probabilities.numel() == 0)
            throw new ArgumentException("Expected probabilities [..., K] with K of 2 or more, found "
                + $"{probabilities.Shape()}.", nameof(probabilities));
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor entropy = special.entr(probabilities.to(float64).cpu()).sum(-1).mean();
        return entropy.Value() / Math.Log(probabilities.shape[^1]);
    }

    private static Tensor Rows(Tensor features)
    {
        return features.dim() == 2 && features.numel() > 0 ? features.detach().to(float64).cpu()
            : throw new ArgumentException($"Expected features [B, D], found {features.Shape()}.", nameof(features));
    }
}
