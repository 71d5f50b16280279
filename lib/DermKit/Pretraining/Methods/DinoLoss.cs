using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// DINO's loss (Caron et al. 2021, arXiv 2104.14294, equation 3 and algorithm 1; facebookresearch/dino, DINOLoss): cross-entropy between the
/// teacher's centred and sharpened distribution of a global crop and the student's distribution of every other crop, averaged over pairs.
/// </summary>
public sealed class DinoLoss : IDisposable
{
    private readonly double studentTemperature;
    private readonly double centerMomentum;

    /// <summary>Starts with a centre of zeros.</summary>
    /// <param name="outputs">K.</param>
    /// <param name="studentTemperature">Of the student's softmax.</param>
    /// <param name="centerMomentum">Share of the old centre that stays at an update; 1 keeps the centre at zero, which switches centring off.</param>
    /// <param name="device">Where the logits lie.</param>
    public DinoLoss(long outputs, double studentTemperature = 0.1, double centerMomentum = 0.9, Device? device = null)
    {
        (this.studentTemperature, this.centerMomentum) = (studentTemperature, centerMomentum);
        Center = zeros(1, outputs, ScalarType.Float32, device ?? CPU).DetachFromDisposeScope();
    }

    /// <summary>Running mean of the teacher's logits, [1, K].</summary>
    public Tensor Center { get; }

    /// <summary>The teacher's distributions, without a graph.</summary>
    /// <param name="teacher">Logits [2B, K].</param>
    /// <param name="temperature">Of the teacher's softmax.</param>
    /// <returns>[2B, K], rows summing to 1.</returns>
    public Tensor Targets(Tensor teacher, double temperature)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return ((teacher - Center) / Kept(temperature)).softmax(-1).MoveToOuterDisposeScope();
    }

    /// <summary>The loss of a batch, with a graph to the student's logits.</summary>
    /// <param name="student">Logits of all crops [V * B, K], crop-major, the two global ones first.</param>
    /// <param name="targets">From <see cref="Targets"/>, [2B, K], crop-major.</param>
    /// <returns>A scalar.</returns>
    /// <exception cref="ArgumentException">The sizes do not fit, or there are fewer than two crops.</exception>
    public Tensor Loss(Tensor student, Tensor targets)
    {
        long batch = targets.shape[0] / 2, crops = batch == 0 ? 0 : student.shape[0] / batch;
        if (crops < 2 || targets.shape[0] != 2 * batch || student.shape[0] != crops * batch || student.shape[1] != targets.shape[1])
            throw new ArgumentException($"Expected student logits [V * B, K] and targets [2B, K] with V of 2 or more, found [{string.Join(", ", student.shape)}] and [{string.Join(", ", targets.shape)}].");
        using var scope = NewDisposeScope();
        Tensor log = (student / Kept(studentTemperature)).log_softmax(-1);
        // Crop 0 answers to the target of crop 1 and the other way round; a local crop answers to both.
        Tensor first = targets.narrow(0, 0, batch), second = targets.narrow(0, batch, batch);
        Tensor agreement = (log.narrow(0, 0, batch) * second).sum().Plus((log.narrow(0, batch, batch) * first).sum());
        if (crops > 2) agreement = agreement.Plus((log.narrow(0, 2 * batch, (crops - 2) * batch).view(crops - 2, batch, -1) * first.Plus(second)).sum());
        return (agreement / Kept(-(batch * (2.0 * crops - 2)))).MoveToOuterDisposeScope();
    }

    /// <summary>Moves the centre towards the mean of the teacher's logits [2B, K]; called after the loss of the same step.</summary>
    public void UpdateCenter(Tensor teacher)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Center.mul_(Kept(centerMomentum)).PlusInPlace(teacher.mean([0], keepdim: true) * Kept(1 - centerMomentum));
    }

    /// <inheritdoc/>
    public void Dispose() => Center.Dispose();
}
