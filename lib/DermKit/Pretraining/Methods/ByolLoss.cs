using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// BYOL's loss (Grill et al. 2020, arXiv 2006.07733, equation 2) in the form of lightly-ai/lightly: the negative cosine of a prediction and
/// the target projection of the other view. The paper's squared distance of unit vectors is 2 more than twice of it.
/// </summary>
public static class ByolLoss
{
    /// <summary>Mean over the images of -cos(p, z), -1 to 1, with a graph; a norm below 1e-8 counts as 1e-8.</summary>
    /// <param name="prediction">[B, D].</param>
    /// <param name="target">[B, D].</param>
    public static Tensor NegativeCosine(Tensor prediction, Tensor target)
    {
        using var scope = NewDisposeScope();
        static Tensor Norm(Tensor x) => x.Squared().sum(1).sqrt().clamp_min(Kept(1e-8));
        return ((prediction * target).sum(1) / (Norm(prediction) * Norm(target))).mean().neg().MoveToOuterDisposeScope();
    }

    /// <summary>Mean of both directions: the prediction of each view against the target of the other.</summary>
    public static Tensor Symmetric(Tensor prediction0, Tensor prediction1, Tensor target0, Tensor target1)
    {
        using var scope = NewDisposeScope();
        return (NegativeCosine(prediction0, target1).Plus(NegativeCosine(prediction1, target0)) * Kept(0.5)).MoveToOuterDisposeScope();
    }
}
