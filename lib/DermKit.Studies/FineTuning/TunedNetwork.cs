using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Studies;

/// <summary>A backbone under a linear head on its frozen probe's features.</summary>
internal sealed class TunedNetwork : nn.Module<Tensor, Tensor>
{
    public const string BackbonePrefix = "backbone.";

    private readonly Backbone backbone;
    private readonly Dense head;
    private readonly FeatureVariant variant;
    private readonly Generator? dropPath;

    // Takes over the backbone; the head's weights are zero.
    public TunedNetwork(Backbone backbone, FeatureVariant variant, int classes, Device device)
        : base(nameof(TunedNetwork))
    {
        this.backbone = backbone;
        this.variant = variant;
        head = new Dense(backbone.Width(variant), classes, true, device);
        RegisterComponents();
        head.OutliveScopes();
        using (no_grad())
            foreach (Parameter p in head.parameters()) p.zero_();
        if (backbone is VisionTransformer { Config.DropPath: > 0 } vit && device.type != DeviceType.META)
            vit.DropPathGenerator = dropPath = new Generator(0, device);
    }

    public Backbone Backbone => backbone;

    // Normalised images [B, 3, H, W] to logits [B, classes] in float32.
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor features = backbone.Features(x, variant).to(ScalarType.Float32);
        return head.forward(features).MoveToOuterDisposeScope();
    }

    public void Seed(long seed, long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(seed, RandomPurpose.StochasticDepth, step));

    // Null for float32.
    public void ComputeIn(ScalarType? type) => Dense.ComputeIn(backbone, type);

    // Gives the logits of a fitted probe of all classes on the same features.
    public void SetHead(LinearFit fit)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor weight = tensor(fit.Coefficients) / tensor(fit.Scale);
        Tensor bias = tensor(fit.Intercepts) - weight.mv(tensor(fit.Mean));
        // Two classes have one row: the second's logit minus the first's.
        if (fit.Present.Length == 2)
        {
            weight = cat([zeros_like(weight), weight], 0);
            bias = cat([zeros_like(bias), bias], 0);
        }
        foreach ((string name, Parameter p) in head.named_parameters()) p.copy_(name == "weight" ? weight : bias);
    }

    public (double Rate, bool Decays) Rule(string name, Tensor parameter, double layerDecay) =>
        name.StartsWith(BackbonePrefix, StringComparison.Ordinal)
            ? LayerRates.Of(backbone, name[BackbonePrefix.Length..], parameter, layerDecay)
            : (1, Optimizer.Decays(name, parameter));

    // Cross entropy with label smoothing (arXiv 1512.00567), averaged with class weights [K]. Logits [B, K], labels
    // int64 [B].
    public static Tensor Loss(Tensor logits, Tensor labels, double smoothing, Tensor? weights = null)
    {
        using var scope = NewDisposeScope();
        long classes = logits.shape[1];
        Tensor log = logits.log_softmax(1);
        Tensor hit = labels.unsqueeze(1).eq(arange(Kept(classes), device: logits.device)).to(logits.dtype);
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
