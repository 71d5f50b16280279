using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Sizes of a projection head. The defaults are the paper's for DINO.</summary>
public sealed record DinoHeadConfig
{
    /// <summary>Width of the backbone's feature.</summary>
    public int Inputs { get; init; } = 192;

    /// <summary>Number of outputs, K.</summary>
    public int Outputs { get; init; } = 4096;

    /// <summary>Width of the hidden layers.</summary>
    public int Hidden { get; init; } = 2048;

    /// <summary>Width before the last layer, where the features are L2-normalised.</summary>
    public int Bottleneck { get; init; } = 256;

    /// <summary>Layers of the perceptron, 1 or more.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>Outputs of a last layer of their own for patch tokens, as iBOT may have; 0 for the same layer as for CLS.</summary>
    public int PatchOutputs { get; init; }

    /// <summary>Batch normalisation after each hidden layer.</summary>
    public bool BatchNorm { get; init; }

    /// <summary>Keeps the gain of the last layer at 1; otherwise it is trained.</summary>
    public bool NormLastLayer { get; init; } = true;
}

/// <summary>
/// DINO's projection head (Caron et al. 2021, arXiv 2104.14294, section 3.1): a perceptron with exact GELU, L2 normalisation, and a
/// weight-normalised linear layer without bias; for iBOT (Zhou et al. 2022, arXiv 2111.07832) with a second such layer for patch tokens, or
/// the same one. State-dict keys are those of facebookresearch/dino and bytedance/ibot; a shared layer is there once.
/// </summary>
public sealed class DinoHead : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> mlp;
    [ComponentName(Name = "last_layer")]
    private readonly WeightNormLinear lastLayer;
    [ComponentName(Name = "last_layer2")]
    private readonly WeightNormLinear? patchLayer;

    private DinoHead(DinoHeadConfig config, Device device) : base(nameof(DinoHead))
    {
        if (config.Layers < 1) throw new KitException($"DINO head: layers is {config.Layers}; expected 1 or more.");
        Config = config;
        mlp = Perceptron(config, device);
        lastLayer = new WeightNormLinear(config.Bottleneck, config.Outputs, trainGain: !config.NormLastLayer, device);
        if (config.PatchOutputs > 0) patchLayer = new WeightNormLinear(config.Bottleneck, config.PatchOutputs, trainGain: !config.NormLastLayer, device);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>The sizes.</summary>
    public DinoHeadConfig Config { get; }

    /// <summary>
    /// A head with DINO's initial weights from a seed: truncated normal 0.02 and zero biases in the perceptron, a linear layer's uniform
    /// default in the last layer, gain 1. Drawn on the cpu, so that every device gets the same.
    /// </summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static DinoHead Random(DinoHeadConfig config, long seed, Device? device = null)
    {
        var head = new DinoHead(config, device ?? CPU);
        if (device?.type == DeviceType.META) return head;
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        double bound = 1 / Math.Sqrt(config.Bottleneck);
        foreach ((string name, Parameter parameter) in head.named_parameters())
        {
            using var scope = NewDisposeScope();
            if (name.EndsWith("weight_g", StringComparison.Ordinal)) parameter.fill_(Kept(1));
            else if (name.EndsWith("weight_v", StringComparison.Ordinal)) parameter.copy_(rand(parameter.shape, generator: generator).mul_(Kept(2 * bound)).sub_(Kept(bound)));
            else if (name.EndsWith("bias", StringComparison.Ordinal)) parameter.zero_();
            else if (parameter.dim() == 2) parameter.copy_(randn(parameter.shape, generator: generator).mul_(Kept(0.02)).clamp_(Kept(-2), Kept(2)));
        }
        return head;
    }

    /// <summary>Features [B, D] to logits [B, K].</summary>
    public override Tensor forward(Tensor x) => Project(x, lastLayer);

    /// <summary>Patch tokens [..., D] to logits [..., K of patches].</summary>
    public Tensor Patches(Tensor x) => Project(x, patchLayer ?? lastLayer);

    private Tensor Project(Tensor x, WeightNormLinear last)
    {
        using var scope = NewDisposeScope();
        Tensor bottleneck = mlp.forward(x).to(x.dtype);
        return last.forward(bottleneck / bottleneck.Squared().sum(-1, keepdim: true).sqrt().clamp_min(Kept(1e-12))).MoveToOuterDisposeScope();
    }

    private static nn.Module<Tensor, Tensor> Perceptron(DinoHeadConfig config, Device device)
    {
        if (config.Layers == 1) return new Dense(config.Inputs, config.Bottleneck, true, device);
        var parts = new List<nn.Module<Tensor, Tensor>>();
        for (int i = 0; i < config.Layers - 1; i++)
        {
            parts.Add(new Dense(i == 0 ? config.Inputs : config.Hidden, config.Hidden, true, device));
            if (config.BatchNorm) parts.Add(nn.BatchNorm1d(config.Hidden, device: device));
            parts.Add(nn.GELU());
        }
        parts.Add(new Dense(config.Hidden, config.Bottleneck, true, device));
        return nn.Sequential(parts.Select((part, i) => ($"{i}", part)).ToArray());
    }
}

/// <summary>A linear layer without bias whose weight is gain x direction / |direction|, row by row (Salimans and Kingma 2016), with torch's key names.</summary>
internal sealed class WeightNormLinear : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight_g")]
    private readonly Parameter gain;
    [ComponentName(Name = "weight_v")]
    private readonly Parameter direction;

    public WeightNormLinear(long inputs, long outputs, bool trainGain, Device device) : base(nameof(WeightNormLinear))
    {
        gain = new Parameter(empty(outputs, 1, ScalarType.Float32, device), trainGain);
        direction = new Parameter(empty(outputs, inputs, ScalarType.Float32, device));
        RegisterComponents();
    }

    public ScalarType? Compute { get; set; }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor weight = direction * (gain / direction.Squared().sum(1, keepdim: true).sqrt());
        return Dense.Linear(x, weight, null, Compute).to(weight.dtype).MoveToOuterDisposeScope();
    }
}
