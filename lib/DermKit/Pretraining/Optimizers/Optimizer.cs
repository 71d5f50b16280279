namespace DermKit.Pretraining;

/// <summary>Trains all parameters by a few operations on one block of memory, into which it moves them. A step changes
/// neither a parameter without a gradient nor its moments.</summary>
internal abstract class Optimizer : IDisposable
{
    private readonly Dictionary<string, Tensor> state = [];
    private Tensor? gathered;

    // Parameters of one type on one device, and names of moments, which start at 0.
    protected Optimizer(IEnumerable<(string Name, Parameter Value)> parameters, params string[] moments)
    {
        Parameters = [.. parameters];
        Parameter[] all = Array.ConvertAll(Parameters, p => p.Value);
        Layout = new TensorRows(all);
        Values = Layout.Move(all);
        Moments = Array.ConvertAll(moments, _ => zeros_like(Values).DetachFromDisposeScope());
        for (int i = 0; i < moments.Length; i++)
            foreach (((string name, _), Tensor moment) in Parameters.Zip(Layout.Inside(Moments[i])))
                state[$"{moments[i]}.{name}"] = moment.DetachFromDisposeScope();
    }

    // No decay of biases and one-dimensional parameters (facebookresearch/dino, get_params_groups).
    public static bool Decays(string name, Tensor parameter) =>
        !name.EndsWith(".bias", Ordinal) && parameter.dim() != 1;

    public IReadOnlyList<string> Names => Array.ConvertAll(Parameters, p => p.Name);

    protected (string Name, Parameter Value)[] Parameters { get; }

    protected TensorRows Layout { get; }

    // [rows, 256]; each of the moments has this shape.
    protected Tensor Values { get; }

    protected Tensor[] Moments { get; }

    // Scales a parameter's gradient by limit / (its norm + 1e-6) if below 1 (facebookresearch/dino, clip_gradients); 0
    // only measures. The next step takes these gradients, but skips a parameter whose gradient is null by then.
    // Returns norms before clipping, [parameters with a gradient].
    public Tensor Clip(double limit)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor?[] gradients = Array.ConvertAll(Parameters, p => p.Value.grad);
        gathered?.Dispose();
        gathered = Layout.Gather(gradients).DetachFromDisposeScope();
        Tensor norms = Layout.Norms(gathered);
        if (limit > 0)
        {
            Tensor factors = norms.Plus(Kept(1e-6)).reciprocal_().mul_(Kept(limit)).clamp_max_(Kept(1));
            gathered.mul_(Layout.Column(factors));
            Tensor[] scaled = Layout.Inside(gathered);
            for (int i = 0; i < gradients.Length; i++)
                if (gradients[i] is not null) Parameters[i].Value.grad = scaled[i];
        }
        long[] present = [.. Enumerable.Range(0, gradients.Length).Where(i => gradients[i] is not null)];
        if (present.Length < gradients.Length) norms = norms.gather(0, tensor(present, device: norms.device));
        return norms.MoveToOuterDisposeScope();
    }

    public void Step(double learningRate, double weightDecay)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor?[] gradients = Array.ConvertAll(Parameters, p => p.Value.grad);
        gathered ??= Layout.Gather(gradients).DetachFromDisposeScope();
        Update(gathered, Array.ConvertAll(gradients, g => g is not null), learningRate, weightDecay);
        gathered.Dispose();
        gathered = null;
    }

    // Gradients [rows, 256] may be overwritten; parameters that are not trained in this step stay.
    protected abstract void Update(Tensor gradients, bool[] isTrained, double learningRate, double weightDecay);

    // Steps of each parameter; empty when the optimiser does not count them.
    protected virtual long[] Steps => [];

    // All that the next step depends on: the moments themselves and new "steps", which the caller disposes.
    public Dictionary<string, Tensor> State() => new(state) { ["steps"] = tensor(Steps, int64) };

    // Step counts from State; the caller fills the moments in place.
    public void SetSteps(Tensor steps)
    {
        if (Steps.Length > 0) steps.data<long>().CopyTo(Steps);
    }

    public void Dispose()
    {
        foreach (Tensor moment in state.Values.Concat(Moments)) moment.Dispose();
        gathered?.Dispose();
        Values.Dispose();
        Layout.Dispose();
    }
}
