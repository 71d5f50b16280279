using DermKit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// iBOT (Zhou et al. 2022, arXiv 2111.07832): DINO, and the student, which sees its global crops with masked patches, is to say of every
/// masked patch what the teacher says of it. Key names are those of bytedance/ibot; a shared last layer is kept once.
/// </summary>
public sealed class IBot : TeacherStudent
{
    private readonly IBotLoss loss;

    /// <inheritdoc/>
    public IBot(PretrainOptions options, Device device) : base(options, device) => loss = new IBotLoss(options, device);

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, Tensor> Centers => new Dictionary<string, Tensor> { ["center"] = loss.Cls.Center, ["center2"] = loss.PatchCenter };

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        PatchMasks masks = views.Masks ?? throw new ArgumentException("iBOT needs the masks of the global crops.", nameof(views));
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
        // Only masked patches have a loss, so the student's head need not see the others; all of the teacher's move the centre.
        Tensor masked = masks.Of(seen.narrow(1, 1, seen.shape[1] - 1));
        (Tensor total, _, Tensor patch) = loss.Loss(StudentNetwork.Head.forward(seenCls), targets, StudentNetwork.Head.Patches(masked), masks.Of(patches), masks.Weight, epoch);
        loss.UpdateCenters(cls, patches);
        return new(total.MoveToOuterDisposeScope(), features.narrow(0, 0, features.shape[0] / 2).MoveToOuterDisposeScope(), targets.MoveToOuterDisposeScope())
        {
            PatchLoss = patch.detach().MoveToOuterDisposeScope(),
        };
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        loss.Dispose();
    }
}
