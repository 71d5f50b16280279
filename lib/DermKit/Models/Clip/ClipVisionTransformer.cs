using System.Globalization;
using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// CLIP's image tower (Radford et al. 2021, arXiv 2103.00020; openai/CLIP's VisionTransformer), which is MONET's at its default sizes: patches without
/// bias, a LayerNorm before the first block and one behind the CLS token of the last, then a projection. State-dict keys are those of Hugging
/// Face's CLIPModel. Takes images of exactly <see cref="ClipVisionConfig.ImageSize"/> pixels a side.
/// </summary>
public sealed class ClipVisionTransformer : Backbone
{
    /// <summary>Keys of a CLIPModel file that are not the image tower's: the text tower, the temperature, and the position numbers that old files carry.</summary>
    public static readonly IReadOnlyList<string> NotVision = ["text_model.*", "text_projection.weight", "logit_scale", "vision_model.embeddings.position_ids"];

    [ComponentName(Name = "vision_model")]
    private readonly ClipVisionTower tower;
    [ComponentName(Name = "visual_projection")]
    private readonly Dense projection;

    private ClipVisionTransformer(ClipVisionConfig config, Device device) : base(nameof(ClipVisionTransformer))
    {
        config.Check(config.Patch >= 1 && config.ImageSize >= config.Patch);
        Config = config;
        tower = new ClipVisionTower(config, device);
        projection = new Dense(config.Dim, config.Projection, false, device);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>Tower and projection, for a model that holds the text tower beside them.</summary>
    internal (nn.Module Tower, nn.Module Projection) Parts => (tower, projection);

    /// <summary>The sizes.</summary>
    public ClipVisionConfig Config { get; }

    /// <inheritdoc/>
    public override string Architecture => JsonSerializer.Serialize(Config);

    /// <inheritdoc/>
    public override long ParameterCount => tower.parameters().Sum(p => p.numel());

    /// <summary>A model with random weights from a seed: normal 0.02, zero biases, unit norms. It lives until it is disposed, whatever dispose scope surrounds the call.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ClipVisionTransformer Random(ClipVisionConfig config, long seed, Device? device = null)
    {
        ClipVisionTransformer model = Unset(config, device);
        model.Draw(seed, _ => null);
        return model;
    }

    /// <summary>A model whose weights are not set yet, for a file to fill.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ClipVisionTransformer Unset(ClipVisionConfig config, Device? device = null) => new(config, device ?? CPU);

    /// <summary>Fills the tower and its projection from a CLIPModel file; <see cref="NotVision"/> is left out.</summary>
    /// <exception cref="KitException">Other keys are missing, extra or of another shape; all are listed by name and nothing is loaded.</exception>
    public void Load(string path) => WeightLoader.LoadStrict(this, path, NotVision);

    /// <summary>The projected embedding, not L2-normalised: images [B, 3, H, W] to [B, projection].</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return projection.forward(Pooled(x)).MoveToOuterDisposeScope();
    }

    /// <summary>The CLS token of the last block after the post-norm: [B, 3, H, W] to [B, D].</summary>
    public Tensor Pooled(Tensor x) => ClsOfLastBlocks(x, 1);

    /// <summary>All tokens of the last block before the post-norm: [B, 3, H, W] to [B, 1 + patches, D], CLS first.</summary>
    public Tensor LastHiddenState(Tensor x) => tower.LastBlocks(x, 1, clsOnly: false)[0];

    /// <summary>CLS tokens of the last <paramref name="n"/> blocks, earliest first, concatenated: [B, n * D].</summary>
    /// <param name="x">Images [B, 3, H, W].</param>
    /// <param name="n">Number of blocks.</param>
    /// <param name="normalised">Pass each through the post-norm; off, they are the hidden states that the paper takes from MONET.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer blocks.</exception>
    public Tensor ClsOfLastBlocks(Tensor x, int n, bool normalised = true)
    {
        using var scope = NewDisposeScope();
        Tensor cls = stack(tower.LastBlocks(x, n, clsOnly: true).Select(t => t.select(1, 0)), 1);
        return (normalised ? tower.PostNorm(cls) : cls).flatten(1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override int Dim => Config.Projection;

    /// <inheritdoc/>
    public override int Layers => Config.Depth;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) => parameter.Split('.') switch
    {
        [_, "encoder", "layers", var block, ..] => 1 + int.Parse(block, CultureInfo.InvariantCulture),
        [_, "post_layernorm", ..] or ["visual_projection", ..] => Layers + 1,
        _ => 0,
    };

    /// <inheritdoc/>
    public override int Width(FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 or FeatureVariant.Cls4PreNorm => 4 * Config.Dim,
        FeatureVariant.Projected => Config.Projection,
        _ => throw Lacks(variant),
    };

    /// <inheritdoc/>
    public override Tensor Features(Tensor x, FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 => ClsOfLastBlocks(x, 4),
        FeatureVariant.Cls4PreNorm => ClsOfLastBlocks(x, 4, normalised: false),
        FeatureVariant.Projected => forward(x),
        _ => throw Lacks(variant),
    };
}

/// <summary>Everything of the tower but the projection (vision_model).</summary>
internal sealed class ClipVisionTower : nn.Module<Tensor, Tensor>
{
    private readonly ClipVisionEmbeddings embeddings;
    // The missing letters are Hugging Face's.
    [ComponentName(Name = "pre_layrnorm")]
    private readonly TokenNorm preNorm;
    private readonly ClipEncoder encoder;
    [ComponentName(Name = "post_layernorm")]
    private readonly TokenNorm postNorm;

    public ClipVisionTower(ClipVisionConfig config, Device device) : base(nameof(ClipVisionTower))
    {
        embeddings = new ClipVisionEmbeddings(config, device);
        preNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        encoder = new ClipEncoder(config, causal: false, device);
        postNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => LastBlocks(x, 1, clsOnly: false)[0];

    public Tensor PostNorm(Tensor x) => postNorm.forward(x);

    /// <summary>Tokens of the last n blocks, earliest first.</summary>
    public List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        return [.. encoder.LastBlocks(preNorm.forward(embeddings.forward(x)), n, clsOnly).Select(t => t.MoveToOuterDisposeScope())];
    }
}

/// <summary>Patches, CLS token and positions to tokens.</summary>
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
        classEmbedding = new Parameter(empty(config.Dim, ScalarType.Float32, device));
        patchEmbedding = new Dense([3, config.Patch, config.Patch], config.Dim, false, device);
        positionEmbedding = new ClipTable(1 + (long)config.Grid * config.Grid, config.Dim, device);
        RegisterComponents();
    }

    /// <summary>[B, 3, H, W] to [B, 1 + patches, D].</summary>
    public override Tensor forward(Tensor x)
    {
        if (x.dim() != 4 || x.shape[1] != 3 || x.shape[2] != config.ImageSize || x.shape[3] != config.ImageSize)
            throw new ArgumentException($"Expected images [B, 3, {config.ImageSize}, {config.ImageSize}], found [{string.Join(", ", x.shape)}].", nameof(x));
        using var scope = NewDisposeScope();
        Tensor patches = patchEmbedding.forward(VitPatchEmbedding.Patches(x, config.Patch));
        return positionEmbedding.forward(cat([classEmbedding.expand(x.shape[0], 1, config.Dim), patches], 1)).MoveToOuterDisposeScope();
    }
}
