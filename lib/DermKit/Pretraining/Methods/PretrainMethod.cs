using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>What a method says of one batch; the caller disposes it.</summary>
/// <param name="Loss">Scalar with a graph.</param>
/// <param name="Features">Backbone features [B, D] without a graph, for the collapse monitor.</param>
/// <param name="Targets">The teacher's distributions [N, K] without a graph; null for a method that has none.</param>
public sealed record MethodOutput(Tensor Loss, Tensor Features, Tensor? Targets) : IDisposable
{
    /// <summary>The part of the loss that comes from masked patches, a scalar without a graph; null for a method that masks nothing.</summary>
    public Tensor? PatchLoss { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Loss.Dispose();
        Features.Dispose();
        Targets?.Dispose();
        PatchLoss?.Dispose();
    }
}

/// <summary>One way of self-supervised pre-training, as the <see cref="Pretrainer"/> drives it: views, loss, backward pass, optimiser, then the teacher.</summary>
public abstract class PretrainMethod : IDisposable
{
    /// <summary>The method that the options name, with weights from their seed or file.</summary>
    /// <exception cref="KitException">An option is out of its range, or the initial weights do not fit.</exception>
    public static PretrainMethod Create(PretrainOptions options, Device device) => options.Method switch
    {
        "DINO" => new Dino(options, device),
        "iBOT" => new IBot(options, device),
        "SimCLR" => new SimClr(options, device),
        "BYOL" => new Byol(options, device),
        _ => throw new KitException($"Method '{options.Method}' is unknown."),
    };

    /// <summary>What the optimiser trains, in training mode.</summary>
    public abstract nn.Module Student { get; }

    /// <summary>The backbone that is kept at the end: the teacher's for DINO and iBOT, else the trained one.</summary>
    public abstract Backbone Backbone { get; }

    /// <summary>Outputs K of the loss; 0 for a method whose loss has no such number.</summary>
    public virtual int Outputs => 0;

    /// <summary>All tensors that a checkpoint holds, by key, as they are: loading copies into them.</summary>
    public abstract IReadOnlyDictionary<string, Tensor> State { get; }

    /// <summary>Tensors that <see cref="Forward"/> itself changes, such as centres and running statistics, so that a step can be taken back.</summary>
    public abstract IReadOnlyList<Tensor> Running { get; }

    /// <summary>The loss of the views of one batch.</summary>
    /// <param name="views">On the method's device.</param>
    /// <param name="step">Number of the step from 0: with the seed it decides all draws inside the model.</param>
    /// <param name="epoch">From 0.</param>
    public abstract MethodOutput Forward(Views views, long step, int epoch);

    /// <summary>True for a parameter whose gradient is dropped in this epoch.</summary>
    public virtual bool IsFrozen(string parameter, int epoch) => false;

    /// <summary>Called before the views of a step are seen: moves the teacher of a method that moves it first (BYOL).</summary>
    /// <param name="momentum">Of this step.</param>
    public virtual void BeforeStep(double momentum) { }

    /// <summary>Takes <see cref="BeforeStep"/> back, for a step that is skipped.</summary>
    public virtual void TakeBack() { }

    /// <summary>Called after the optimiser: moves the teacher of a method that moves it last (DINO, iBOT).</summary>
    /// <param name="momentum">Of this step.</param>
    public virtual void AfterStep(double momentum) { }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the models.</summary>
    protected abstract void Dispose(bool disposing);
}
