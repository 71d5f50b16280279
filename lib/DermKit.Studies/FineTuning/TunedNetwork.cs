using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>A backbone under a linear head on the same features that its frozen probe gets (four CLS tokens of a ViT, averaged maps of a ResNet).</summary>
internal sealed class TunedNetwork : nn.Module<Tensor, Tensor>
{
    public const string BackbonePrefix = "backbone.";

    private readonly Backbone backbone;
    private readonly Dense head;
    private readonly FeatureVariant variant;
    private readonly Generator? dropPath;

    /// <summary>Takes over the backbone; the head's weights are zero.</summary>
    public TunedNetwork(Backbone backbone, FeatureVariant variant, int classes, Device device) : base(nameof(TunedNetwork))
    {
        (this.backbone, this.variant) = (backbone, variant);
        head = new Dense(backbone.Width(variant), classes, true, device);
        RegisterComponents();
        head.OutliveScopes();
        using (no_grad())
            foreach (TorchSharp.Modules.Parameter p in head.parameters()) p.zero_();
        if (backbone is VisionTransformer { Config.DropPath: > 0 } vit && device.type != DeviceType.META) vit.DropPathGenerator = dropPath = new Generator(0, device);
    }

    public Backbone Backbone => backbone;

    /// <summary>Normalised images [B, 3, H, W] to logits [B, classes] in float32.</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return head.forward(backbone.Features(x, variant).to(ScalarType.Float32)).MoveToOuterDisposeScope();
    }

    /// <summary>Seeds stochastic depth for a step.</summary>
    public void Seed(long seed, long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(seed, RandomPurpose.StochasticDepth, step));

    /// <summary>Type of the matrix products in the backbone; null for float32.</summary>
    public void ComputeIn(ScalarType? type) => Dense.ComputeIn(backbone, type);

    /// <summary>Sets the head so that it says what a fitted probe of all classes says of the same features.</summary>
    public void SetHead(LinearFit fit)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor weight = tensor(fit.Coefficients) / tensor(fit.Scale), bias = tensor(fit.Intercepts) - weight.mv(tensor(fit.Mean));
        // Two classes have one row, the second one's logit above the first one's.
        if (fit.Present.Length == 2) (weight, bias) = (cat([zeros_like(weight), weight], 0), cat([zeros_like(bias), bias], 0));
        foreach ((string name, TorchSharp.Modules.Parameter p) in head.named_parameters()) p.copy_(name == "weight" ? weight : bias);
    }

    /// <summary>Rate and weight decay of one of this network's parameters, by its name.</summary>
    public (double Rate, bool Decays) Rule(string name, Tensor parameter, double layerDecay) => name.StartsWith(BackbonePrefix, StringComparison.Ordinal)
        ? LayerRates.Of(backbone, name[BackbonePrefix.Length..], parameter, layerDecay) : (1, Pretraining.Optimizer.Decays(name, parameter));

    /// <summary>
    /// Cross entropy against targets of which a share is spread over all classes (Szegedy et al. 2016, arXiv 1512.00567), averaged over the batch with the
    /// weights of the images' classes.
    /// </summary>
    /// <param name="logits">[B, K].</param>
    /// <param name="labels">int64 [B].</param>
    /// <param name="smoothing">The share.</param>
    /// <param name="weights">[K]; null for equal ones.</param>
    public static Tensor Loss(Tensor logits, Tensor labels, double smoothing, Tensor? weights = null)
    {
        using var scope = NewDisposeScope();
        long classes = logits.shape[1];
        Tensor log = logits.log_softmax(1), hit = labels.unsqueeze(1).eq(arange(classes, device: logits.device)).to(logits.dtype);
        Tensor each = -(log * hit.mul(Kept(1 - smoothing)).Plus(Kept(smoothing / classes))).sum(1);
        if (weights is null) return each.mean().MoveToOuterDisposeScope();
        Tensor own = (hit * weights).sum(1);
        return ((each * own).sum() / own.sum()).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) dropPath?.Dispose();
        base.Dispose(disposing);
    }
}
