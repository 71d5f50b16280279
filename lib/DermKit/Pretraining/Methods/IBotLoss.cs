using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// iBOT's loss (Zhou et al. 2022, arXiv 2111.07832, equations 1 to 3; bytedance/ibot, iBOTLoss): <see cref="DinoLoss"/> on the CLS tokens, and on each
/// masked patch of a global crop the cross-entropy between the teacher's distribution at the same place of the same, unmasked crop and the
/// student's; patches are averaged in each crop, then over crops. Patches have a centre of their own.
/// </summary>
public sealed class IBotLoss : IDisposable
{
    private readonly PretrainOptions options;
    private readonly double[] temperatures, patchTemperatures;

    /// <summary>Starts with centres of zeros.</summary>
    /// <param name="options">Temperatures, weights, outputs and epochs.</param>
    /// <param name="device">Where the logits lie.</param>
    public IBotLoss(PretrainOptions options, Device? device = null)
    {
        this.options = options;
        PatchCenterMomentum = options.CenterMomentum;
        Cls = new DinoLoss(options.Outputs, options.StudentTemperature, options.CenterMomentum, device);
        PatchCenter = zeros(1, 1, options.SharedHead ? options.Outputs : options.PatchOutputs, ScalarType.Float32, device ?? CPU).DetachFromDisposeScope();
        temperatures = Schedules.TeacherTemperature(options.TeacherTemperatureStart, options.TeacherTemperature, options.Epochs, options.TeacherTemperatureWarmup);
        patchTemperatures = PatchTemperatures(options);
    }

    /// <summary>The part of the CLS tokens, with its centre.</summary>
    public DinoLoss Cls { get; }

    /// <summary>Running mean of the teacher's patch logits, [1, 1, K of patches].</summary>
    public Tensor PatchCenter { get; }

    /// <summary>Share of the old patch centre that stays; the same as for CLS, as in the original's training, though its loss takes two.</summary>
    internal double PatchCenterMomentum { get; init; }

    /// <summary>Temperature of the teacher's softmax for patches in each epoch: the start value until masking begins, then as DINO's.</summary>
    public static double[] PatchTemperatures(PretrainOptions options) =>
        [.. Enumerable.Repeat(options.PatchTemperatureStart, options.MaskStartEpoch)
            .Concat(Schedules.TeacherTemperature(options.PatchTemperatureStart, options.PatchTemperature, options.Epochs, options.PatchTemperatureWarmup)).Take(options.Epochs)];

    /// <summary>The teacher's distributions of CLS tokens [2B, K], without a graph.</summary>
    public Tensor Targets(Tensor cls, int epoch) => Cls.Targets(cls, temperatures[Math.Min(epoch, temperatures.Length - 1)]);

    /// <summary>The loss of a batch, with a graph to the student's logits.</summary>
    /// <param name="cls">Student, CLS tokens of all crops [V * B, K], crop-major.</param>
    /// <param name="targets">From <see cref="Targets"/>.</param>
    /// <param name="patches">Student, masked patches [M, K of patches].</param>
    /// <param name="teacherPatches">Teacher, the same patches [M, K of patches].</param>
    /// <param name="weight">Share of each masked patch, [M] (<see cref="PatchMasks.Weight"/>).</param>
    /// <param name="epoch">From 0.</param>
    /// <returns>Weighted sum, and its two weighted parts; scalars.</returns>
    public (Tensor Total, Tensor Cls, Tensor Patches) Loss(Tensor cls, Tensor targets, Tensor patches, Tensor teacherPatches, Tensor weight, int epoch)
    {
        using var scope = NewDisposeScope();
        Tensor wanted;
        using (no_grad()) wanted = ((teacherPatches - PatchCenter.view(1, -1)) / Kept(patchTemperatures[Math.Min(epoch, patchTemperatures.Length - 1)])).softmax(-1);
        Tensor agreement = (wanted * (patches / Kept(options.StudentTemperature)).log_softmax(-1)).sum(-1);
        Tensor patch = (agreement * weight).sum() * Kept(-options.PatchWeight);
        Tensor whole = Cls.Loss(cls, targets) * Kept(options.ClsWeight);
        return (whole.Plus(patch).MoveToOuterDisposeScope(), whole.MoveToOuterDisposeScope(), patch.MoveToOuterDisposeScope());
    }

    /// <summary>Moves both centres towards the means of the teacher's logits; called after the loss of the same step.</summary>
    /// <param name="cls">[2B, K].</param>
    /// <param name="patches">All patches, [2B, N, K of patches].</param>
    public void UpdateCenters(Tensor cls, Tensor patches)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Cls.UpdateCenter(cls);
        PatchCenter.mul_(Kept(PatchCenterMomentum)).PlusInPlace(patches.mean([0, 1], keepdim: true) * Kept(1 - PatchCenterMomentum));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Cls.Dispose();
        PatchCenter.Dispose();
    }
}
