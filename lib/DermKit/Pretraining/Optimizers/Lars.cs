namespace DermKit.Pretraining;

/// <summary>LARS (arXiv 1708.03888) as lightly-ai/lightly (utils/lars.py): SGD with momentum; a decaying parameter's
/// step is a share of its norm. Trust is the norm of a step over the parameter's norm; 0 is plain SGD.</summary>
internal sealed class Lars(
    IEnumerable<(string Name, Parameter Value)> parameters, double trust = 0.001, double momentum = 0.9)
    : Optimizer(parameters, "momentum")
{
    private const double Epsilon = 1e-8;

    protected override void Update(Tensor gradients, bool[] isTrained, double learningRate, double weightDecay)
    {
        double[] decays = Array.ConvertAll(Parameters, p => Decays(p.Name, p.Value) ? weightDecay : 0);
        Tensor decay = tensor(decays, gradients.dtype).to(gradients.device);
        Tensor weights = Layout.Norms(Values), slopes = Layout.Norms(gradients);
        Tensor ratios = weights * Kept(trust) / slopes.Plus(weights * decay).PlusInPlace(Kept(Epsilon));
        // A parameter whose norm or gradient is 0 takes the gradient as it is, without decay.
        Tensor isScaled = (decay * Kept(trust) > Kept(0)).to(gradients.dtype);
        Tensor hasNorms = (weights.minimum(slopes) > Kept(0)).to(gradients.dtype);
        Tensor pulls = Layout.Column(decay * hasNorms.pow(isScaled));
        // A ratio to the power of 0 is 1, even 0 / 0.
        Tensor scales = Layout.Column(ratios.pow(hasNorms * isScaled));
        // Without a gradient the momentum stays too.
        Tensor[] columns = Layout.Columns(
            Array.ConvertAll(isTrained, t => t ? new[] { momentum, 1, -learningRate } : [1, 0, 0]));
        TensorRows.InParts([gradients, Moments[0], Values, pulls, scales, .. columns], part =>
        {
            Tensor step = part[0], velocity = part[1], value = part[2];
            step.addcmul_(value, part[3], Kept(1)).mul_(part[4]).mul_(part[6]);
            velocity.mul_(part[5]).PlusInPlace(step);
            value.addcmul_(velocity, part[7], Kept(1));
        });
    }
}
