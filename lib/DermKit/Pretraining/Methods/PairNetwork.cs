using DermKit.Models;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>Backbone and heads of SimCLR and BYOL under the names of lightly-ai/lightly's examples, in training mode.</summary>
internal sealed class PairNetwork : nn.Module
{
    private readonly Backbone backbone;
    [ComponentName(Name = "projection_head")]
    private readonly ProjectionHead projection;
    [ComponentName(Name = "prediction_head")]
    private readonly ProjectionHead? prediction;
    private readonly Generator? dropPath;
    private readonly long seed;

    /// <summary>Takes over the parts.</summary>
    public PairNetwork(PretrainOptions options, Backbone backbone, ProjectionHead projection, ProjectionHead? prediction, Device device) : base(nameof(PairNetwork))
    {
        (this.backbone, this.projection, this.prediction, seed) = (backbone, projection, prediction, options.Seed);
        RegisterComponents();
        Dense.ComputeIn(this, options.Products(device));
        if (backbone is VisionTransformer { Config.DropPath: > 0 } vit && device.type != DeviceType.META)
            vit.DropPathGenerator = dropPath = new Generator(0, device);
        train();
    }

    public Backbone Backbone => backbone;

    public ProjectionHead Projection => projection;

    public ProjectionHead Prediction => prediction!;

    /// <summary>Seeds stochastic depth anew, so that a resumed run needs no state of the generator.</summary>
    public void Seed(long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(seed, RandomPurpose.StochasticDepth, step));

    /// <summary>
    /// Features [B, D] and projections [B, outputs] of view 0 or 1. One view at a time: batch normalisation is to see the statistics of a view, as
    /// in the originals.
    /// </summary>
    public (Tensor Features, Tensor Projections) See(Views views, int view)
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
