using System.Text.Json.Serialization;

namespace DermKit.Models;

/// <summary>The activation of a CLIP tower, by the names of Hugging Face's hidden_act.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ClipActivation>))]
public enum ClipActivation
{
    /// <summary>x sigmoid(1.702 x): OpenAI's weights and MONET.</summary>
    [JsonStringEnumMemberName("quick_gelu")]
    QuickGelu,
    /// <summary>Exact GELU: most of OpenCLIP's weights.</summary>
    [JsonStringEnumMemberName("gelu")]
    Gelu,
}

/// <summary>Sizes of CLIP's image tower. The defaults are those of ViT-L/14, MONET's.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ClipVisionConfig
{
    /// <summary>Width of a token, D.</summary>
    public int Dim { get; init; } = 1024;

    /// <summary>Number of blocks.</summary>
    public int Depth { get; init; } = 24;

    /// <summary>Attention heads; divides <see cref="Dim"/>. No tensor's shape tells it.</summary>
    public int Heads { get; init; } = 16;

    /// <summary>Side of a square patch in pixels.</summary>
    public int Patch { get; init; } = 14;

    /// <summary>Side in pixels of the pictures that the tower takes.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Hidden width of the MLP.</summary>
    public int Hidden { get; init; } = 4096;

    /// <summary>Width of the projected embedding.</summary>
    public int Projection { get; init; } = 768;

    /// <summary>Activation of the MLP. No tensor's shape tells it.</summary>
    public ClipActivation Activation { get; init; }

    /// <summary>The tower of OpenAI's CLIP called base (768 wide, 12 blocks, patch 32) or large (1024 wide, 24 blocks, patch 14).</summary>
    /// <exception cref="KitException">Another name.</exception>
    public static ClipVisionConfig Named(string size) => size switch
    {
        "base" => new() { Dim = 768, Depth = 12, Heads = 12, Patch = 32, Hidden = 3072, Projection = 512 },
        "large" => new(),
        _ => throw new KitException($"CLIP size '{size}' is unknown; expected base or large (nearest: '{KitException.Nearest(size, ["base", "large"])}')."),
    };

    /// <summary>Patches on each side of a picture.</summary>
    [JsonIgnore]
    public int Grid => ImageSize / Patch;
}
