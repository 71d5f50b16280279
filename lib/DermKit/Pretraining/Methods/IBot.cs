namespace DermKit.Pretraining;

/// <summary>Options of iBOT (Zhou et al. 2022, arXiv 2111.07832).</summary>
public sealed record IBotOptions : TeacherStudentOptions
{
    /// <summary>Sets the paper's values.</summary>
    public IBotOptions()
    {
        BaseLearningRate = 5e-3;
        MinLearningRate = 5e-4;
    }

    /// <inheritdoc/>
    public override string Method => "iBOT";

    /// <summary>Uses one last layer for CLS and patch tokens.</summary>
    public bool SharedHead { get; init; } = true;

    /// <summary>Outputs for patch tokens when <see cref="SharedHead"/> is false.</summary>
    [Allowed(2)]
    public int PatchOutputs { get; init; } = 4096;

    /// <summary>The teacher's softmax temperature for patch tokens after its warm-up.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double PatchTemperature { get; init; } = 0.07;

    /// <summary>The teacher's softmax temperature for patch tokens at the start.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double PatchTemperatureStart { get; init; } = 0.04;

    /// <summary>Epochs over which the patch temperature rises.</summary>
    [Allowed(0)]
    public int PatchTemperatureWarmup { get; init; } = 30;

    /// <summary>Weight of the CLS tokens' loss.</summary>
    [Allowed(0)]
    public double ClsWeight { get; init; } = 1;

    /// <summary>Weight of the masked patches' loss.</summary>
    [Allowed(0)]
    public double PatchWeight { get; init; } = 1;

    /// <summary>Share of a global crop's patches that is masked.</summary>
    [Allowed(0, 1)]
    public double MaskRatio { get; init; } = 0.3;

    /// <summary>Half of the range around <see cref="MaskRatio"/> from which a crop's share is drawn.</summary>
    [Allowed(0)]
    public double MaskVariance { get; init; }

    /// <summary>Chance that a global crop is masked.</summary>
    [Allowed(0, 1)]
    public double MaskChance { get; init; } = 1;

    /// <summary>Least aspect ratio of a masked block; the largest is its inverse.</summary>
    [Allowed(0, 1, IsMinExcluded = true)]
    public double MaskAspect { get; init; } = 0.3;

    /// <summary>First epoch, from 0, in which patches are masked.</summary>
    [Allowed(0)]
    public int MaskStartEpoch { get; init; }

    internal override int ListOrder => 1;

    internal override bool HasMaskToken => true;

    private protected override int HeadPatchOutputs => SharedHead ? 0 : PatchOutputs;

    /// <inheritdoc/>
    public override PretrainMethod Create(Device device) => new IBot(this, device);

    /// <inheritdoc/>
    public override PatchMasks Masks(ReadOnlySpan<int> ids, int epoch, Device device) =>
        new BlockMask(MaskRatio, MaskVariance, MaskAspect, epoch < MaskStartEpoch ? 0 : MaskChance)
            .ForBatch(ids, Seed, epoch, GlobalSize / Patch, device);

    /// <inheritdoc/>
    public override string ViewsCaption(int globals, int locals) =>
        $"Each row is one training image with {globals} global and {locals} local crops of one step as the student "
        + "sees them. The teacher sees the global crops without the masked blocks, and the student has to say what "
        + "lies under them.";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, string Expected)> Faults() => base.Faults()
        .Concat(MaskVariance > MaskRatio ? [(nameof(MaskVariance), "0 to maskRatio")] : [])
        .Concat(SharedHead
            ? Unread("with sharedHead the patches have the outputs of CLS", nameof(PatchOutputs)) : [])
        .Concat(PatchTemperatureWarmup == 0 && PatchTemperatureStart != PatchTemperature
            ? Unread(NoStart(nameof(PatchTemperatureWarmup)), nameof(PatchTemperatureStart)) : []);

    // The start value until masking begins, then as DINO's.
    internal double[] PatchTemperatures()
    {
        double[] warm = Schedules.TeacherTemperature(
            PatchTemperatureStart, PatchTemperature, Epochs, PatchTemperatureWarmup);
        return [.. Enumerable.Repeat(PatchTemperatureStart, MaskStartEpoch).Concat(warm).Take(Epochs)];
    }
}

/// <summary>DINO, and the student predicts the teacher's distribution at masked patches of its global crops.</summary>
internal sealed class IBot : TeacherStudent
{
    private readonly IBotOptions options;
    private readonly IBotLoss loss;

    public IBot(IBotOptions options, Device device) : base(options, device)
    {
        this.options = options;
        loss = new IBotLoss(options, device);
    }

