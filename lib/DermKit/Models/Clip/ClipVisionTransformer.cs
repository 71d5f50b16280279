using System.Globalization;
using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

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
    private readonly ModuleGroup tower;

    private ClipVisionTransformer(ClipVisionConfig config, Device device) : base(nameof(ClipVisionTransformer))
    {
        config.Check(config.Patch >= 1 && config.ImageSize >= config.Patch);
        Config = config;
        embeddings = new ClipVisionEmbeddings(config, device);
        preNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        encoder = new ClipEncoder(config, causal: false, device);
        postNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        projection = new Dense(config.Dim, config.Projection, false, device);
        // Hugging Face's spelling.
        tower = new ModuleGroup(
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
    public static ClipVisionTransformer Random(ClipVisionConfig config, long seed, Device? device = null)
    {
        ClipVisionTransformer model = Unset(config, device);
        InitialValues.DrawTransformer(model, seed, _ => null);
        return model;
    }

    public static ClipVisionTransformer Unset(ClipVisionConfig config, Device? device = null) =>
        new(config, device ?? CPU);

    // [B, 3, H, W] to [B, projection], not L2-normalised.
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return projection.forward(ClsOfLastBlocks(x, 1)).MoveToOuterDisposeScope();
    }

    // Before the post-norm: [B, 3, H, W] to [B, 1 + patches, D], CLS first.
    public Tensor LastHiddenState(Tensor x)
    {
        using var scope = NewDisposeScope();
        return LastBlocks(x, 1, clsOnly: false)[0].MoveToOuterDisposeScope();
    }

    // Last n blocks, earliest first: [B, n * D].
    public Tensor ClsOfLastBlocks(Tensor x, int n, bool normalised = true)
    {
        using var scope = NewDisposeScope();
        List<Tensor> tokens = LastBlocks(x, n, clsOnly: true);
        return TransformerSteps.ConcatenatedCls(tokens, normalised ? postNorm : null).MoveToOuterDisposeScope();
    }

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
                + $"found [{string.Join(", ", x.shape)}].", nameof(x));
        using var scope = NewDisposeScope();
        Tensor patches = patchEmbedding.forward(VitPatchEmbedding.Patches(x, config.Patch));
        Tensor tokens = cat([classEmbedding.expand(x.shape[0], 1, config.Dim), patches], 1);
        return positionEmbedding.forward(tokens).MoveToOuterDisposeScope();
    }
}
