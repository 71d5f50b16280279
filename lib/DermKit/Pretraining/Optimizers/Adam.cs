using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Adam (Kingma and Ba 2015, arXiv 1412.6980) as torch.optim.Adam: weight decay is added to the gradient, and so goes through the moments; all else is
/// <see cref="AdamW"/> without decay. A parameter without a gradient is left as it is.
/// </summary>
public sealed class Adam : Optimizer
{
    private readonly AdamW moments;

    /// <summary>One optimiser for all parameters that are trained; see <see cref="AdamW"/>.</summary>
    public Adam(IEnumerable<(string Name, Parameter Value)> parameters) => moments = new AdamW(parameters, coupled: true);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => moments.Names;

    /// <inheritdoc/>
    public override void Step(double learningRate, double weightDecay) => moments.Step(learningRate, weightDecay);

    /// <inheritdoc/>
    internal override Dictionary<string, Tensor> State() => moments.State();

    /// <inheritdoc/>
    internal override void SetSteps(Tensor steps) => moments.SetSteps(steps);

    /// <inheritdoc/>
    public override void Dispose() => moments.Dispose();
}
