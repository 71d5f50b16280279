using DermKit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// iBOT (Zhou et al. 2022, arXiv 2111.07832): DINO, and the student, which sees its global crops with masked patches, is to say of every
/// masked patch what the teacher says of it. Key names are those of bytedance/ibot; a shared last layer is kept once.
/// </summary>
public sealed class IBot : PretrainMethod
{
    private readonly PretrainOptions options;
    private readonly DinoNetwork student, teacher;
    private readonly MovingAverage average;
    private readonly IBotLoss loss;
    private readonly Generator? dropPath;

    /// <summary>Student and teacher with the same weights, drawn from the seed of the options.</summary>
    /// <exception cref="KitException">An option is out of its range.</exception>
    public IBot(PretrainOptions options, Device device)
    {
        options.Check();
        this.options = options;
        student = new DinoNetwork(options, isStudent: true, device);
        teacher = DinoNetwork.TeacherOf(student, options, device);
        average = new(teacher, student);
        if (device.type != DeviceType.META) student.Backbone.DropPathGenerator = dropPath = new Generator(0, device);
        student.train();
        teacher.train();
        loss = new IBotLoss(options, device);
    }

    /// <inheritdoc/>
    public override nn.Module Student => student;

    /// <summary>The teacher, which no gradient reaches.</summary>
    public nn.Module Teacher => teacher;

    /// <inheritdoc/>
    public override Backbone Backbone => teacher.Backbone;

    /// <inheritdoc/>
    public override int Outputs => options.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [loss.Cls.Center, loss.PatchCenter, .. student.buffers(), .. teacher.buffers()];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, Tensor> State
    {
        get
        {
            var state = new Dictionary<string, Tensor> { ["center"] = loss.Cls.Center, ["center2"] = loss.PatchCenter };
            foreach ((string key, Tensor value) in student.state_dict()) state["student." + key] = value;
            foreach ((string key, Tensor value) in teacher.state_dict()) state["teacher." + key] = value;
            return state;
        }
    }

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        PatchMasks masks = views.Masks ?? throw new ArgumentException("iBOT needs the masks of the global crops.", nameof(views));
        // Seeded anew at every step, so that a resumed run needs no state of the generator.
        dropPath?.manual_seed(options.Seed * 1_000_003L + step);
        using var scope = NewDisposeScope();
        Tensor features, cls, patches, targets;
        using (no_grad())
        {
            Tensor tokens = teacher.Backbone.Tokens(views.Globals);
            features = tokens.select(1, 0).contiguous();
            cls = teacher.Head.forward(features);
            patches = teacher.Head.Patches(tokens.narrow(1, 1, tokens.shape[1] - 1));
            targets = loss.Targets(cls, epoch);
        }
        Tensor seen = student.Backbone.Tokens(views.Globals, masks.Cells);
        Tensor seenCls = seen.select(1, 0);
        if (views.Locals is not null) seenCls = cat([seenCls, student.Backbone.forward(views.Locals)], 0);
        // Only masked patches have a loss, so the student's head need not see the others; all of the teacher's move the centre.
        Tensor masked = masks.Of(seen.narrow(1, 1, seen.shape[1] - 1));
        (Tensor total, _, Tensor patch) = loss.Loss(student.Head.forward(seenCls), targets, student.Head.Patches(masked), masks.Of(patches), masks.Weight, epoch);
        loss.UpdateCenters(cls, patches);
        return new(total.MoveToOuterDisposeScope(), features.narrow(0, 0, features.shape[0] / 2).MoveToOuterDisposeScope(), targets.MoveToOuterDisposeScope())
        {
            PatchLoss = patch.detach().MoveToOuterDisposeScope(),
        };
    }

    /// <inheritdoc/>
    public override bool IsFrozen(string parameter, int epoch) => epoch < options.FrozenLastLayerEpochs && parameter.Contains("last_layer", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override void AfterStep(double momentum) => average.Step(momentum);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        average.Dispose();
        student.Dispose();
        teacher.Dispose();
        loss.Dispose();
        dropPath?.Dispose();
    }
}
