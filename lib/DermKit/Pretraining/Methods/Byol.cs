using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// BYOL (Grill et al. 2020, arXiv 2006.07733): from one view the online network predicts what the target network, its own moving average, makes
/// of the other view. The target moves before the views are seen, its batch statistics are its own, and the online backbone is kept. Key names
/// are those of lightly-ai/lightly's example: <c>backbone.*</c>, <c>projection_head.*</c>, <c>prediction_head.*</c>, and the first two with
/// <c>_momentum</c> for the target.
/// </summary>
public sealed class Byol : PretrainMethod
{
    private readonly PairNetwork online, target;
    private readonly MovingAverage backbones, projections;

    /// <summary>Online and target network with the same weights, from the seed or file of the options.</summary>
    /// <exception cref="KitException">An option is out of its range, or the initial weights do not fit.</exception>
    public Byol(PretrainOptions options, Device device) : this(options, isStudent => StartingBackbone.Make(options, isStudent, device), device) { }

    /// <summary>With a backbone that no option names.</summary>
    internal Byol(PretrainOptions options, Func<bool, Backbone> backbone, Device device)
    {
        options.Check();
        ProjectionHead Head(int inputs, RandomPurpose purpose)
        {
            long seed = RandomStream.SeedOf(options.Seed, purpose);
            return ProjectionHead.Byol(inputs, options.HeadHidden, options.Outputs, seed, device);
        }
        Backbone made = backbone(true), copy = backbone(false);
        ProjectionHead prediction = Head(options.Outputs, RandomPurpose.PredictorWeights);
        online = new(options, made, Head(made.Dim, RandomPurpose.HeadWeights), prediction, device);
        target = new(options, copy, Head(copy.Dim, RandomPurpose.HeadWeights), null, device);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> source = online.state_dict();
        foreach ((string key, Tensor value) in target.state_dict()) value.copy_(source[key]);
        foreach (TorchSharp.Modules.Parameter parameter in target.parameters()) parameter.requires_grad_(false);
        (backbones, projections) = (new(copy, made, canUndo: true), new(target.Projection, online.Projection, canUndo: true));
    }

    /// <inheritdoc/>
    public override nn.Module Student => online;

    /// <summary>The target network, which no gradient reaches.</summary>
    public nn.Module Target => target;

    /// <inheritdoc/>
    public override Backbone Backbone => online.Backbone;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [.. online.buffers(), .. target.buffers()];

    /// <inheritdoc/>
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

    /// <inheritdoc/>
    public override void BeforeStep(double momentum)
    {
        backbones.Step(momentum);
        projections.Step(momentum);
    }

    /// <inheritdoc/>
    public override void TakeBack()
    {
        backbones.Undo();
        projections.Undo();
    }

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        online.Seed(step);
        using var scope = NewDisposeScope();
        Tensor target0, target1;
        using (no_grad()) (target0, target1) = (target.See(views, 0).Projections, target.See(views, 1).Projections);
        (Tensor features, Tensor projection0) = online.See(views, 0);
        Tensor prediction0 = online.Prediction.forward(projection0);
        Tensor prediction1 = online.Prediction.forward(online.See(views, 1).Projections);
        return new(ByolLoss.Symmetric(prediction0, prediction1, target0, target1).MoveToOuterDisposeScope(), features.detach().MoveToOuterDisposeScope(), null);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        backbones.Dispose();
        projections.Dispose();
        online.Dispose();
        target.Dispose();
    }
}
