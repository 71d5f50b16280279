using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// SimCLR's loss, the normalised and temperature-scaled cross entropy (Chen et al. 2020, arXiv 2002.05709, equation 1): each view is to find
/// the other view of its image among all 2B - 1 others. Numbers are those of lightly-ai/lightly (NTXentLoss) and solo-learn.
/// </summary>
public static class NtXent
{
    /// <summary>Mean over both views of all images, with a graph: ln(2B - 1) when all views look alike.</summary>
    /// <param name="first">Projections of view 0, [B, D]; normalised here.</param>
    /// <param name="second">Projections of view 1, [B, D], images in the same order.</param>
    /// <param name="temperature">Divides the cosines; above 0.</param>
    /// <exception cref="ArgumentException">The views differ in shape.</exception>
    public static Tensor Loss(Tensor first, Tensor second, double temperature)
    {
        if (first.dim() != 2 || !first.shape.SequenceEqual(second.shape))
            throw new ArgumentException($"Expected both views [B, D] of one shape, found [{string.Join(", ", first.shape)}] and [{string.Join(", ", second.shape)}].", nameof(second));
        using var scope = NewDisposeScope();
        long images = first.shape[0];
        Tensor views = cat([first, second], 0);
        Tensor unit = views / views.Squared().sum(1, keepdim: true).sqrt().clamp_min(Kept(1e-12));
        Tensor cosines = matmul(unit, unit.t()) / Kept(temperature);
        Tensor others = cosines.masked_fill(eye(2 * images, dtype: ScalarType.Bool, device: first.device), Kept(double.NegativeInfinity)).log_softmax(1);
        // The partners of the first views stand on the diagonal of the upper right quarter, those of the second on that of the lower left.
        Tensor Partners(long row) => others.narrow(0, row, images).narrow(1, images - row, images).diagonal();
        return (Partners(0).mean().Plus(Partners(images).mean()) * Kept(-0.5)).MoveToOuterDisposeScope();
    }
}
