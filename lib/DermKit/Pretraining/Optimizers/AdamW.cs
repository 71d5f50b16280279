namespace DermKit.Pretraining;

/// <summary>AdamW (arXiv 1711.05101) as torch.optim.AdamW, with a step count for each parameter.</summary>
internal class AdamW : Optimizer
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;
    private readonly bool isCoupled;
    private readonly (double Rate, bool Decays)[] rules;
    private readonly long[] steps;

    // The rule gives the factor of a parameter's rate and whether it decays; null means 1 and Decays.
    public AdamW(IEnumerable<(string Name, Parameter Value)> parameters,
        Func<string, Tensor, (double Rate, bool Decays)>? rule = null, bool isCoupled = false)
        : base(parameters, "exp_avg", "exp_avg_sq")
    {
        this.isCoupled = isCoupled;
        rules = Array.ConvertAll(Parameters, p => rule?.Invoke(p.Name, p.Value) ?? (1, Decays(p.Name, p.Value)));
        steps = new long[Parameters.Length];
    }

    protected override long[] Steps => steps;

    protected override void Update(Tensor gradients, bool[] isTrained, double learningRate, double weightDecay)
    {
        double[][] factors = [.. rules.Select((rule, i) =>
            isTrained[i] ? Next(i, learningRate * rule.Rate, rule.Decays ? weightDecay : 0) : [0, 1, 0, 0, 1, 0])];
        Tensor[] columns = Layout.Columns(factors);
        TensorRows.InParts([gradients, .. Moments, Values, .. columns], part =>
        {
            Tensor gradient = part[0], mean = part[1], square = part[2], value = part[3], pull = part[4],
                keep = part[5], take1 = part[6], take2 = part[7], epsilon = part[8], rate = part[9];
            if (isCoupled) gradient.addcmul_(value, pull, Kept(1));
            mean.lerp_(gradient, take1);
            square.lerp_(gradient.Squared(), take2);
            Tensor denominator = square.sqrt().PlusInPlace(epsilon);
            value.mul_(keep).addcdiv_(mean * rate, denominator, Kept(-1));
        });
    }

    // Returns decay added to the gradient, share of the parameter that stays, shares of the gradient in both moments,
    // addend to the root of the second moment, and rate; the last two include the second moment's bias correction.
    private double[] Next(int i, double learningRate, double decay)
    {
        steps[i]++;
        double root = Math.Sqrt(1 - Math.Pow(Beta2, steps[i]));
        double rate = learningRate * root / (1 - Math.Pow(Beta1, steps[i]));
        double keep = isCoupled ? 1 : 1 - learningRate * decay;
        return [isCoupled ? decay : 0, keep, 1 - Beta1, 1 - Beta2, Epsilon * root, rate];
    }
}

/// <summary>Adam (arXiv 1412.6980) as torch.optim.Adam: weight decay is added to the gradient.</summary>
internal sealed class Adam(IEnumerable<(string Name, Parameter Value)> parameters) : AdamW(parameters, isCoupled: true);
