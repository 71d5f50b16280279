using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>The moving average of a student's parameters that makes its teacher. On another device than the cpu the teacher's lie in one block.</summary>
public sealed class MovingAverage : IDisposable
{
    private readonly Parameter[] slow, fast;
    private readonly TensorRows? layout;
    private readonly Tensor? rows;

    /// <summary>Takes every parameter of the teacher, and the student's of the same name; a student may have more.</summary>
    public MovingAverage(nn.Module teacher, nn.Module student)
    {
        // Listed once: TorchSharp allocates most of a kilobyte for each parameter that it lists.
        Dictionary<string, Parameter> named = student.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        (string name, Parameter parameter)[] all = [.. teacher.named_parameters()];
        (slow, fast) = ([.. all.Select(p => p.parameter)], [.. all.Select(p => named[p.name])]);
        if (ParameterPass.Takes(slow) && ParameterPass.Takes(fast)) return;
        layout = new TensorRows(slow);
        rows = layout.Move(slow).DetachFromDisposeScope();
    }

    /// <summary>teacher = momentum * teacher + (1 - momentum) * student.</summary>
    /// <param name="momentum">0 to 1.</param>
    public unsafe void Step(double momentum)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (layout is not null)
        {
            using Scalar keep = momentum, take = 1 - momentum;
            rows!.mul_(keep).add_(layout.Gather(fast), take);
            return;
        }
        nint[] to = Array.ConvertAll(slow, ParameterPass.Address), from = Array.ConvertAll(fast, ParameterPass.Address);
        ParameterPass.Run(Array.ConvertAll(slow, p => (int)p.numel()), (i, first, count) => ParameterPass.Average((float*)to[i] + first, (float*)from[i] + first, count, momentum));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        layout?.Dispose();
        rows?.Dispose();
    }
}
