namespace DermKit.Pretraining;

/// <summary>Moves a teacher's parameters, in one block of memory, towards its student's.</summary>
public sealed class MovingAverage : IDisposable
{
    private readonly Parameter[] student;
    private readonly TensorRows layout;

    /// <summary>Pairs every parameter of the teacher with the student's of that name; the student may have
    /// more.</summary>
    public MovingAverage(nn.Module teacher, nn.Module student)
    {
        // Listed once: TorchSharp allocates most of a kilobyte for each parameter.
        Dictionary<string, Parameter> named = student.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        (string Name, Parameter Value)[] all = [.. teacher.named_parameters()];
        this.student = Array.ConvertAll(all, p => named[p.Name]);
        Parameter[] moved = Array.ConvertAll(all, p => p.Value);
        layout = new TensorRows(moved);
        Teacher = layout.Move(moved);
    }

    // [rows, 256].
    internal Tensor Teacher { get; }

    /// <summary>teacher = momentum * teacher + (1 - momentum) * student, momentum from 0 to 1.</summary>
    public void Step(double momentum)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using Scalar keep = momentum, share = 1 - momentum;
        Teacher.mul_(keep).add_(layout.Gather(student), share);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        layout.Dispose();
        Teacher.Dispose();
    }
}
