using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
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
        Tensor norms = stack(gradients.Select(g => g.Squared().sum().sqrt()));
        if (limit > 0)
        {
            Tensor[] factors = norms.Plus(Kept(1e-6)).reciprocal_().mul_(Kept(limit)).clamp_max_(Kept(1)).unbind();
            for (int i = 0; i < gradients.Length; i++) gradients[i].mul_(factors[i]);
        }
        return norms.MoveToOuterDisposeScope();
    }

    /// <summary>Parameters of two models that have the same name, in the teacher's order; a student may have more.</summary>
    internal static (Parameter[] Teacher, Parameter[] Student) Pairs(nn.Module teacher, nn.Module student)
    {
        Dictionary<string, Parameter> named = student.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        (string name, Parameter parameter)[] slow = [.. teacher.named_parameters()];
        return ([.. slow.Select(p => p.parameter)], [.. slow.Select(p => named[p.name])]);
    }

    /// <summary>teacher = momentum * teacher + (1 - momentum) * student for every parameter of the teacher.</summary>
    /// <param name="teacher">Changed in place.</param>
    /// <param name="student">A model with parameters of the same names.</param>
    /// <param name="momentum">0 to 1.</param>
    public static void MovingAverage(nn.Module teacher, nn.Module student, double momentum) => MovingAverage(Pairs(teacher, student), momentum);

    /// <summary>As above for parameters that are listed already: TorchSharp allocates most of a kilobyte for each that it lists.</summary>
    /// <param name="pairs">From <see cref="Pairs"/>; the teacher's are changed in place.</param>
    /// <param name="momentum">0 to 1.</param>
    internal static unsafe void MovingAverage((Parameter[] Teacher, Parameter[] Student) pairs, double momentum)
    {
        (Parameter[] teacher, Parameter[] student) = pairs;
        using Scalar keep = momentum, take = 1 - momentum;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var addresses = new (nint Slow, nint Fast)[teacher.Length];
        int[] lengths = new int[teacher.Length];
        for (int i = 0; i < lengths.Length; i++)
        {
            addresses[i] = (ParameterPass.Address(teacher[i]), ParameterPass.Address(student[i]));
            if (addresses[i] is { Slow: not 0, Fast: not 0 }) lengths[i] = (int)teacher[i].numel();
            else teacher[i].mul_(keep).add_(student[i], take);
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
