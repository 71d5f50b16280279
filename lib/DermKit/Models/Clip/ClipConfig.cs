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

/// <summary>What both towers of a CLIP have.</summary>
public abstract record ClipTowerConfig
{
    /// <summary>Width of a token, D.</summary>
    public int Dim { get; init; }

    /// <summary>Number of blocks.</summary>
    public int Depth { get; init; }

    /// <summary>Attention heads; divides <see cref="Dim"/>. No tensor's shape tells it; OpenAI's towers have one for each 64 of the width.</summary>
    public int Heads { get; init; }

    /// <summary>Hidden width of the MLP.</summary>
    public int Hidden { get; init; }

    /// <summary>Width of the projected embedding.</summary>
    public int Projection { get; init; }

    /// <summary>Activation of the MLP. No tensor's shape tells it.</summary>
    public ClipActivation Activation { get; init; }

    /// <exception cref="KitException">No such tower can be.</exception>
    internal void Check(bool hasRoom)
    {
        if (!hasRoom || Heads < 1 || Dim < 1 || Dim % Heads != 0 || Depth < 1 || Hidden < 1 || Projection < 1)
            throw new KitException($"CLIP configuration {this} is impossible: heads must divide dim, depth and widths be at least 1, and the image hold a patch, the caption two tokens.");
    }

    private protected static int Blocks(WeightFile file, string tower) => file.Entries.Keys.Where(k => k.StartsWith(tower + "encoder.layers.", StringComparison.Ordinal))
        .Select(k => k[(tower.Length + "encoder.layers.".Length)..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();

    private protected static T Of<T>(string size, T small, T large) => size switch
    {
        "base" => small,
        "large" => large,
        _ => throw new KitException($"CLIP size '{size}' is unknown; expected base or large (nearest: '{KitException.Nearest(size, ["base", "large"])}')."),
    };
}

/// <summary>Sizes of CLIP's image tower. The defaults are those of ViT-L/14, MONET's.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ClipVisionConfig : ClipTowerConfig
{
    /// <summary>The tower of ViT-L/14.</summary>
    public ClipVisionConfig() => (Dim, Depth, Heads, Hidden, Projection) = (1024, 24, 16, 4096, 768);

    /// <summary>Side of a square patch in pixels.</summary>
    public int Patch { get; init; } = 14;

    /// <summary>Side in pixels of the images that the tower takes.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>The tower of OpenAI's CLIP called base (768 wide, 12 blocks, patch 32) or large (1024 wide, 24 blocks, patch 14).</summary>
    /// <exception cref="KitException">Another name.</exception>
    public static ClipVisionConfig Named(string size) => Of<ClipVisionConfig>(size, new() { Dim = 768, Depth = 12, Heads = 12, Patch = 32, Hidden = 3072, Projection = 512 }, new());

    /// <summary>Patches on each side of an image.</summary>
    [JsonIgnore]
    public int Grid => ImageSize / Patch;

    /// <summary>The sizes that a file's shapes tell, with the heads and the activation of <paramref name="known"/>; null when it holds no such tower.</summary>
    internal static ClipVisionConfig? Of(WeightFile file, ClipVisionConfig known)
    {
        long[] Shape(string key) => file.Entries.TryGetValue(key, out WeightEntry? entry) ? entry.Shape : [];
        return Shape("vision_model.embeddings.patch_embedding.weight") is [var dim, 3, var patch, _] && Shape("vision_model.embeddings.position_embedding.weight") is [var rows, _] && Shape("visual_projection.weight") is [var projection, _]
            ? known with
            {
                Dim = (int)dim, Depth = Blocks(file, "vision_model."), Patch = (int)patch, ImageSize = (int)Math.Round(Math.Sqrt(rows - 1)) * (int)patch, Projection = (int)projection,
                Hidden = Shape("vision_model.encoder.layers.0.mlp.fc1.weight") is [var hidden, _] ? (int)hidden : known.Hidden,
            }
            : null;
    }
}

/// <summary>Sizes of CLIP's text tower. The defaults are those of ViT-L/14, MONET's.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ClipTextConfig : ClipTowerConfig
{
    /// <summary>The tower of ViT-L/14.</summary>
    public ClipTextConfig() => (Dim, Depth, Heads, Hidden, Projection) = (768, 12, 12, 3072, 768);

    /// <summary>Most tokens of a caption, start and end included.</summary>
    public int Context { get; init; } = 77;

    /// <summary>Number of tokens that there are.</summary>
    public int Vocabulary { get; init; } = 49_408;

    /// <summary>The tower of OpenAI's CLIP called base (512 wide) or large (768 wide), 12 blocks both.</summary>
    /// <exception cref="KitException">Another name.</exception>
    public static ClipTextConfig Named(string size) => Of<ClipTextConfig>(size, new() { Dim = 512, Heads = 8, Hidden = 2048, Projection = 512 }, new());

    /// <summary>The sizes that a file's shapes tell, with the heads and the activation of <paramref name="known"/>; null when it holds no such tower.</summary>
    internal static ClipTextConfig? Of(WeightFile file, ClipTextConfig known)
    {
        long[] Shape(string key) => file.Entries.TryGetValue(key, out WeightEntry? entry) ? entry.Shape : [];
        return Shape("text_model.embeddings.token_embedding.weight") is [var words, var dim] && Shape("text_model.embeddings.position_embedding.weight") is [var context, _] && Shape("text_projection.weight") is [var projection, _]
            ? known with
            {
                Dim = (int)dim, Depth = Blocks(file, "text_model."), Context = (int)context, Vocabulary = (int)words, Projection = (int)projection,
                Hidden = Shape("text_model.encoder.layers.0.mlp.fc1.weight") is [var hidden, _] ? (int)hidden : known.Hidden,
            }
            : null;
    }
}
