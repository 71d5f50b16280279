using System.Globalization;
using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// Vision transformer with a CLS token and learned positions (Dosovitskiy et al. 2021, arXiv 2010.11929) in the form of
/// facebookresearch/dino: pre-norm blocks, exact GELU, LayerNorm eps 1e-6. State-dict keys are those of DINO and timm.
/// Takes images of any size of at least one patch; pixels beyond the last whole patch are left out.
/// </summary>
public sealed class VisionTransformer : Backbone
{
    /// <summary>Keys of timm's, DINO's and iBOT's files that are not the backbone's.</summary>
    internal static readonly string[] NotBackbone = ["head.*", "masked_embed"];

    [ComponentName(Name = "cls_token")]
    private readonly Parameter clsToken;
    [ComponentName(Name = "pos_embed")]
    private readonly Parameter posEmbed;
    [ComponentName(Name = "masked_embed")]
    private readonly Parameter? maskedEmbed;
    [ComponentName(Name = "patch_embed")]
    private readonly VitPatchEmbedding patchEmbed;
    private readonly ModuleList<VitBlock> blocks;
    private readonly TokenNorm norm;

    private VisionTransformer(VitConfig config, Device device) : base(nameof(VisionTransformer))
    {
        if (config.Heads < 1 || config.Dim % config.Heads != 0 || config.Depth < 1 || config.Patch < 1 || config.ImageSize < config.Patch)
            throw new KitException($"ViT configuration {config} is impossible: heads must divide dim, depth be at least 1, and the image hold a patch.");
        Config = config;
        clsToken = new Parameter(empty(1, 1, config.Dim, ScalarType.Float32, device));
        posEmbed = new Parameter(empty(1, 1 + (long)config.Grid * config.Grid, config.Dim, ScalarType.Float32, device));
        if (config.MaskToken) maskedEmbed = new Parameter(empty(1, config.Dim, ScalarType.Float32, device));
        patchEmbed = new VitPatchEmbedding(config, device);
        blocks = nn.ModuleList(Enumerable.Range(0, config.Depth)
            .Select(i => new VitBlock(config, config.DropPathOf(i), device)).ToArray());
        norm = new TokenNorm(config.Dim, device);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>The sizes.</summary>
    public VitConfig Config { get; }

    /// <summary>Source of stochastic depth in training, on the model's device; torch's global generator when null.</summary>
    public Generator? DropPathGenerator { get; set; }

    /// <summary>
    /// A model with DINO's initial weights from a seed: truncated normal 0.02 for matrices, CLS and positions, zero biases, unit
    /// norms, and the uniform default of a convolution for the patch embedding. Drawn on the cpu, so that every device gets the
    /// same weights; torch's global generator is left alone. On the meta device there is nothing to draw. The model lives until it is disposed, whatever dispose scope surrounds the call.
    /// </summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static VisionTransformer Random(VitConfig config, long seed, Device? device = null)
    {
        VisionTransformer model = Unset(config, device);
        double bound = 1 / Math.Sqrt(3.0 * config.Patch * config.Patch);
        model.Draw(seed, name => name.StartsWith("patch_embed.", StringComparison.Ordinal) ? bound : null);
        return model;
    }

    /// <summary>A model whose weights are not set yet, for a file to fill.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static VisionTransformer Unset(VitConfig config, Device? device = null) => new(config, device ?? CPU);

    /// <inheritdoc/>
    /// <remarks>The number of heads changes no weight; stochastic depth acts in training only.</remarks>
    public override string Architecture => JsonSerializer.Serialize(Config with { DropPath = 0, MaskToken = false });

    /// <inheritdoc/>
    public override int Dim => Config.Dim;

    /// <inheritdoc/>
    public override int Layers => Config.Depth;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) => parameter.Split('.') switch { ["blocks", var block, ..] => 1 + int.Parse(block, CultureInfo.InvariantCulture), ["norm", ..] => Layers + 1, _ => 0 };

    /// <inheritdoc/>
    public override int Width(FeatureVariant variant) => variant is FeatureVariant.Cls4 or FeatureVariant.Cls4PreNorm ? 4 * Config.Dim : throw Lacks(variant);

    /// <inheritdoc/>
    public override Tensor Features(Tensor x, FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 => ClsOfLastBlocks(x, 4),
        FeatureVariant.Cls4PreNorm => ClsOfLastBlocks(x, 4, normalised: false),
        _ => throw Lacks(variant),
    };

    /// <summary>The CLS token of the last block after the final norm: images [B, 3, H, W] to [B, D].</summary>
    public override Tensor forward(Tensor x) => ClsOfLastBlocks(x, 1);

    /// <summary>All tokens after the final norm: [B, 3, H, W] to [B, 1 + patches, D], CLS first, patches row by row.</summary>
    /// <param name="x">Images.</param>
    /// <param name="mask">bool [B, patches], true where the mask token takes the patch's place before the positions are added (Zhou et al. 2022, iBOT); null for none.</param>
    /// <exception cref="KitException">A mask, but the model has no mask token.</exception>
    public Tensor Tokens(Tensor x, Tensor? mask = null)
    {
        using var scope = NewDisposeScope();
        return norm.forward(LastBlocks(x, 1, clsOnly: false, mask)[0]).MoveToOuterDisposeScope();
    }

