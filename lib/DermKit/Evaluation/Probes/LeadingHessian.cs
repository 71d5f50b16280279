using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// The Hessian of a batch of logistic regressions, but for what couples two classes: a whole block of the leading columns for each class, a diagonal for
/// the other columns. Along principal axes the leading columns hold nearly all that the penalty does not already condition.
/// </summary>
/// <param name="Inverse">[P, R, m, m] of the blocks.</param>
/// <param name="Rest">[P, d - m, R] diagonal.</param>
internal sealed record LeadingHessian(Tensor Inverse, Tensor Rest) : IDisposable
{
    /// <summary>Rows of a block of one class; with more classes fewer, so that inverses stay cheap.</summary>
    private const double Rows = 256;

    public Tensor[] Tensors => [Inverse, Rest];

    /// <summary>The Hessian at given probabilities.</summary>
    /// <param name="x">[P, n, d] float64, the column of ones first.</param>
    /// <param name="p">[P, n, K] probabilities.</param>
    /// <param name="weights">[P, n, 1] of the rows' losses.</param>
    /// <param name="penalty">[d, 1] added to the diagonal.</param>
    public static LeadingHessian At(Tensor x, Tensor p, Tensor weights, Tensor penalty)
    {
        using var scope = NewDisposeScope();
        long classes = p.shape[2];
        if (classes == 2) p = p.narrow(2, 1, 1);
        Tensor curvature = weights * p * (Kept(1) - p), square = x.Squared();
        // Where a column's curvature at equal probabilities is under the penalty, the diagonal is all there is.
        long curved = (square.sum(1).mean([0L]) > Kept(classes) * penalty.flatten()).sum().item<long>(), lead = Math.Min(curved, (long)(Rows / Math.Sqrt(p.shape[2])));
        Tensor z = x.narrow(2, 0, lead);
        Tensor blocks = (z.transpose(1, 2).unsqueeze(1) * curvature.transpose(1, 2).unsqueeze(2)).matmul(z.unsqueeze(1));
        // The intercept has no penalty: where all probabilities are 0 or 1 in rounding, its curvature is as well.
        Tensor jitter = Kept(1e-12) * blocks.diagonal(0, 2, 3).mean([2L], keepdim: true).Plus(Kept(1e-12));
        Tensor inverse = cholesky_inverse(Factor(blocks.Plus(jitter.Plus(penalty.narrow(0, 0, lead).flatten()).diag_embed())));
        Tensor rest = square.narrow(2, lead, x.shape[2] - lead).transpose(1, 2).matmul(curvature).Plus(penalty.narrow(0, lead, x.shape[2] - lead));
        return new(inverse.MoveToOuterDisposeScope(), rest.MoveToOuterDisposeScope());
    }

    // A block that is not positive definite in rounding, or not finite, is replaced by its diagonal: one problem must not end the others of its batch.
    private static Tensor Factor(Tensor blocks)
    {
        var (factor, info) = linalg.cholesky_ex(blocks);
        Tensor failed = info != 0;
        if (!failed.any().item<bool>()) return factor;
        Tensor diagonal = blocks.diagonal(0, 2, 3);
        diagonal = where(diagonal.isfinite() & (diagonal > Kept(0)), diagonal, ones_like(diagonal)).sqrt().diag_embed();
        return where(failed.unsqueeze(-1).unsqueeze(-1), diagonal, factor);
    }

    /// <summary>Its inverse times a direction [P, d, R].</summary>
    public Tensor Solve(Tensor direction)
    {
        long lead = Inverse.shape[2];
        Tensor first = Inverse.matmul(direction.narrow(1, 0, lead).transpose(1, 2).unsqueeze(3)).squeeze(3).transpose(1, 2);
        Tensor step = cat([first, direction.narrow(1, lead, direction.shape[1] - lead) / Rest], 1);
        // Softmax does not see what moves all classes alike, and no gradient points there, but a class alone does not know that.
        return step.shape[2] == 1 ? step : step - step.mean([2L], keepdim: true);
    }

    public void Dispose()
    {
        foreach (Tensor tensor in Tensors) tensor.Dispose();
    }
}
