using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// LARS (You et al. 2017, arXiv 1708.03888): SGD with momentum whose steps are as long, compared with a layer's weights, as the trust coefficient
/// says, whatever the gradient's size. Nothing waits for the device. A parameter without a gradient is left as it is.
/// </summary>
public sealed class Lars : Optimizer
{
    private const double Epsilon = 1e-8;
    private readonly LarsOptions options;
    private readonly (string Name, Parameter Value, Tensor Velocity)[] slots;
    private readonly TensorRows? layout;
    private readonly Tensor? values, velocities;

    /// <summary>One optimiser for all parameters that are trained. On another device than the cpu it moves them into one block.</summary>
    /// <param name="parameters">Names and values.</param>
    /// <param name="options">The form; lightly's when null.</param>
    public Lars(IEnumerable<(string Name, Parameter Value)> parameters, LarsOptions? options = null)
    {
        this.options = options ?? LarsOptions.Lightly;
        (string Name, Parameter Value)[] all = [.. parameters];
        Parameter[] parts = Array.ConvertAll(all, p => p.Value);
        Tensor[] moments;
        if (ParameterPass.Takes(parts)) moments = Array.ConvertAll(parts, p => zeros_like(p));
        else
        {
            layout = new TensorRows(parts);
            values = layout.Move(parts).DetachFromDisposeScope();
            velocities = zeros_like(values).DetachFromDisposeScope();
            moments = layout.Inside(velocities);
        }
        slots = [.. all.Zip(moments, (p, velocity) => (p.Name, p.Value, velocity.DetachFromDisposeScope()))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Names => [.. slots.Select(s => s.Name)];

    /// <inheritdoc/>
    public override void Step(double learningRate, double weightDecay)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor?[] gradients = Array.ConvertAll(slots, s => s.Value.grad);
        double[] decays = Array.ConvertAll(slots, s => Decays(s.Name, s.Value) ? weightDecay : 0);
        bool[] scales = [.. slots.Zip(decays, (s, decay) => options.Trust != 0 && (options.ScalesUndecayed ? s.Value.dim() != 1 : decay != 0))];
        if (layout is not null) InRows(gradients, decays, scales, learningRate);
        else InPasses(gradients, decays, scales, learningRate);
    }

    private unsafe void InPasses(Tensor?[] gradients, double[] decays, bool[] scales, double learningRate)
    {
        (nint Value, nint Gradient, nint Velocity)[] at = [.. slots.Zip(gradients, (s, g) => g is null ? default : (ParameterPass.Address(s.Value), ParameterPass.AddressInBlock(g), ParameterPass.Address(s.Velocity)))];
        int[] lengths = [.. gradients.Select(g => (int)(g?.numel() ?? 0))], scaled = [.. lengths.Zip(scales, (length, scale) => scale ? length : 0)];
        float[] pulls = Array.ConvertAll(decays, d => (float)d), factors = new float[slots.Length];
        double[] weights = ParameterPass.Norms(scaled, (i, first, count) => ParameterUpdate.SumOfSquares((float*)at[i].Value + first, count));
        double[] steps = ParameterPass.Norms(scaled, (i, first, count) => options.NormOfSum
            ? ParameterUpdate.SumOfSquares((float*)at[i].Gradient + first, (float*)at[i].Value + first, pulls[i], count)
            : ParameterUpdate.SumOfSquares((float*)at[i].Gradient + first, count));
        for (int i = 0; i < factors.Length; i++)
        {
            factors[i] = 1;
            if (!scales[i] || lengths[i] == 0) continue;
            double ratio = options.Trust * weights[i] / (options.NormOfSum ? steps[i] : steps[i] + decays[i] * weights[i] + Epsilon);
            // Where a norm is 0 the gradient stays as it is, and only DINO's form keeps the decay.
            if (weights[i] > 0 && steps[i] > 0) factors[i] = (float)(options.ClipsRate ? Math.Min(ratio / learningRate, 1) : ratio);
            else if (!options.NormOfSum) pulls[i] = 0;
        }
        ParameterPass.Run(lengths, (i, first, count) => ParameterUpdate.Momentum((float*)at[i].Value + first, (float*)at[i].Gradient + first, (float*)at[i].Velocity + first, count,
            pulls[i], factors[i], (float)options.Momentum, (float)learningRate));
    }

    private void InRows(Tensor?[] gradients, double[] decays, bool[] scales, double learningRate)
    {
        (Tensor step, Tensor value, Tensor velocity) = (layout!.Gather(gradients), values!, velocities!);
        Tensor[] numbers = layout.OnDevice([.. decays.Zip(scales, (decay, scale) => new double[] { decay, scale ? 1 : 0 })]).unbind(1);
        (Tensor pulls, Tensor isScaled) = (numbers[0], numbers[1]);
        if (options.NormOfSum) step.PlusInPlace(value * layout.Column(pulls));
        Tensor weights = layout.Norms(value), steps = layout.Norms(step);
        Tensor ratio = weights * Kept(options.Trust) / (options.NormOfSum ? steps : steps.Plus(weights * pulls).PlusInPlace(Kept(Epsilon)));
        using Scalar rate = learningRate;
        if (options.ClipsRate) ratio = (ratio / rate).clamp_max(Kept(1));
        Tensor norms = (weights.minimum(steps) > Kept(0)).to(ratio.dtype);
        if (!options.NormOfSum) step.PlusInPlace(value * layout.Column(pulls * norms.pow(isScaled)));
        // The power 0 makes 1 of any ratio, of 0 / 0 too.
        step.mul_(layout.Column(ratio.pow(norms * isScaled)));
        // Where there is no gradient, nothing is to change: not the momentum either.
        Tensor[] columns = layout.Columns([.. gradients.Select(g => g is null ? new double[] { 1, 0, 0 } : [options.Momentum, 1, -learningRate])]);
        velocity.mul_(columns[0]).PlusInPlace(step.mul_(columns[1]));
        value.PlusInPlace(velocity * columns[2]);
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
        values?.Dispose();
        velocities?.Dispose();
        layout?.Dispose();
    }
}
