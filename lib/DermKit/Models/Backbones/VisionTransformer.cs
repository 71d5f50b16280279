namespace DermKit.Models;

/// <summary>Vision transformer with a CLS token and learned positions (Dosovitskiy et al. 2021, arXiv 2010.11929) as in
/// facebookresearch/dino: pre-norm blocks, exact GELU, LayerNorm eps 1e-6, keys of DINO and timm. Ignores pixels beyond
/// the last whole patch. Lives until disposed, whatever dispose scope surrounds it.</summary>
public sealed class VisionTransformer : Backbone
{
    // Keys of timm's, DINO's and iBOT's files outside the backbone.
    internal static readonly string[] NotBackbone = ["head.*", "masked_embed"];

    [ComponentName(Name = "cls_token")]
    private readonly Parameter clsToken;
    [ComponentName(Name = "pos_embed")]
    private readonly Parameter posEmbed;
    [ComponentName(Name = "masked_embed")]
    private readonly Parameter? maskedEmbed;
    [ComponentName(Name = "patch_embed")]
    private readonly VitPatchEmbedding patchEmbed;
    private readonly ModuleList<TransformerBlock> blocks;
    private readonly TokenNorm norm;

    private VisionTransformer(VitConfig config, Device device) : base(nameof(VisionTransformer))
    {
        bool hasSizes = config.Heads >= 1 && config.Dim % config.Heads == 0 && config.Depth >= 1;
        if (!hasSizes || config.Patch < 1 || config.ImageSize < config.Patch)
            throw new KitException($"ViT configuration {config} is impossible: heads must divide dim, depth be at "
                + "least 1, and the image hold a patch.");
        Config = config;
        long dim = config.Dim, patches = (long)config.Grid * config.Grid;
        clsToken = new Parameter(empty(1, 1, dim, float32, device));
        posEmbed = new Parameter(empty(1, 1 + patches, dim, float32, device));
        if (config.MaskToken) maskedEmbed = new Parameter(empty(1, dim, float32, device));
        patchEmbed = new VitPatchEmbedding(config, device);
        TransformerBlock Block(int i) => new(config, config.DropPathOf(i), device);
        blocks = nn.ModuleList(Enumerable.Range(0, config.Depth).Select(Block).ToArray());
        norm = new TokenNorm(dim, device);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>The sizes.</summary>
    public VitConfig Config { get; }

    // For stochastic depth, on the model's device; null uses torch's global one.
    internal Generator? DropPathGenerator { get; set; }

    /// <summary>DINO's initial weights: truncated normal 0.02 for matrices, CLS and positions, zero biases, unit norms,
    /// a convolution's uniform default for patches. Drawn on the cpu without torch's global generator: every device
    /// gets the same.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static VisionTransformer Random(VitConfig config, long seed, Device? device = null)
    {
        double bound = 1 / Math.Sqrt(3.0 * config.Patch * config.Patch);
        return InitialValues.DrawTransformer(
            Unset(config, device), seed, name => name.StartsWith("patch_embed.", Ordinal) ? bound : null);
    }

    /// <summary>Unset weights, to be loaded (<see cref="WeightLoader"/>).</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static VisionTransformer Unset(VitConfig config, Device? device = null) => new(config, device ?? CPU);

    /// <inheritdoc/>
    // No weight shows the number of heads; stochastic depth acts in training only.
    public override string Architecture => JsonSerializer.Serialize(Config with { DropPath = 0, MaskToken = false });

    /// <inheritdoc/>
    public override int Dim => Config.Dim;

    /// <inheritdoc/>
    public override int Layers => Config.Depth;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) => parameter.Split('.') switch
    {
        ["blocks", var block, ..] => 1 + int.Parse(block, CultureInfo.InvariantCulture),
        ["norm", ..] => Layers + 1,
        _ => 0,
    };

    /// <inheritdoc/>
    public override int Width(FeatureVariant variant) =>
        variant is FeatureVariant.Cls4 or FeatureVariant.Cls4PreNorm ? 4 * Config.Dim : throw Lacks(variant);

