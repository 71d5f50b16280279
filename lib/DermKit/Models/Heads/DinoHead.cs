namespace DermKit.Models;

/// <summary>Sizes of a DINO head; by default the paper's. Bottleneck: width before the last layer. Layers: of the
/// perceptron, 1 or more. PatchOutputs: of a separate last layer for patch tokens (iBOT); 0 shares that of CLS.
/// NormLastLayer fixes the last layer's gain at 1.</summary>
internal sealed record DinoHeadConfig(int Inputs = 192, int Outputs = 4096, int Hidden = 2048, int Bottleneck = 256,
    int Layers = 3, int PatchOutputs = 0, bool BatchNorm = false, bool NormLastLayer = true);

/// <summary>DINO's projection head (Caron et al. 2021, arXiv 2104.14294, section 3.1): a perceptron with exact GELU, L2
/// normalisation, a weight-normalised linear layer without bias. iBOT (Zhou et al. 2022, arXiv 2111.07832) may have a
/// second such layer for patches. Keys of facebookresearch/dino and bytedance/ibot; a shared layer is stored
/// once.</summary>
internal sealed class DinoHead : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> mlp;
    [ComponentName(Name = "last_layer")]
    private readonly WeightNormLinear lastLayer;
    [ComponentName(Name = "last_layer2")]
    private readonly WeightNormLinear? patchLayer;

    private DinoHead(DinoHeadConfig config, Device device) : base(nameof(DinoHead))
    {
        if (config.Layers < 1) throw new KitException($"DINO head: layers is {config.Layers}; expected 1 or more.");
        mlp = Perceptron(config, device);
        WeightNormLinear Last(int outputs) => new(config.Bottleneck, outputs, trainGain: !config.NormLastLayer, device);
        lastLayer = Last(config.Outputs);
        if (config.PatchOutputs > 0) patchLayer = Last(config.PatchOutputs);
        RegisterComponents();
        this.OutliveScopes();
    }

    // DINO's initial weights: truncated normal 0.02 and zero biases in the perceptron; gain 1 and a linear layer's
    // uniform default in the last layer.
    public static DinoHead Random(DinoHeadConfig config, long seed, Device? device = null) =>
        InitialValues.Draw(new DinoHead(config, device ?? CPU), seed, (key, p, generator) => key.Split('.')[^1] switch
        {
            "weight_g" => ones(p.shape),
            "weight_v" => InitialValues.Uniform(p, 1 / Math.Sqrt(config.Bottleneck), generator),
            "bias" => zeros(p.shape),
            _ when p.dim() == 2 => InitialValues.Normal(p, generator),
            _ => null,
        });

    // [B, D] to [B, K].
    public override Tensor forward(Tensor x) => Project(x, lastLayer);

    // [..., D] to [..., K of patches].
    public Tensor Patches(Tensor x) => Project(x, patchLayer ?? lastLayer);

    private Tensor Project(Tensor x, WeightNormLinear last) => Scoped(() =>
    {
        Tensor bottleneck = mlp.forward(x).to(x.dtype);
        return last.forward(bottleneck / bottleneck.Norm(-1).clamp_min(Kept(1e-12)));
    });

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

/// <summary>Weight gain * direction / |direction| by rows, without bias (Salimans and Kingma 2016), with torch's
/// keys.</summary>
internal sealed class WeightNormLinear : nn.Module<Tensor, Tensor>, IComputesIn
{
    [ComponentName(Name = "weight_g")]
    private readonly Parameter gain;
    [ComponentName(Name = "weight_v")]
    private readonly Parameter direction;

    public WeightNormLinear(long inputs, long outputs, bool trainGain, Device device) : base(nameof(WeightNormLinear))
    {
        gain = new Parameter(empty(outputs, 1, float32, device), trainGain);
        direction = new Parameter(empty(outputs, inputs, float32, device));
        RegisterComponents();
    }

    public ScalarType? Compute { get; set; }

    public override Tensor forward(Tensor x) => Scoped(() =>
        Dense.Linear(x, direction * (gain / direction.Norm(1)), null, Compute).to(gain.dtype));
}
