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
    private readonly Tensor[] before = [];

    /// <summary>Takes every parameter of the teacher, and the student's of the same name; a student may have more.</summary>
    /// <param name="teacher">Changed in place.</param>
    /// <param name="student">A model with parameters of the same names.</param>
    /// <param name="canUndo">Keeps what the teacher was before the last step.</param>
    public MovingAverage(nn.Module teacher, nn.Module student, bool canUndo = false)
    {
        // Listed once: TorchSharp allocates most of a kilobyte for each parameter that it lists.
        Dictionary<string, Parameter> named = student.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        (string name, Parameter parameter)[] all = [.. teacher.named_parameters()];
        (slow, fast) = ([.. all.Select(p => p.parameter)], [.. all.Select(p => named[p.name])]);
        if (!ParameterPass.Takes(slow) || !ParameterPass.Takes(fast))
        {
            layout = new TensorRows(slow);
            rows = layout.Move(slow).DetachFromDisposeScope();
        }
        using var noGrad = no_grad();
        if (canUndo) before = [.. (rows is null ? (IEnumerable<Tensor>)slow : [rows]).Select(t => t.clone().DetachFromDisposeScope())];
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
            if (before.Length > 0) before[0].copy_(rows!);
            rows!.mul_(keep).add_(layout.Gather(fast), take);
            return;
        }
        nint[] to = Array.ConvertAll(slow, ParameterPass.Address), from = Array.ConvertAll(fast, ParameterPass.Address), kept = Array.ConvertAll(before, ParameterPass.Address);
        ParameterPass.Run(Array.ConvertAll(slow, p => (int)p.numel()), (i, first, count) =>
        {
            float* teacher = (float*)to[i] + first;
            if (kept.Length > 0) new ReadOnlySpan<float>(teacher, count).CopyTo(new Span<float>((float*)kept[i] + first, count));
            ParameterUpdate.Average(teacher, (float*)from[i] + first, count, momentum);
        });
    }

    /// <summary>Makes the teacher what it was before the last step.</summary>
    /// <exception cref="InvalidOperationException">That is not kept.</exception>
    public void Undo()
    {
        if (before.Length == 0) throw new InvalidOperationException("A step is taken back only by an average that was made for it.");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach ((Tensor now, Tensor was) in (rows is null ? (IEnumerable<Tensor>)slow : [rows]).Zip(before)) now.copy_(was);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        layout?.Dispose();
        rows?.Dispose();
        foreach (Tensor kept in before) kept.Dispose();
    }
}
