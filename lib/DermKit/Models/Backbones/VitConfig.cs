namespace DermKit.Models;

/// <summary>Sizes of a vision transformer as in facebookresearch/dino and timm; by default the paper's
/// ViT-T/16.</summary>
public sealed record VitConfig
{
    /// <summary>Width of a token, D.</summary>
    public int Dim { get; init; } = 192;

    /// <summary>Number of blocks.</summary>
    public int Depth { get; init; } = 12;

    /// <summary>Attention heads; divides <see cref="Dim"/>.</summary>
    public int Heads { get; init; } = 3;

    /// <summary>Patch side in pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Image side in pixels of the position embedding; other sizes are interpolated.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Hidden width of the MLP as a multiple of <see cref="Dim"/>.</summary>
    public double MlpRatio { get; init; } = 4;

    /// <summary>Bias on queries, keys and values.</summary>
    public bool QkvBias { get; init; } = true;

    /// <summary>Adds a token for masked patches, as in iBOT's student.</summary>
    public bool MaskToken { get; init; }

    /// <summary>Stochastic depth of the last block, rising linearly from 0; acts in training only.</summary>
    public double DropPath { get; init; }

    /// <summary>Patches on each side of <see cref="ImageSize"/>.</summary>
    public int Grid => ImageSize / Patch;

    /// <summary>192 wide, 12 blocks, 3 heads: 5,524,416 parameters at patch 16.</summary>
    public static VitConfig Tiny { get; } = new();

    /// <summary>384 wide, 12 blocks, 6 heads: 21,665,664 parameters at patch 16.</summary>
    public static VitConfig Small { get; } = new() { Dim = 384, Heads = 6 };

    /// <summary>768 wide, 12 blocks, 12 heads.</summary>
    public static VitConfig Base { get; } = new() { Dim = 768, Heads = 12 };

    /// <summary>1024 wide, 24 blocks, 16 heads.</summary>
    public static VitConfig Large { get; } = new() { Dim = 1024, Depth = 24, Heads = 16 };

    internal static IReadOnlyList<string> Sizes { get; } = ["tiny", "small", "base", "large"];

    /// <summary>tiny, small, base or large.</summary>
    public static VitConfig Named(string size) => size switch
    {
        "tiny" => Tiny,
        "small" => Small,
        "base" => Base,
        "large" => Large,
        _ => throw KitException.Unknown("ViT size", size, Sizes),
    };

    internal double DropPathOf(int block) => Depth == 1 ? 0 : DropPath * block / (Depth - 1);
}
