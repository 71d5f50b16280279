using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>A batch's result, which the caller disposes: loss (scalar with a graph) and, without a graph, backbone
/// features [B, D], the teacher's distributions [N, K] and the masked patches' part of the loss (null if it has
/// none).</summary>
public sealed record MethodOutput(
    Tensor Loss, Tensor Features, Tensor? Targets = null, Tensor? PatchLoss = null) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Loss.Dispose();
        Features.Dispose();
        Targets?.Dispose();
        PatchLoss?.Dispose();
    }

    /// <summary>Moves the tensors out of the current dispose scope.</summary>
    public MethodOutput ToOuterScope()
    {
        Loss.MoveToOuterDisposeScope();
        Features.MoveToOuterDisposeScope();
        Targets?.MoveToOuterDisposeScope();
        PatchLoss?.MoveToOuterDisposeScope();
        return this;
    }
}

/// <summary>A self-supervised method, made by <see cref="PretrainOptions.Create"/>. <see cref="Pretrainer"/> calls in
/// this order: views, loss, backward pass, optimiser, teacher.</summary>
public abstract class PretrainMethod : IDisposable
{
    /// <summary>The trained model, in training mode.</summary>
    public abstract nn.Module Student { get; }

    /// <summary>The backbone that is kept: the teacher's for DINO and iBOT, else the trained one.</summary>
    public abstract Backbone Backbone { get; }

    /// <summary>Loss of outputs that are the same for every image; NaN if it has no such value.</summary>
    public virtual double UniformLoss => double.NaN;

    /// <summary>The teacher's momentum in the first step; it rises to 1 along a cosine.</summary>
    public virtual double TeacherMomentum => 1;

    /// <summary>The tensors of a checkpoint by key; loading copies into them.</summary>
    public abstract IReadOnlyDictionary<string, Tensor> State { get; }

    /// <summary>Tensors that <see cref="BeforeStep"/> and <see cref="Forward"/> change, such as centres; they are
    /// restored after a step whose loss is not finite.</summary>
    public abstract IReadOnlyList<Tensor> Running { get; }

    /// <summary>Computes the loss of a batch's views on the method's device. The step, from 0, and the seed decide all
    /// draws inside the model; epochs count from 0.</summary>
    public abstract MethodOutput Forward(Views views, long step, int epoch);

    /// <summary>True for a parameter that this epoch does not train.</summary>
    public virtual bool IsFrozen(string parameter, int epoch) => false;

    /// <summary>Moves the teacher before the views are seen (BYOL).</summary>
    public virtual void BeforeStep(double momentum) { }

    /// <summary>Moves the teacher after the optimiser (DINO, iBOT).</summary>
    public virtual void AfterStep(double momentum) { }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the models.</summary>
    protected abstract void Dispose(bool disposing);

    // Copies the state into a model of the same shape, which then takes no gradients.
    private protected static void CopyToTeacher(nn.Module student, nn.Module teacher)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> source = student.state_dict();
        foreach ((string key, Tensor value) in teacher.state_dict()) value.copy_(source[key]);
        foreach (Parameter parameter in teacher.parameters()) parameter.requires_grad_(false);
    }
}
