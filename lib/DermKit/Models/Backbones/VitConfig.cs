namespace DermKit.Models;

/// <summary>Sizes of a vision transformer. The defaults are the paper's ViT-T/16; names and numbers follow facebookresearch/dino and timm.</summary>
public sealed record VitConfig
{
    /// <summary>Width of a token, D.</summary>
    public int Dim { get; init; } = 192;

    /// <summary>Number of blocks.</summary>
    public int Depth { get; init; } = 12;

    /// <summary>Attention heads; divides <see cref="Dim"/>.</summary>
    public int Heads { get; init; } = 3;

    /// <summary>Side of a square patch in pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Side in pixels of the image that the position embedding is made for; other sizes are interpolated.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Hidden width of the MLP over <see cref="Dim"/>.</summary>
    public double MlpRatio { get; init; } = 4;

    /// <summary>Bias on the query, key and value projection.</summary>
    public bool QkvBias { get; init; } = true;

    /// <summary>Holds a token that stands in for masked patches, as iBOT's student does.</summary>
    public bool MaskToken { get; init; }

    /// <summary>Rate of stochastic depth in the last block; rises linearly from 0 in the first. Acts in training mode only.</summary>
    public double DropPath { get; init; }

    /// <summary>Rate of stochastic depth in a block, counted from 0.</summary>
    public double DropPathOf(int block) => Depth == 1 ? 0 : DropPath * block / (Depth - 1);

    /// <summary>192 wide, 12 blocks, 3 heads: 5,524,416 parameters at patch 16.</summary>
    public static VitConfig Tiny { get; } = new();

    /// <summary>384 wide, 12 blocks, 6 heads: 21,665,664 parameters at patch 16.</summary>
    public static VitConfig Small { get; } = new() { Dim = 384, Heads = 6 };

    /// <summary>768 wide, 12 blocks, 12 heads.</summary>
    public static VitConfig Base { get; } = new() { Dim = 768, Heads = 12 };

    /// <summary>1024 wide, 24 blocks, 16 heads.</summary>
    public static VitConfig Large { get; } = new() { Dim = 1024, Depth = 24, Heads = 16 };

    /// <summary>The configuration called tiny, small, base or large.</summary>
    /// <exception cref="KitException">Another name.</exception>
    public static VitConfig Named(string size) => size switch
    {
        "tiny" => Tiny,
        "small" => Small,
        "base" => Base,
        "large" => Large,
        _ => throw new KitException($"ViT size '{size}' is unknown; expected tiny, small, base or large (nearest: '{KitException.Nearest(size, ["tiny", "small", "base", "large"])}')."),
    };

    /// <summary>Patches on each side of the image that the position embedding is made for.</summary>
    public int Grid => ImageSize / Patch;
}
