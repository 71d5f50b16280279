using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Options of SimCLR (Chen et al. 2020, arXiv 2002.05709).</summary>
public sealed record SimClrOptions : PairOptions
{
    /// <summary>Sets the paper's values.</summary>
    public SimClrOptions()
    {
        Optimizer = OptimizerKind.Adam;
        BaseLearningRate = 1e-3;
        WeightDecay = 1e-6;
        WeightDecayEnd = 1e-6;
        Outputs = 128;
    }

    /// <inheritdoc/>
    public override string Method => "SimCLR";

    /// <summary>Temperature of the softmax over pairs.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double Temperature { get; init; } = 0.5;

    internal override int ListOrder => 2;

    /// <inheritdoc/>
    public override PretrainMethod Create(Device device) => new SimClr(this, null, device);

    /// <inheritdoc/>
    public override string ViewsCaption(int globals, int locals) =>
        "Training images, each with the two views of one step. They are to lie close together, and far from all other "
        + "images of the batch: which colours may then still tell an image?";
}

/// <summary>Pulls two views of an image together and pushes different images apart, after a projection that is dropped
/// at the end.</summary>
internal sealed class SimClr(SimClrOptions options, Func<bool, Backbone>? create, Device device)
    : PairMethod(options, create, device)
{
    // Each view is compared with 2B - 1 others.
    public override double UniformLoss => Math.Log(2 * options.Batch - 1);

    protected override Tensor Loss(Tensor first, Tensor second) => NtXent(first, second, options.Temperature);

    /// <summary>Normalised, temperature-scaled cross-entropy, mean over both views of all images (equation 1;
    /// lightly-ai/lightly, NTXentLoss).</summary>
    internal static Tensor NtXent(Tensor first, Tensor second, double temperature)
    {
        if (first.dim() != 2 || !first.shape.SequenceEqual(second.shape))
            throw new ArgumentException("Expected both views [B, D] of one shape, found "
                + $"{first.Shape()} and {second.Shape()}.", nameof(second));
        return Scoped(() =>
        {
            long images = first.shape[0];
            Tensor views = cat([first, second], 0);
            Tensor unit = views / views.Norm(1).clamp_min(Kept(1e-12));
            Tensor cosines = matmul(unit, unit.t()) / Kept(temperature);
            Tensor self = eye(2 * images, dtype: ScalarType.Bool, device: first.device);
            Tensor others = cosines.masked_fill(self, Kept(double.NegativeInfinity)).log_softmax(1);
            // View 0's partners are the diagonal of the upper right quarter, view 1's of the lower left.
            Tensor Partners(long row) => others.narrow(0, row, images).narrow(1, images - row, images).diagonal();
            return Partners(0).mean().Plus(Partners(images).mean()) * Kept(-0.5);
        });
    }
}
