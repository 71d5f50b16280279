using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Options of methods that compare two large views; ResNet-50 by default.</summary>
public abstract record PairOptions : PretrainOptions
{
    /// <summary>Sets the papers' common values.</summary>
    protected PairOptions()
    {
        Network = NetworkKind.ResNet50;
        GlobalScaleMin = 0.08;
        Batch = 90;
        DropPath = 0;
        MinLearningRate = 0;
    }

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<NetworkKind> Networks =>
        [NetworkKind.ResNet50, NetworkKind.ResNet18, NetworkKind.ViT];

    /// <summary>Colour changes of both views, by default SimCLR's (arXiv 2002.05709).</summary>
    protected virtual (IReadOnlyList<IAugmentation> First, IReadOnlyList<IAugmentation> Second) Colours()
    {
        IReadOnlyList<IAugmentation> both = Colour(0.8, 0.8, 0.2, blur: 0.5);
        return (both, both);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ViewRecipe[]> Recipes()
    {
        (IReadOnlyList<IAugmentation> first, IReadOnlyList<IAugmentation> second) = Colours();
        ViewRecipe recipe = new(new(GlobalScaleMin, 1), GlobalSize, first, ResizeFilter.Bilinear);
        return [[recipe, recipe with { Augmentations = second }]];
    }

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, string Expected)> Faults() =>
        (Batch < 2 ? [(nameof(Batch), $"2 or more for {Method}: one image has no batch statistics")]
            : Array.Empty<(string, string)>()).Concat(base.Faults());
}

/// <summary>Trains a backbone and a projection head on two views. Keys as in lightly-ai/lightly's examples:
/// <c>backbone.*</c>, <c>projection_head.*</c>.</summary>
public abstract class PairMethod : PretrainMethod
{
    private readonly PairNetwork network;

    /// <summary>Makes the network with SimCLR's head, from seed or weights file.</summary>
    /// <exception cref="KitException">An option is out of range, or the weights do not fit.</exception>
    protected PairMethod(PairOptions options, Device device) : this(options, null, device) { }

    private protected PairMethod(PairOptions options, Func<bool, Backbone>? create, Device device)
    {
        options.Check();
        create ??= isStudent => StartingBackbone.Create(options, isStudent, device);
        Backbone backbone = create(true);
        long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.HeadWeights);
        var head = ProjectionHead.SimClr(backbone.Dim, options.HeadHidden, options.Outputs, seed, device);
        network = new(options, backbone, head, null, device);
    }

    /// <inheritdoc/>
    public override nn.Module Student => network;

    /// <inheritdoc/>
    public override Backbone Backbone => network.Backbone;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [.. network.buffers()];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, Tensor> State => network.state_dict();

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        network.Seed(step);
        using var scope = NewDisposeScope();
        (Tensor features, Tensor first) = network.Project(views, 0);
        (_, Tensor second) = network.Project(views, 1);
        return new MethodOutput(Loss(first, second), features.detach()).ToOuterScope();
    }

    /// <summary>The loss, a scalar with a graph, of both views' projections [B, outputs].</summary>
    protected abstract Tensor Loss(Tensor first, Tensor second);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => network.Dispose();
}

internal sealed class PairNetwork : nn.Module
{
    private readonly Backbone backbone;
    [ComponentName(Name = "projection_head")]
    private readonly ProjectionHead projection;
    [ComponentName(Name = "prediction_head")]
    private readonly ProjectionHead? prediction;
    private readonly Generator? dropPath;
    private readonly long seed;

    public PairNetwork(
        PretrainOptions options, Backbone backbone, ProjectionHead projection, ProjectionHead? prediction,
        Device device) : base(nameof(PairNetwork))
    {
        this.backbone = backbone;
        this.projection = projection;
        this.prediction = prediction;
        seed = options.Seed;
        RegisterComponents();
        Dense.ComputeIn(this, options.ProductType(device));
        if (backbone is VisionTransformer { Config.DropPath: > 0 } vit && device.type != DeviceType.META)
            vit.DropPathGenerator = dropPath = new Generator(0, device);
        train();
    }

    public Backbone Backbone => backbone;

    public ProjectionHead Projection => projection;

    public ProjectionHead Prediction => prediction!;

    // A seed for each step: a resumed run needs no state of the generator.
    public void Seed(long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(seed, RandomPurpose.StochasticDepth, step));

    // Features [B, D] and projections [B, outputs] of one view: batch normalisation uses one view's statistics.
    public (Tensor Features, Tensor Projections) Project(Views views, int view)
    {
        using var scope = NewDisposeScope();
        long images = views.Globals.shape[0] / 2;
        Tensor features = backbone.forward(views.Globals.narrow(0, view * images, images));
        return (features.MoveToOuterDisposeScope(), projection.forward(features).MoveToOuterDisposeScope());
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) dropPath?.Dispose();
        base.Dispose(disposing);
    }
}
