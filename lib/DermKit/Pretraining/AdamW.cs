using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) as torch.optim.AdamW, with a learning rate and a weight decay that change at every step.
/// A parameter without a gradient is left as it is, and its own step count does not rise.
/// </summary>
public sealed class AdamW : Optimizer
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;
    private readonly List<Slot> slots;
    private readonly (nint Parameter, nint Gradient, nint Mean, nint Square)[] addresses;
    private readonly AdamWFactors[] factors;
    private readonly int[] lengths;

    /// <summary>One optimiser for all parameters that are trained.</summary>
    /// <param name="parameters">Names and values.</param>
    /// <param name="rule">What the learning rate of a parameter is multiplied with, and whether weight decay acts on it; null for 1 and <see cref="Optimizer.Decays"/>.</param>
    public AdamW(IEnumerable<(string Name, Parameter Value)> parameters, Func<string, Tensor, (double Rate, bool Decays)>? rule = null)
    {
        rule ??= (name, value) => (1, Decays(name, value));
        slots = [.. parameters.Select(p => new Slot(p.Name, p.Value, zeros_like(p.Value).DetachFromDisposeScope(), zeros_like(p.Value).DetachFromDisposeScope(), rule(p.Name, p.Value)))];
        (addresses, factors, lengths) = (new (nint, nint, nint, nint)[slots.Count], new AdamWFactors[slots.Count], new int[slots.Count]);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => [.. slots.Select(s => s.Name)];

    /// <inheritdoc/>
    public override unsafe void Step(double learningRate, double weightDecay)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        for (int i = 0; i < slots.Count; i++)
        {
            Slot slot = slots[i];
            lengths[i] = 0;
            if (slot.Parameter.grad is not { } gradient) continue;
            slot.Steps++;
            double own = learningRate * slot.Rule.Rate, keep = slot.Rule.Decays ? 1 - own * weightDecay : 1;
            double correction1 = 1 - Math.Pow(Beta1, slot.Steps), correction2 = 1 - Math.Pow(Beta2, slot.Steps);
            addresses[i] = (ParameterPass.Address(slot.Parameter), ParameterPass.Address(gradient), ParameterPass.Address(slot.Mean), ParameterPass.Address(slot.Square));
            factors[i] = new((float)keep, (float)(1 - Beta1), (float)(1 - Beta2), (float)(1 / Math.Sqrt(correction2)), (float)(own / correction1), (float)Epsilon);
            if (addresses[i] is { Parameter: not 0, Gradient: not 0, Mean: not 0, Square: not 0 })
            {
                lengths[i] = (int)gradient.numel();
                continue;
            }
            using Scalar kept = keep, root = Math.Sqrt(correction2), rate = -own / correction1;
            if (slot.Rule.Decays) slot.Parameter.mul_(kept);
            slot.Mean.lerp_(gradient, 1 - Beta1);
            slot.Square.mul_(Kept(Beta2)).addcmul_(gradient, gradient, Kept(1 - Beta2));
            using Tensor denominator = slot.Square.sqrt().div_(root).PlusInPlace(Kept(Epsilon));
            slot.Parameter.addcdiv_(slot.Mean, denominator, rate);
        }
        ParameterPass.Run(lengths, (i, first, count) =>
        {
            var (parameter, gradient, mean, square) = addresses[i];
            ParameterPass.AdamW((float*)parameter + first, (float*)gradient + first, (float*)mean + first, (float*)square + first, count, factors[i]);
        });
    }

    /// <inheritdoc/>
    internal override Dictionary<string, Tensor> State()
    {
        var state = new Dictionary<string, Tensor> { ["steps"] = tensor([.. slots.Select(s => s.Steps)], ScalarType.Int64) };
        foreach (Slot slot in slots) (state[$"exp_avg.{slot.Name}"], state[$"exp_avg_sq.{slot.Name}"]) = (slot.Mean, slot.Square);
        return state;
    }

    /// <inheritdoc/>
    internal override void SetSteps(Tensor steps)
    {
        long[] values = [.. steps.data<long>()];
        for (int i = 0; i < slots.Count; i++) slots[i].Steps = values[i];
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (Slot slot in slots)
        {
            slot.Mean.Dispose();
            slot.Square.Dispose();
        }
    }

    private sealed class Slot(string name, Parameter parameter, Tensor mean, Tensor square, (double Rate, bool Decays) rule)
    {
        public string Name { get; } = name;
        public Parameter Parameter { get; } = parameter;
        public Tensor Mean { get; } = mean;
        public Tensor Square { get; } = square;
        public (double Rate, bool Decays) Rule { get; } = rule;
        public long Steps { get; set; }
    }
}
