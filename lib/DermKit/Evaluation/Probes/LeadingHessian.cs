namespace DermKit.Evaluation;

/// <summary>Hessian of a batch of logistic regressions without the coupling of classes: for each class a full block of
/// the m leading columns (Inverse [P, R, m, m]) and a diagonal for the others (Rest [P, d - m, R]). Along principal
/// axes the leading columns hold nearly all curvature above the penalty's.</summary>
internal sealed record LeadingHessian(Tensor Inverse, Tensor Rest)
{
    // Rows of one class's block; blocks shrink with more classes.
    private const double Rows = 256;

    public Tensor[] Tensors => [Inverse, Rest];

    // At probabilities p [P, n, K], for x [P, n, d] with the column of ones first, row weights [P, n, 1] and the
    // diagonal's penalty [d, 1], all float64.
    public static LeadingHessian At(Tensor x, Tensor p, Tensor weights, Tensor penalty)
    {
        using var scope = NewDisposeScope();
        long classes = p.shape[2], columns = x.shape[2];
        if (classes == 2) p = p.narrow(2, 1, 1);
        Tensor curvature = weights * p * (Kept(1) - p), square = x.Squared();
        // A column with curvature below the penalty needs the diagonal only.
        long curved = (square.sum(1).mean([0L]) > Kept(classes) * penalty.flatten()).sum().item<long>();
        long lead = Math.Min(curved, (long)(Rows / Math.Sqrt(p.shape[2])));
        Tensor z = x.narrow(2, 0, lead);
        Tensor blocks = (z.transpose(1, 2).unsqueeze(1) * curvature.transpose(1, 2).unsqueeze(2))
            .matmul(z.unsqueeze(1));
        // The intercept has no penalty, and no curvature where probabilities round to 0 or 1.
        Tensor jitter = Kept(1e-12) * blocks.diagonal(0, 2, 3).mean([2L], keepdim: true).Plus(Kept(1e-12));
        Tensor damped = blocks.Plus(jitter.Plus(penalty.narrow(0, 0, lead).flatten()).diag_embed());
        Tensor rest = square.narrow(2, lead, columns - lead).transpose(1, 2).matmul(curvature)
            .Plus(penalty.narrow(0, lead, columns - lead));
        return new(cholesky_inverse(Factor(damped)).MoveToOuterDisposeScope(), rest.MoveToOuterDisposeScope());
    }

    // A block that is not finite or positive definite becomes its diagonal: one problem must not end its batch.
    private static Tensor Factor(Tensor blocks)
    {
        var (factor, info) = linalg.cholesky_ex(blocks);
        Tensor failed = info != Kept(0);
        if (!failed.any().item<bool>()) return factor;
        Tensor diagonal = blocks.diagonal(0, 2, 3);
        diagonal = where(diagonal.isfinite() & (diagonal > Kept(0)), diagonal, ones_like(diagonal)).sqrt().diag_embed();
        return where(failed.unsqueeze(-1).unsqueeze(-1), diagonal, factor);
    }

    // Inverse Hessian times a direction [P, d, R].
    public Tensor Solve(Tensor direction)
    {
        long lead = Inverse.shape[2];
        Tensor first = Inverse.matmul(direction.narrow(1, 0, lead).transpose(1, 2).unsqueeze(3)).squeeze(3)
            .transpose(1, 2);
        Tensor step = cat([first, direction.narrow(1, lead, direction.shape[1] - lead) / Rest], 1);
        // Softmax ignores a shift of all classes, and no gradient has one.
        return step.shape[2] == 1 ? step : step - step.mean([2L], keepdim: true);
    }
}
