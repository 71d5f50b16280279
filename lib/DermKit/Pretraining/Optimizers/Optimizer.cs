using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>An optimiser whose learning rate and weight decay change at every step. A parameter without a gradient is left as it is.</summary>
public abstract class Optimizer : IDisposable
{
    /// <summary>True when weight decay acts: not on biases, nor on parameters of one dimension (facebookresearch/dino, get_params_groups).</summary>
    public static bool Decays(string name, Tensor parameter) => !name.EndsWith(".bias", StringComparison.Ordinal) && parameter.dim() != 1;

    /// <summary>The names of the parameters, in their order.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    /// <summary>One step with the gradients as they are.</summary>
    public abstract void Step(double learningRate, double weightDecay);

    /// <summary>Everything that the next step depends on, by key: the moments themselves, and the step counts as one tensor <c>steps</c> that the caller disposes.</summary>
    internal abstract Dictionary<string, Tensor> State();

    /// <summary>Takes the step counts of <see cref="State"/> back; the moments are filled in place.</summary>
    internal abstract void SetSteps(Tensor steps);

    /// <inheritdoc/>
    public abstract void Dispose();
}
