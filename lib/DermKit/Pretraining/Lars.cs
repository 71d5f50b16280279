using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>In what the published forms of LARS differ. The defaults are lightly-ai/lightly's.</summary>
public sealed record LarsOptions
{
    /// <summary>Share of the old step in the new one, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Trust coefficient: length of a step over that of the weights; 0 scales nothing, which is SGD.</summary>
    public double Trust { get; init; } = 0.001;

    /// <summary>Scales every parameter of more than one dimension; otherwise only those that weight decay acts on while it is not 0.</summary>
    public bool ScalesUndecayed { get; init; }

    /// <summary>Divides by the norm of gradient and decay together; otherwise by the sum of both norms and 1e-8.</summary>
    public bool NormOfSum { get; init; }

    /// <summary>Keeps the scaled learning rate from exceeding the given one.</summary>
    public bool ClipsRate { get; init; }

    /// <summary>lightly-ai/lightly, utils/lars.py.</summary>
    public static LarsOptions Lightly { get; } = new();

    /// <summary>facebookresearch/dino, utils.py.</summary>
    public static LarsOptions Dino { get; } = new() { ScalesUndecayed = true, NormOfSum = true };

    /// <summary>vturrisi/solo-learn, utils/lars.py, as its scripts for SimCLR and BYOL set it.</summary>
    public static LarsOptions Solo { get; } = new() { Trust = 0.02, ScalesUndecayed = true, ClipsRate = true };

    /// <summary>torch.optim.SGD with momentum 0.9.</summary>
    public static LarsOptions Sgd { get; } = new() { Trust = 0 };
}

/// <summary>
/// LARS (You et al. 2017, arXiv 1708.03888): SGD with momentum whose steps are as long, compared with a layer's weights, as the trust coefficient
/// says, whatever the gradient's size. Nothing waits for the device. A parameter without a gradient is left as it is.
/// </summary>
/// <param name="parameters">All parameters that are trained.</param>
/// <param name="options">The form; lightly's when null.</param>
public sealed class Lars(IEnumerable<(string Name, Parameter Value)> parameters, LarsOptions? options = null) : Optimizer
{
    private const double Epsilon = 1e-8;
    private readonly LarsOptions options = options ?? LarsOptions.Lightly;
    private readonly (string Name, Parameter Value, Tensor Velocity)[] slots = [.. parameters.Select(p => (p.Name, p.Value, zeros_like(p.Value).DetachFromDisposeScope()))];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => [.. slots.Select(s => s.Name)];

    /// <inheritdoc/>
    public override void Step(double learningRate, double weightDecay)
    {
        using var noGrad = no_grad();
        using Scalar rate = learningRate, down = -learningRate, decay = weightDecay;
        foreach ((string name, Parameter value, Tensor velocity) in slots)
        {
            using var scope = NewDisposeScope();
            if (value.grad is not { } gradient) continue;
            velocity.mul_(Kept(options.Momentum)).PlusInPlace(Direction(value, gradient, weightDecay != 0 && Decays(name, value) ? decay : null, rate));
            value.add_(velocity, down);
        }
    }

    /// <inheritdoc/>
    internal override Dictionary<string, Tensor> State()
    {
        // There is no count of steps that the next one depends on.
        var state = new Dictionary<string, Tensor> { ["steps"] = zeros(0, ScalarType.Int64) };
        foreach ((string name, _, Tensor velocity) in slots) state[$"momentum.{name}"] = velocity;
        return state;
    }

    /// <inheritdoc/>
    internal override void SetSteps(Tensor steps) { }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach ((_, _, Tensor velocity) in slots) velocity.Dispose();
    }

    /// <summary>Gradient with decay, scaled where this form scales.</summary>
    private Tensor Direction(Tensor value, Tensor gradient, Scalar? decay, Scalar learningRate)
    {
        Tensor sum = decay is null ? gradient : gradient.Plus(value * decay);
        if (options.Trust == 0 || !(options.ScalesUndecayed ? value.dim() != 1 : decay is not null)) return sum;
        static Tensor Norm(Tensor x) => x.Squared().sum().sqrt();
        Tensor weights = Norm(value), steps = Norm(options.NormOfSum ? sum : gradient);
        Tensor ratio = weights * Kept(options.Trust) / (options.NormOfSum ? steps : (decay is null ? steps : steps.Plus(weights * decay)).Plus(Kept(Epsilon)));
        if (options.ClipsRate) ratio = (ratio / learningRate).clamp_max(Kept(1));
        // Where a norm is 0 the gradient stays as it is, and only DINO's form keeps the decay.
        return where((weights > Kept(0)).logical_and(steps > Kept(0)), sum * ratio, options.NormOfSum ? sum : gradient);
    }
}
