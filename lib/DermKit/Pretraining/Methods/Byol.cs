using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Options of BYOL (Grill et al. 2020, arXiv 2006.07733).</summary>
public sealed record ByolOptions : PairOptions
{
    /// <summary>Sets the paper's values.</summary>
    public ByolOptions()
    {
        Optimizer = OptimizerKind.Lars;
        BaseLearningRate = 0.03;
        WeightDecay = 1.5e-6;
        WeightDecayEnd = 1.5e-6;
        HeadHidden = 4096;
        Outputs = 256;
    }

    /// <inheritdoc/>
    public override string Method => "BYOL";

    /// <summary>Momentum of the target network at the start; it rises to 1.</summary>
    [Allowed(0, 1)]
    public double TeacherMomentum { get; init; } = 0.996;

    internal override int ListOrder => 3;

    /// <inheritdoc/>
    public override PretrainMethod Create(Device device) => new Byol(this, null, device);

    /// <inheritdoc/>
    protected override (IReadOnlyList<IAugmentation> First, IReadOnlyList<IAugmentation> Second) Colours() =>
        (Colour(0.4, 0.4, 0.1, blur: 1), Colour(0.4, 0.4, 0.1, blur: 0.1, solarize: 0.2));

    /// <inheritdoc/>
    public override string ViewsCaption(int globals, int locals) =>
        "Training images, each with the two views of one step; only the first is always blurred, only the second ever "
        + "solarised. From one view the student has to predict what the teacher says of the other.";
}

/// <summary>The online network predicts from one view what the target, its moving average, projects from the other. The
/// target moves before the views are seen, with its own batch statistics; the online backbone is kept.</summary>
// Keys as in lightly-ai/lightly's example, the target's with _momentum.
internal sealed class Byol : PretrainMethod
{
    private readonly PairNetwork online, target;
    private readonly MovingAverage backbones, projections;

    public Byol(ByolOptions options, Func<bool, Backbone>? create, Device device)
    {
        options.Check();
        create ??= isStudent => StartingBackbone.Create(options, isStudent, device);
        ProjectionHead Head(int inputs, RandomPurpose purpose) => ProjectionHead.Byol(
            inputs, options.HeadHidden, options.Outputs, RandomStream.SeedOf(options.Seed, purpose), device);
        PairNetwork Network(bool isStudent)
        {
            Backbone backbone = create(isStudent);
            ProjectionHead projection = Head(backbone.Dim, RandomPurpose.HeadWeights);
            ProjectionHead? prediction = isStudent ? Head(options.Outputs, RandomPurpose.PredictorWeights) : null;
            return new(options, backbone, projection, prediction, device);
        }
        online = Network(isStudent: true);
        target = Network(isStudent: false);
        CopyToTeacher(online, target);
        backbones = new(target.Backbone, online.Backbone);
        projections = new(target.Projection, online.Projection);
        TeacherMomentum = options.TeacherMomentum;
    }

    public override nn.Module Student => online;

    public nn.Module Target => target;

    public override Backbone Backbone => online.Backbone;

    public override double TeacherMomentum { get; }

    public override IReadOnlyList<Tensor> Running =>
        [.. online.buffers(), .. target.buffers(), backbones.Teacher, projections.Teacher];

    public override IReadOnlyDictionary<string, Tensor> State
    {
        get
        {
            Dictionary<string, Tensor> state = online.state_dict();
            foreach ((string key, Tensor value) in target.state_dict())
                state[key.Insert(key.IndexOf('.'), "_momentum")] = value;
            return state;
        }
    }

    public override void BeforeStep(double momentum)
    {
        backbones.Step(momentum);
        projections.Step(momentum);
    }

    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        online.Seed(step);
        using var scope = NewDisposeScope();
        Tensor target0, target1;
        using (no_grad())
        {
            target0 = target.Project(views, 0).Projections;
            target1 = target.Project(views, 1).Projections;
        }
        (Tensor features, Tensor projection0) = online.Project(views, 0);
        Tensor prediction0 = online.Prediction.forward(projection0);
        Tensor prediction1 = online.Prediction.forward(online.Project(views, 1).Projections);
        Tensor loss = Symmetric(prediction0, prediction1, target0, target1);
        return new MethodOutput(loss, features.detach()).ToOuterScope();
    }

    /// <summary>Mean of -cos(prediction, target), [B, D] each (lightly's form of equation 2); norms >= 1e-8.</summary>
    internal static Tensor NegativeCosine(Tensor prediction, Tensor target) => Scoped(() =>
    {
        static Tensor Norm(Tensor x) => x.Norm(1).clamp_min(Kept(1e-8));
        return ((prediction * target).sum(1, keepdim: true) / (Norm(prediction) * Norm(target))).mean().neg();
    });

    internal static Tensor Symmetric(Tensor prediction0, Tensor prediction1, Tensor target0, Tensor target1) =>
        Scoped(() => NegativeCosine(prediction0, target1).Plus(NegativeCosine(prediction1, target0)) * Kept(0.5));

    protected override void Dispose(bool disposing)
    {
        backbones.Dispose();
        projections.Dispose();
        online.Dispose();
        target.Dispose();
    }
}
