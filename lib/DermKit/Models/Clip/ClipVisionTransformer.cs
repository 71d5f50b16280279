namespace DermKit.Models;

/// <summary>CLIP's image tower (Radford et al. 2021, arXiv 2103.00020; openai/CLIP's VisionTransformer) with Hugging
/// Face's keys, by default in MONET's sizes: patches without bias, LayerNorm before the first block and behind the last
/// CLS token, projection. Takes images of exactly <see cref="ClipVisionConfig.ImageSize"/> pixels a side.</summary>
internal sealed class ClipVisionTransformer : Backbone
{
    internal static readonly string[] NotVision =
        ["text_model.*", "text_projection.weight", "logit_scale", "vision_model.embeddings.position_ids"];

    private readonly ClipVisionEmbeddings embeddings;
    private readonly TokenNorm preNorm, postNorm;
    private readonly ClipEncoder encoder;
    private readonly Dense projection;
    private readonly nn.Module tower;

    private ClipVisionTransformer(ClipVisionConfig config, Device device) : base(nameof(ClipVisionTransformer))
    {
        config.Check(config.Patch >= 1 && config.ImageSize >= config.Patch);
        Config = config;
        embeddings = new ClipVisionEmbeddings(config, device);
        preNorm = new TokenNorm(config.Dim, device, TransformerBlock.ClipEpsilon);
        encoder = new ClipEncoder(config, causal: false, device);
        postNorm = new TokenNorm(config.Dim, device, TransformerBlock.ClipEpsilon);
        projection = new Dense(config.Dim, config.Projection, false, device);
        // Hugging Face's spelling.
        tower = nn.ModuleDict<nn.Module>(
            ("embeddings", embeddings), ("pre_layrnorm", preNorm), ("encoder", encoder), ("post_layernorm", postNorm));
        register_module("vision_model", tower);
        register_module("visual_projection", projection);
        this.OutliveScopes();
    }

    internal (nn.Module Tower, nn.Module Projection) Parts => (tower, projection);

    public ClipVisionConfig Config { get; }

    public override string Architecture => JsonSerializer.Serialize(Config);

    public override long ParameterCount => tower.parameters().Sum(p => p.numel());

    public override int Dim => Config.Projection;

    public override int Layers => Config.Depth;

    // Normal 0.02, zero biases, unit norms.
    public static ClipVisionTransformer Random(ClipVisionConfig config, long seed, Device? device = null) =>
        InitialValues.DrawTransformer(Unset(config, device), seed);

    public static ClipVisionTransformer Unset(ClipVisionConfig config, Device? device = null) =>
        new(config, device ?? CPU);

    // [B, 3, H, W] to [B, projection], not L2-normalised.
    public override Tensor forward(Tensor x) => Scoped(() => projection.forward(ClsOfLastBlocks(x, 1)));

    // Before the post-norm: [B, 3, H, W] to [B, 1 + patches, D], CLS first.
    public Tensor LastHiddenState(Tensor x) => Scoped(() => LastBlocks(x, 1, clsOnly: false)[0]);

    // Last n blocks, earliest first: [B, n * D].
    public Tensor ClsOfLastBlocks(Tensor x, int n, bool normalised = true) =>
        Scoped(() => TransformerBlock.Cls(LastBlocks(x, n, clsOnly: true), normalised ? postNorm : null));

    public override int LayerOf(string parameter) => parameter.Split('.') switch
    {
        [_, "encoder", "layers", var block, ..] => 1 + int.Parse(block, CultureInfo.InvariantCulture),
        [_, "post_layernorm", ..] or ["visual_projection", ..] => Layers + 1,
        _ => 0,
    };

    public override int Width(FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 or FeatureVariant.Cls4PreNorm => 4 * Config.Dim,
        FeatureVariant.Projected => Config.Projection,
        _ => throw Lacks(variant),
    };

    public override Tensor Features(Tensor x, FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 => ClsOfLastBlocks(x, 4),
        FeatureVariant.Cls4PreNorm => ClsOfLastBlocks(x, 4, normalised: false),
        FeatureVariant.Projected => forward(x),
        _ => throw Lacks(variant),
    };

    private List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly) =>
        encoder.LastBlocks(preNorm.forward(embeddings.forward(x)), n, clsOnly);
}

internal sealed class ClipVisionEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly ClipVisionConfig config;
    [ComponentName(Name = "class_embedding")]
    private readonly Parameter classEmbedding;
    [ComponentName(Name = "patch_embedding")]
    private readonly Dense patchEmbedding;
    [ComponentName(Name = "position_embedding")]
    private readonly ClipTable positionEmbedding;

    public ClipVisionEmbeddings(ClipVisionConfig config, Device device) : base(nameof(ClipVisionEmbeddings))
    {
        this.config = config;
        classEmbedding = new Parameter(empty(config.Dim, float32, device));
        patchEmbedding = new Dense([3, config.Patch, config.Patch], config.Dim, false, device);
        positionEmbedding = new ClipTable(1 + (long)config.Grid * config.Grid, config.Dim, device);
        RegisterComponents();
    }

    // [B, 3, H, W] to [B, 1 + patches, D].
    public override Tensor forward(Tensor x)
    {
        if (x.shape is not [_, 3, var height, var width] || height != config.ImageSize || width != config.ImageSize)
            throw new ArgumentException($"Expected images [B, 3, {config.ImageSize}, {config.ImageSize}], "
                + $"found {x.Shape()}.", nameof(x));
        return Scoped(() =>
        {
            Tensor patches = patchEmbedding.forward(VitPatchEmbedding.Patches(x, config.Patch));
            Tensor cls = classEmbedding.expand(x.shape[0], 1, config.Dim);
            return positionEmbedding.forward(cat([cls, patches], 1));
        });
    }
}
