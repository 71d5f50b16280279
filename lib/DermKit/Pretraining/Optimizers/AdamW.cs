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
    private const double Beta1 = 0.9, Beta2 = 0.999;
    private readonly bool coupled;
    private readonly Slot[] slots;
    private readonly TensorRows? layout;
    private readonly Tensor? values, means, squares;

    /// <summary>One optimiser for all parameters that are trained. On another device than the cpu it moves them into one block.</summary>
    /// <param name="parameters">Names and values.</param>
    /// <param name="rule">What the learning rate of a parameter is multiplied with, and whether weight decay acts on it; null for 1 and <see cref="Optimizer.Decays"/>.</param>
    public AdamW(IEnumerable<(string Name, Parameter Value)> parameters, Func<string, Tensor, (double Rate, bool Decays)>? rule = null) : this(parameters, coupled: false, rule) { }

    /// <summary>As above; coupled decay is added to the gradient, which makes it <see cref="Adam"/>.</summary>
    internal AdamW(IEnumerable<(string Name, Parameter Value)> parameters, bool coupled, Func<string, Tensor, (double Rate, bool Decays)>? rule = null)
    {
        this.coupled = coupled;
        rule ??= (name, value) => (1, Decays(name, value));
        slots = [.. parameters.Select(p => new Slot(p.Name, p.Value, rule(p.Name, p.Value)))];
        Parameter[] all = Array.ConvertAll(slots, s => s.Parameter);
        Tensor[] mean, square;
        if (ParameterPass.Takes(all)) (mean, square) = (Array.ConvertAll(all, p => zeros_like(p)), Array.ConvertAll(all, p => zeros_like(p)));
        else
        {
            layout = new TensorRows(all);
            values = layout.Move(all).DetachFromDisposeScope();
            (means, squares) = (zeros_like(values).DetachFromDisposeScope(), zeros_like(values).DetachFromDisposeScope());
            (mean, square) = (layout.Inside(means), layout.Inside(squares));
        }
        for (int i = 0; i < slots.Length; i++) (slots[i].Mean, slots[i].Square) = (mean[i].DetachFromDisposeScope(), square[i].DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => [.. slots.Select(s => s.Name)];

    /// <inheritdoc/>
    public override void Step(double learningRate, double weightDecay)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor?[] gradients = Array.ConvertAll(slots, s => s.Parameter.grad);
        var factors = new AdamWFactors[slots.Length];
        for (int i = 0; i < slots.Length; i++) factors[i] = gradients[i] is null ? AdamWFactors.None : slots[i].Next(learningRate, weightDecay, coupled);
        if (layout is not null) InRows(gradients, factors);
        else InPasses(gradients, factors);
    }

    private unsafe void InPasses(Tensor?[] gradients, AdamWFactors[] factors)
    {
        var addresses = new (nint Parameter, nint Gradient, nint Mean, nint Square)[slots.Length];
        int[] lengths = Array.ConvertAll(gradients, g => g is null ? 0 : (int)g.numel());
        for (int i = 0; i < slots.Length; i++)
            if (gradients[i] is { } gradient) addresses[i] = (ParameterPass.Address(slots[i].Parameter), ParameterPass.AddressInBlock(gradient), ParameterPass.Address(slots[i].Mean), ParameterPass.Address(slots[i].Square));
        ParameterPass.Run(lengths, (i, first, count) =>
        {
            var (parameter, gradient, mean, square) = addresses[i];
            ParameterUpdate.AdamW((float*)parameter + first, (float*)gradient + first, (float*)mean + first, (float*)square + first, count, factors[i]);
        });
    }

    private void InRows(Tensor?[] gradients, AdamWFactors[] factors)
    {
        Tensor[] columns = layout!.Columns([.. factors.Select(f => new[] { f.Keep, f.Pull, f.Share1, f.Share2, 1 - f.Share2, f.RootScale, f.Rate })]);
        var (keep, pull, share1, share2, old2, rootScale, rate) = (columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6]);
        (Tensor gradient, Tensor mean, Tensor square, Tensor value) = (layout.Gather(gradients), means!, squares!, values!);
        if (coupled) gradient.PlusInPlace(value * pull);
        mean.PlusInPlace((gradient - mean).mul_(share1));
        square.mul_(old2).PlusInPlace(gradient.Squared().mul_(share2));
        Tensor denominator = square.sqrt().mul_(rootScale).PlusInPlace(Kept(AdamWFactors.Epsilon));
        value.mul_(keep).sub_((mean * rate).div_(denominator));
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
        for (int i = 0; i < slots.Length; i++) slots[i].Steps = values[i];
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (Slot slot in slots)
        {
            slot.Mean.Dispose();
            slot.Square.Dispose();
        }
        foreach (Tensor? rows in new[] { values, means, squares }) rows?.Dispose();
        layout?.Dispose();
    }

    private sealed class Slot(string name, Parameter parameter, (double Rate, bool Decays) rule)
    {
        public string Name { get; } = name;
        public Parameter Parameter { get; } = parameter;
        public Tensor Mean { get; set; } = parameter;
        public Tensor Square { get; set; } = parameter;
        public long Steps { get; set; }

        /// <summary>Counts a step, and says what it does.</summary>
        public AdamWFactors Next(double learningRate, double weightDecay, bool coupled)
        {
            Steps++;
            double own = learningRate * rule.Rate, correction1 = 1 - Math.Pow(Beta1, Steps), correction2 = 1 - Math.Pow(Beta2, Steps);
            double decay = rule.Decays ? weightDecay : 0;
            return new(coupled ? 1 : 1 - own * decay, coupled ? decay : 0, 1 - Beta1, 1 - Beta2, 1 / Math.Sqrt(correction2), own / correction1);
        }
    }
}
