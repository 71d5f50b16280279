using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Scales every parameter's gradient by limit / (norm + 1e-6) where that is below 1, each by its own norm (facebookresearch/dino, clip_gradients).
/// Nothing waits for the device. On another device than the cpu the gradients lie in one block after it.
/// </summary>
/// <param name="parameters">Those without a gradient are passed over.</param>
/// <param name="limit">Largest norm of one parameter's gradient; 0 or less measures only.</param>
public sealed class GradientClipping(IEnumerable<Parameter> parameters, double limit) : IDisposable
{
    private readonly Parameter[] parameters = [.. parameters];
    private TensorRows? layout;

    /// <summary>Scales the gradients as they are.</summary>
    /// <returns>Norms before clipping, [parameters with a gradient], in their order.</returns>
    public Tensor Step()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor?[] gradients = Array.ConvertAll(parameters, p => p.grad);
        Tensor[] present = [.. gradients.OfType<Tensor>()];
        if (present.Length == 0) return zeros(0).MoveToOuterDisposeScope();
        nint[] addresses = Array.ConvertAll(present, ParameterPass.Address);
        return (addresses.Contains(0) ? InRows(gradients) : tensor(InPasses(addresses, Array.ConvertAll(present, g => (int)g.numel())))).MoveToOuterDisposeScope();
    }

    private unsafe float[] InPasses(nint[] addresses, int[] lengths)
    {
        float[] norms = Array.ConvertAll(ParameterPass.Norms(lengths, (i, first, count) => ParameterUpdate.SumOfSquares((float*)addresses[i] + first, count)), norm => (float)norm);
        if (limit <= 0) return norms;
        float[] factors = Array.ConvertAll(norms, norm => (float)(limit / (norm + 1e-6)));
        // What is not above the limit is not touched.
        for (int i = 0; i < norms.Length; i++)
            if (factors[i] >= 1) lengths[i] = 0;
        ParameterPass.Run(lengths, (i, first, count) => ParameterUpdate.Scale((float*)addresses[i] + first, count, factors[i]));
        return norms;
    }

    private Tensor InRows(Tensor?[] gradients)
    {
        layout ??= new TensorRows(parameters);
        Tensor rows = layout.Gather(gradients), norms = layout.Norms(rows);
        if (limit > 0)
        {
            rows.mul_(layout.Column(norms.Plus(Kept(1e-6)).reciprocal_().mul_(Kept(limit)).clamp_max_(Kept(1))));
            Tensor[] scaled = layout.Inside(rows);
            for (int i = 0; i < gradients.Length; i++)
                if (gradients[i] is not null) parameters[i].grad = scaled[i];
        }
        long[] present = [.. Enumerable.Range(0, gradients.Length).Where(i => gradients[i] is not null).Select(i => (long)i)];
        return present.Length == gradients.Length ? norms : norms.gather(0, tensor(present, device: norms.device));
    }

    /// <inheritdoc/>
    public void Dispose() => layout?.Dispose();
}
