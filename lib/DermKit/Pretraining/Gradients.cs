using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>What is done to all parameters of a model at once: clipping, and the moving average that makes the teacher.</summary>
public static class Gradients
{
    /// <summary>
    /// Scales every parameter's gradient by limit / (norm + 1e-6) where that is below 1, each by its own norm
    /// (facebookresearch/dino, clip_gradients). Nothing waits for the device.
    /// </summary>
    /// <param name="parameters">Those without a gradient are passed over.</param>
    /// <param name="limit">Largest norm of one parameter's gradient; 0 or less measures only.</param>
    /// <returns>Norms before clipping, [parameters with a gradient], in their order.</returns>
    public static Tensor Clip(IEnumerable<Parameter> parameters, double limit)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor[] gradients = [.. parameters.Select(p => p.grad).OfType<Tensor>()];
        if (gradients.Length == 0) return zeros(0).MoveToOuterDisposeScope();
        nint[] addresses = Array.ConvertAll(gradients, ParameterPass.Address);
        if (!addresses.Contains(0)) return tensor(Clip(addresses, Array.ConvertAll(gradients, g => (int)g.numel()), limit)).MoveToOuterDisposeScope();
        Tensor norms = stack(gradients.Select(g => g.square().sum().sqrt()));
        if (limit > 0)
        {
            Tensor[] factors = (norms + 1e-6).reciprocal_().mul_(limit).clamp_max_(1).unbind();
            for (int i = 0; i < gradients.Length; i++) gradients[i].mul_(factors[i]);
        }
        return norms.MoveToOuterDisposeScope();
    }

    /// <summary>teacher = momentum * teacher + (1 - momentum) * student for every parameter, in order.</summary>
    /// <param name="teacher">Changed in place.</param>
    /// <param name="student">The same model.</param>
    /// <param name="momentum">0 to 1.</param>
    public static void MovingAverage(nn.Module teacher, nn.Module student, double momentum) => MovingAverage([.. teacher.parameters()], [.. student.parameters()], momentum);

    /// <summary>As above for parameters that are listed already: TorchSharp allocates most of a kilobyte for each that it lists.</summary>
    /// <param name="teacher">Changed in place.</param>
    /// <param name="student">As many, of the same sizes.</param>
    /// <param name="momentum">0 to 1.</param>
    public static unsafe void MovingAverage(IReadOnlyList<Parameter> teacher, IReadOnlyList<Parameter> student, double momentum)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var addresses = new (nint Slow, nint Fast)[teacher.Count];
        int[] lengths = new int[teacher.Count];
        for (int i = 0; i < lengths.Length; i++)
        {
            addresses[i] = (ParameterPass.Address(teacher[i]), ParameterPass.Address(student[i]));
            if (addresses[i] is { Slow: not 0, Fast: not 0 }) lengths[i] = (int)teacher[i].numel();
            else teacher[i].mul_(momentum).add_(student[i], 1 - momentum);
        }
        ParameterPass.Run(lengths, (i, first, count) =>
            ParameterPass.Average((float*)addresses[i].Slow + first, (float*)addresses[i].Fast + first, count, momentum));
    }

    private static unsafe float[] Clip(nint[] addresses, int[] lengths, double limit)
    {
        float[] norms = ParameterPass.Norms(addresses, lengths);
        if (limit <= 0) return norms;
        float[] factors = Array.ConvertAll(norms, norm => (float)(limit / (norm + 1e-6)));
        // What is not above the limit is not touched.
        for (int i = 0; i < norms.Length; i++)
            if (factors[i] >= 1) lengths[i] = 0;
        ParameterPass.Run(lengths, (i, first, count) => ParameterPass.Scale((float*)addresses[i] + first, count, factors[i]));
        return norms;
    }
}
