using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Adam (Kingma and Ba 2015, arXiv 1412.6980) as torch.optim.Adam: weight decay is added to the gradient, and so goes through the moments; all else is
/// <see cref="AdamW"/> without decay. A parameter without a gradient is left as it is.
/// </summary>
public sealed class Adam : Optimizer
{
    private readonly (string Name, Parameter Value)[] decayed;
    private readonly AdamW moments;

    /// <summary>One optimiser for all parameters that are trained.</summary>
    public Adam(IEnumerable<(string Name, Parameter Value)> parameters)
    {
        (string Name, Parameter Value)[] all = [.. parameters];
        decayed = [.. all.Where(p => Decays(p.Name, p.Value))];
        moments = new AdamW(all);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => moments.Names;

    /// <inheritdoc/>
    public override void Step(double learningRate, double weightDecay)
    {
        using (no_grad())
        using (NewDisposeScope())
        using (Scalar decay = weightDecay)
            foreach ((_, Parameter value) in decayed) value.grad?.add_(value, decay);
        moments.Step(learningRate, 0);
    }

    /// <inheritdoc/>
    internal override Dictionary<string, Tensor> State() => moments.State();

    /// <inheritdoc/>
    internal override void SetSteps(Tensor steps) => moments.SetSteps(steps);

    /// <inheritdoc/>
    public override void Dispose() => moments.Dispose();
}
