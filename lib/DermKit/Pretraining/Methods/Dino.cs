namespace DermKit.Pretraining;

/// <summary>Options of DINO (Caron et al. 2021, arXiv 2104.14294).</summary>
public sealed record DinoOptions : TeacherStudentOptions
{
    /// <inheritdoc/>
    public override string Method => "DINO";

    internal override int ListOrder => 0;

    /// <inheritdoc/>
    public override PretrainMethod Create(Device device) => new Dino(this, device);

    /// <inheritdoc/>
    public override string ViewsCaption(int globals, int locals) =>
        $"Each row is one training image with {globals} global and {locals} local crops of one step: cut out, "
        + "mirrored, recoloured, blurred. The teacher sees the global crops only; the student has to give its answer "
        + "from every crop. Is the lesion still there in the small ones?";
}

/// <summary>The student's outputs for all crops are to match the teacher's for the global crops.</summary>
internal sealed class Dino : TeacherStudent
{
    private readonly double[] temperatures;
    private readonly DinoLoss loss;

    public Dino(DinoOptions options, Device device) : base(options, device)
    {
        temperatures = options.TeacherTemperatures();
        loss = new DinoLoss(options.Outputs, options.StudentTemperature, options.CenterMomentum, device);
    }

    protected override IReadOnlyDictionary<string, Tensor> Centers =>
        new Dictionary<string, Tensor> { ["center"] = loss.Center };

    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        Seed(step);
        using var scope = NewDisposeScope();
        Tensor features, targets, logits;
        using (no_grad())
        {
            features = TeacherNetwork.Backbone.forward(views.Globals);
            logits = TeacherNetwork.Head.forward(features);
            targets = loss.Targets(logits, temperatures.At(epoch));
        }
        Tensor seen = StudentNetwork.Backbone.forward(views.Globals);
        if (views.Locals is not null) seen = cat([seen, StudentNetwork.Backbone.forward(views.Locals)], 0);
        Tensor value = loss.Loss(StudentNetwork.Head.forward(seen), targets);
        loss.UpdateCenter(logits);
        return new MethodOutput(value, features.narrow(0, 0, features.shape[0] / 2), targets).ToOuterScope();
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        loss.Dispose();
    }
}

/// <summary>Cross-entropy between the teacher's centred, sharpened distribution of a global crop and the student's of
/// every other crop, averaged over pairs (equation 3, algorithm 1; facebookresearch/dino, DINOLoss).</summary>
internal sealed class DinoLoss(
    long outputs, double studentTemperature = 0.1, double centerMomentum = 0.9, Device? device = null) : IDisposable
{
    // Running mean of the teacher's logits, [1, K].
    public Tensor Center { get; } = zeros(1, outputs, float32, device ?? CPU).DetachFromDisposeScope();

    // [2B, K] each, without a graph.
    public Tensor Targets(Tensor teacher, double temperature)
    {
        using var noGrad = no_grad();
        return Scoped(() => ((teacher - Center) / Kept(temperature)).softmax(-1));
    }

    // Student's logits [V * B, K], crop-major, global crops first; targets [2B, K].
    public Tensor Loss(Tensor student, Tensor targets)
    {
        long batch = targets.shape[0] / 2, crops = batch == 0 ? 0 : student.shape[0] / batch;
        bool fits = targets.shape[0] == 2 * batch && student.shape[0] == crops * batch;
        if (crops < 2 || !fits || student.shape[1] != targets.shape[1])
            throw new ArgumentException("Expected student logits [V * B, K] and targets [2B, K] with V of 2 or more, "
                + $"found {student.Shape()} and {targets.Shape()}.");
        return Scoped(() =>
        {
            Tensor log = (student / Kept(studentTemperature)).log_softmax(-1);
            // A global crop is compared with the other one's target, a local crop with both.
            Tensor first = targets.narrow(0, 0, batch), second = targets.narrow(0, batch, batch);
            Tensor agreement =
                (log.narrow(0, 0, batch) * second).sum().Plus((log.narrow(0, batch, batch) * first).sum());
            if (crops > 2)
            {
                Tensor locals = log.narrow(0, 2 * batch, (crops - 2) * batch).view(crops - 2, batch, -1);
                agreement = agreement.Plus((locals * first.Plus(second)).sum());
            }
            return agreement / Kept(-(batch * (2.0 * crops - 2)));
        });
    }

    // Call after the loss of the step.
    public void UpdateCenter(Tensor teacher) => Move(Center, teacher.mean([0], keepdim: true), centerMomentum);

    internal static void Move(Tensor center, Tensor mean, double momentum)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        center.mul_(Kept(momentum)).PlusInPlace(mean * Kept(1 - momentum));
    }

    public void Dispose() => Center.Dispose();
}
