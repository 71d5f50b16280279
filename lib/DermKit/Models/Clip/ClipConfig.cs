namespace DermKit.Models;

/// <summary>A tower's activation, as Hugging Face's hidden_act.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ClipActivation>))]
internal enum ClipActivation
{
    [JsonStringEnumMemberName("quick_gelu")]
    QuickGelu,
    [JsonStringEnumMemberName("gelu")]
    Gelu,
}

/// <summary>Sizes of both towers. No shape shows heads and activation.</summary>
internal abstract record ClipTowerConfig
{
    public int Dim { get; init; }

    public int Depth { get; init; }

    // OpenAI has one for each 64 of the width.
    public int Heads { get; init; }

    public int Hidden { get; init; }

    public int Projection { get; init; }

    public ClipActivation Activation { get; init; }

    internal void Check(bool hasRoom)
    {
        bool hasSizes = Heads >= 1 && Dim >= 1 && Dim % Heads == 0 && Depth >= 1 && Hidden >= 1 && Projection >= 1;
        if (!hasRoom || !hasSizes)
            throw new KitException($"CLIP configuration {this} is impossible: heads must divide dim, depth and widths "
                + "be at least 1, and the image hold a patch, the caption two tokens.");
    }

    // With the sizes of the tower under a prefix in a file.
    protected ClipTowerConfig Sized(WeightFile file, string prefix, long dim, long projection) => this with
    {
        Dim = (int)dim,
        Depth = file.CountParts(prefix + "encoder.layers."),
        Hidden = file.Shape(prefix + "encoder.layers.0.mlp.fc1.weight") is [var hidden, _] ? (int)hidden : Hidden,
        Projection = (int)projection,
    };
}

/// <summary>Sizes of CLIP's image tower; by default ViT-L/14, MONET's.</summary>
internal sealed record ClipVisionConfig : ClipTowerConfig
{
    public ClipVisionConfig()
    {
        Dim = 1024;
        Depth = 24;
        Heads = 16;
        Hidden = 4096;
        Projection = 768;
    }

    public int Patch { get; init; } = 14;

    // Side in pixels; the tower takes no other.
    public int ImageSize { get; init; } = 224;

    [JsonIgnore]
    public int Grid => ImageSize / Patch;

    public static ClipVisionConfig Named(string size) => size switch
    {
        "base" => new() { Dim = 768, Depth = 12, Heads = 12, Patch = 32, Hidden = 3072, Projection = 512 },
        "large" => new(),
        _ => throw KitException.Unknown("CLIP size", size, ["base", "large"]),
    };

    // With heads and activation of known; null when the file has no such tower.
    internal static ClipVisionConfig? Of(WeightFile file, ClipVisionConfig known)
    {
        if (file.Shape("vision_model.embeddings.patch_embedding.weight") is not [var dim, 3, var patch, _]) return null;
        if (file.Shape("vision_model.embeddings.position_embedding.weight") is not [var rows, _]) return null;
        if (file.Shape("visual_projection.weight") is not [var projection, _]) return null;
        var sized = (ClipVisionConfig)known.Sized(file, "vision_model.", dim, projection);
        return sized with { Patch = (int)patch, ImageSize = (int)Math.Round(Math.Sqrt(rows - 1)) * (int)patch };
    }
}

/// <summary>Sizes of CLIP's text tower; by default ViT-L/14, MONET's.</summary>
internal sealed record ClipTextConfig : ClipTowerConfig
{
    public ClipTextConfig()
    {
        Dim = 768;
        Depth = 12;
        Heads = 12;
        Hidden = 3072;
        Projection = 768;
    }

    public int Context { get; init; } = 77;

    public int Vocabulary { get; init; } = 49_408;

    internal static ClipTextConfig? Of(WeightFile file, ClipTextConfig known)
    {
        if (file.Shape("text_model.embeddings.token_embedding.weight") is not [var words, var dim]) return null;
        if (file.Shape("text_model.embeddings.position_embedding.weight") is not [var context, _]) return null;
        if (file.Shape("text_projection.weight") is not [var projection, _]) return null;
        var sized = (ClipTextConfig)known.Sized(file, "text_model.", dim, projection);
        return sized with { Context = (int)context, Vocabulary = (int)words };
    }
}