    /// <summary>Tokens [B, 1 + patches, D] of the last <paramref name="n"/> blocks, earliest first, each through the final norm.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer blocks.</exception>
    public Tensor[] GetIntermediateLayers(Tensor x, int n)
    {
        using var scope = NewDisposeScope();
        return [.. LastBlocks(x, n, clsOnly: false).Select(t => norm.forward(t).MoveToOuterDisposeScope())];
    }

    /// <summary>CLS tokens of the last <paramref name="n"/> blocks, earliest first, concatenated: [B, n * D].</summary>
    /// <param name="x">Images [B, 3, H, W].</param>
    /// <param name="n">Number of blocks.</param>
    /// <param name="normalised">Pass each through the final norm.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer blocks.</exception>
    public Tensor ClsOfLastBlocks(Tensor x, int n, bool normalised = true)
    {
        using var scope = NewDisposeScope();
        Tensor cls = stack(LastBlocks(x, n, clsOnly: true).Select(t => t.select(1, 0)), 1);
        return (normalised ? norm.forward(cls) : cls).flatten(1).MoveToOuterDisposeScope();
    }

    /// <summary>Softmax attention of the last block: [B, heads, T, T] with T = 1 + patches; row 0 is what CLS looks at.</summary>
    public Tensor LastSelfAttention(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor tokens = Embed(x);
        for (int i = 0; i < Config.Depth - 1; i++) tokens = Step(tokens, i, clsOnly: false);
        return blocks[^1].AttentionWeights(tokens).MoveToOuterDisposeScope();
    }

    /// <summary>Position embedding [1, 1 + rows * columns of patches, D] for an image of so many pixels (bicubic, as DINO).</summary>
    public Tensor PositionsFor(long height, long width) => PositionEmbedding.Resize(posEmbed, height, width, Config.Patch);

    private List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly, Tensor? mask = null)
    {
        if (n < 1 || n > Config.Depth) throw new ArgumentOutOfRangeException(nameof(n), n, $"Expected 1 to {Config.Depth} blocks.");
        var kept = new List<Tensor>(n);
        Tensor tokens = Embed(x, mask);
        for (int i = 0; i < Config.Depth; i++)
        {
            Tensor next = Step(tokens, i, clsOnly && i == Config.Depth - 1);
            // Released at once, because a dispose scope around twelve blocks would keep every one of them in memory.
            if (kept.Count == 0) tokens.Dispose();
            if (i >= Config.Depth - n) kept.Add(next);
            tokens = next;
        }
        return kept;
    }

    private Tensor Step(Tensor tokens, int i, bool clsOnly) => blocks[i].Forward(tokens, clsOnly, DropPathGenerator);

    private Tensor Embed(Tensor x, Tensor? mask = null)
    {
        if (x.dim() != 4 || x.shape[1] != 3 || x.shape[2] < Config.Patch || x.shape[3] < Config.Patch)
            throw new ArgumentException($"Expected images [B, 3, H, W] of at least {Config.Patch} pixels a side, found [{string.Join(", ", x.shape)}].", nameof(x));
        using var scope = NewDisposeScope();
        Tensor patches = patchEmbed.forward(x);
        if (mask is not null)
        {
            if (maskedEmbed is null) throw new KitException("This ViT has no mask token; make it with maskToken true.");
            patches = patches.masked_fill(mask.unsqueeze(-1), Kept(0)).Plus(maskedEmbed * mask.unsqueeze(-1));
        }
        Tensor tokens = cat([clsToken.expand(x.shape[0], 1, Config.Dim), patches], 1);
        return tokens.Plus(PositionsFor(x.shape[2], x.shape[3])).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Non-overlapping patches to tokens: a convolution whose stride is its kernel is one matrix product, which every device has.
/// </summary>
internal sealed class VitPatchEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly long patch;
    private readonly Dense proj;

    public VitPatchEmbedding(VitConfig config, Device device) : base(nameof(VitPatchEmbedding))
    {
        patch = config.Patch;
        proj = new Dense([3, patch, patch], config.Dim, true, device);
        RegisterComponents();
    }

    /// <summary>[B, 3, H, W] to [B, rows * columns, D].</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        // Half the numbers to move where the product is in half the bits.
        return proj.forward(Patches(proj.Compute is { } type ? x.to(type) : x, patch)).MoveToOuterDisposeScope();
    }

    /// <summary>[B, 3, H, W] to [B, rows * columns, 3 * patch * patch], each patch in the order of a convolution's kernel.</summary>
    public static Tensor Patches(Tensor x, long patch)
    {
        using var scope = NewDisposeScope();
        long rows = x.shape[2] / patch, columns = x.shape[3] / patch;
        Tensor whole = x.narrow(2, 0, rows * patch).narrow(3, 0, columns * patch);
        return whole.reshape(-1, 3, rows, patch, columns, patch).permute(0, 2, 4, 1, 3, 5).reshape(x.shape[0], rows * columns, 3 * patch * patch).MoveToOuterDisposeScope();
    }
}