    /// <inheritdoc/>
    public override Tensor Features(Tensor x, FeatureVariant variant) => variant switch
    {
        FeatureVariant.Cls4 => ClsOfLastBlocks(x, 4),
        FeatureVariant.Cls4PreNorm => ClsOfLastBlocks(x, 4, normalised: false),
        _ => throw Lacks(variant),
    };

    /// <summary>CLS token of the last block after the final norm: [B, 3, H, W] to [B, D].</summary>
    public override Tensor forward(Tensor x) => ClsOfLastBlocks(x, 1);

    // All tokens after the final norm: [B, 1 + patches, D], CLS first, patches row by row.
    internal Tensor Tokens(Tensor x, Tensor? mask = null) =>
        Scoped(() => norm.forward(LastBlocks(x, 1, clsOnly: false, mask)[0]));

    // [B, 1 + patches, D] of the last n blocks, earliest first, each through the final norm.
    internal Tensor[] GetIntermediateLayers(Tensor x, int n)
    {
        using var scope = NewDisposeScope();
        return [.. LastBlocks(x, n, clsOnly: false).Select(t => norm.forward(t).MoveToOuterDisposeScope())];
    }

    // Last n blocks, earliest first: [B, n * D].
    internal Tensor ClsOfLastBlocks(Tensor x, int n, bool normalised = true) =>
        Scoped(() => TransformerBlock.Cls(LastBlocks(x, n, clsOnly: true), normalised ? norm : null));

    // Softmax weights [B, heads, T, T], T = 1 + patches; row 0 is the query of CLS.
    internal Tensor LastSelfAttention(Tensor x) => Scoped(() =>
    {
        Tensor tokens = Embed(x);
        foreach (TransformerBlock block in blocks.SkipLast(1)) tokens = block.Forward(tokens, false, DropPathGenerator);
        return blocks[^1].AttentionWeights(tokens);
    });

    // [1, 1 + patches, D] for an image size in pixels.
    internal Tensor PositionsFor(long height, long width) =>
        PositionEmbedding.Resize(posEmbed, height, width, Config.Patch);

    private List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly, Tensor? mask = null) =>
        TransformerBlock.Last(blocks, Embed(x, mask), n, clsOnly, DropPathGenerator);

    private Tensor Embed(Tensor x, Tensor? mask = null)
    {
        if (x.dim() != 4 || x.shape[1] != 3 || x.shape[2] < Config.Patch || x.shape[3] < Config.Patch)
            throw new ArgumentException($"Expected images [B, 3, H, W] of at least {Config.Patch} pixels a side, "
                + $"found {x.Shape()}.", nameof(x));
        using var scope = NewDisposeScope();
        Tensor patches = patchEmbed.forward(x);
        if (mask is not null)
        {
            if (maskedEmbed is null)
                throw new KitException("This ViT has no mask token; create it with MaskToken = true.");
            Tensor masked = mask.unsqueeze(-1);
            patches = patches.masked_fill(masked, Kept(0)).Plus(maskedEmbed * masked);
        }
        Tensor tokens = cat([clsToken.expand(x.shape[0], 1, Config.Dim), patches], 1);
        return tokens.Plus(PositionsFor(x.shape[2], x.shape[3])).MoveToOuterDisposeScope();
    }
}

/// <summary>Patches to tokens, as one matrix product instead of a convolution.</summary>
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

    // [B, 3, H, W] to [B, rows * columns, D]. Casts first: a narrower type has fewer bytes to move.
    public override Tensor forward(Tensor x) =>
        Scoped(() => proj.forward(Patches(proj.Compute is { } type ? x.to(type) : x, patch)));

    // To [B, rows * columns, 3 * patch * patch], each patch in a kernel's order.
    public static Tensor Patches(Tensor x, long patch) => Scoped(() =>
    {
        long batch = x.shape[0], rows = x.shape[2] / patch, columns = x.shape[3] / patch;
        Tensor whole = x.narrow(2, 0, rows * patch).narrow(3, 0, columns * patch);
        Tensor cells = whole.reshape(-1, 3, rows, patch, columns, patch).permute(0, 2, 4, 1, 3, 5);
        return cells.reshape(batch, rows * columns, 3 * patch * patch);
    });
}