    public override double UniformLoss => options.ClsWeight > 0 ? options.ClsWeight * base.UniformLoss : double.NaN;

    protected override IReadOnlyDictionary<string, Tensor> Centers =>
        new Dictionary<string, Tensor> { ["center"] = loss.Cls.Center, ["center2"] = loss.PatchCenter };

    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        PatchMasks masks = views.Masks
            ?? throw new ArgumentException("iBOT needs the masks of the global crops.", nameof(views));
        Seed(step);
        using var scope = NewDisposeScope();
        Tensor features, cls, patches, targets;
        using (no_grad())
        {
            Tensor tokens = TeacherNetwork.Backbone.Tokens(views.Globals);
            features = tokens.select(1, 0).contiguous();
            cls = TeacherNetwork.Head.forward(features);
            patches = TeacherNetwork.Head.Patches(tokens.narrow(1, 1, tokens.shape[1] - 1));
            targets = loss.Targets(cls, epoch);
        }
        Tensor seen = StudentNetwork.Backbone.Tokens(views.Globals, masks.Cells);
        Tensor seenCls = seen.select(1, 0);
        if (views.Locals is not null) seenCls = cat([seenCls, StudentNetwork.Backbone.forward(views.Locals)], 0);
        // The loss needs masked patches only; all the teacher's patches move the centre.
        Tensor masked = masks.Of(seen.narrow(1, 1, seen.shape[1] - 1));
        Tensor answer = StudentNetwork.Head.forward(seenCls), patchAnswer = StudentNetwork.Head.Patches(masked);
        var (total, _, patch) = loss.Loss(answer, targets, patchAnswer, masks.Of(patches), masks.Weight, epoch);
        loss.UpdateCenters(cls, patches);
        Tensor first = features.narrow(0, 0, features.shape[0] / 2);
        return new MethodOutput(total, first, targets, patch.detach()).ToOuterScope();
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        loss.Dispose();
    }
}

/// <summary><see cref="DinoLoss"/> on CLS tokens; on masked patches the cross-entropy between the teacher's and the
/// student's distribution at the same place, averaged in each crop, then over crops. Patches have their own centre
/// (equations 1 to 3; bytedance/ibot, iBOTLoss).</summary>
internal sealed class IBotLoss(IBotOptions options, Device? device = null) : IDisposable
{
    private readonly double[] temperatures = options.TeacherTemperatures(),
        patchTemperatures = options.PatchTemperatures();

    public DinoLoss Cls { get; } = new(options.Outputs, options.StudentTemperature, options.CenterMomentum, device);

    // Running mean of the teacher's patch logits, [1, 1, K of patches].
    public Tensor PatchCenter { get; } =
        zeros(1, 1, options.SharedHead ? options.Outputs : options.PatchOutputs, float32, device ?? CPU)
            .DetachFromDisposeScope();

    // Share of the old patch centre that stays; the original trains with that of CLS.
    internal double PatchCenterMomentum { get; init; } = options.CenterMomentum;

    // [2B, K], without a graph.
    public Tensor Targets(Tensor cls, int epoch) => Cls.Targets(cls, temperatures.At(epoch));

    // CLS [V * B, K], crop-major; the student's and the teacher's masked patches [M, K of patches] with weights [M].
    // Returns the sum and its two weighted parts, scalars.
    public (Tensor Total, Tensor Cls, Tensor Patches) Loss(
        Tensor cls, Tensor targets, Tensor patches, Tensor teacherPatches, Tensor weight, int epoch)
    {
        using var scope = NewDisposeScope();
        Tensor wanted;
        using (no_grad())
        {
            Tensor centred = teacherPatches - PatchCenter.view(1, -1);
            wanted = (centred / Kept(patchTemperatures.At(epoch))).softmax(-1);
        }
        Tensor agreement = (wanted * (patches / Kept(options.StudentTemperature)).log_softmax(-1)).sum(-1);
        Tensor patch = (agreement * weight).sum() * Kept(-options.PatchWeight);
        Tensor whole = Cls.Loss(cls, targets) * Kept(options.ClsWeight);
        Tensor total = whole.Plus(patch);
        foreach (Tensor value in (Tensor[])[total, whole, patch]) value.MoveToOuterDisposeScope();
        return (total, whole, patch);
    }

    // Call after the loss of the step: CLS [2B, K], all patches [2B, N, K of patches].
    public void UpdateCenters(Tensor cls, Tensor patches)
    {
        using var scope = NewDisposeScope();
        Cls.UpdateCenter(cls);
        DinoLoss.Move(PatchCenter, patches.mean([0, 1], keepdim: true), PatchCenterMomentum);
    }

    public void Dispose()
    {
        Cls.Dispose();
        PatchCenter.Dispose();
    }
}
