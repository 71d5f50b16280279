using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>An encoder in a weights file.</summary>
/// <param name="Family">Whose key names it has.</param>
/// <param name="Prefix">What all of its keys begin with, such as teacher.backbone.; may be empty.</param>
/// <param name="Shape">Shape of its first convolution.</param>
internal sealed record Encoder(WeightFamily Family, string Prefix, long[] Shape)
{
    /// <summary>True where the prefix has the word, in whatever case.</summary>
    public bool Is(string role) => Prefix.Contains(role, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Looks for the encoders of a weights file, under whatever prefix, and says which of them to take.</summary>
internal sealed class EncoderSearch
{
    private const string ClipPatches = "vision_model.embeddings.patch_embedding.weight";

    /// <summary>By which keys an encoder is known: its first convolution, and a key beside it.</summary>
    private static readonly (WeightFamily Family, string Key, string Beside)[] Anchors =
    [
        (WeightFamily.Vit, "patch_embed.proj.weight", "cls_token"),
        (WeightFamily.ResNet, "conv1.weight", "layer1.0.conv1.weight"),
        (WeightFamily.ResNet, "0.weight", "4.0.conv1.weight"),
        (WeightFamily.Clip, ClipPatches, ClipPatches),
        (WeightFamily.OpenAiClip, "visual.conv1.weight", "visual.class_embedding"),
    ];

    /// <summary>What names a copy of the weights that an optimiser keeps beside them, as a part of a prefix.</summary>
    private static readonly string[] Moments = [".optim", ".exp_avg", ".momentum_buffer"];

    private readonly WeightFile file;
    private readonly Encoder[] all;

    /// <summary>Looks at the keys and shapes of a file.</summary>
    public EncoderSearch(WeightFile file)
    {
        this.file = file;
        IEnumerable<Encoder> found = Found().DistinctBy(e => (e.Family, e.Prefix));
        all = [.. found.OrderBy(e => e.Prefix.Length).ThenBy(e => e.Prefix, StringComparer.Ordinal)];
    }

    /// <summary>
    /// The encoder to take: the teacher before a student of its size, the network that BYOL's two encoders hold before
    /// their copies of it, and the first of several with the same values. More than one where the file does not tell.
    /// </summary>
    public Encoder[] Chosen()
    {
        Encoder[] teachers = [.. all.Where(e => e.Is("teacher"))];
        var prefixes = all.Select(e => e.Prefix).ToHashSet(StringComparer.Ordinal);
        bool IsPupil(Encoder e) => e.Is("student") && !e.Is("teacher")
            && teachers.Any(t => t.Family == e.Family && t.Shape.SequenceEqual(e.Shape));
        bool IsCopyIn(Encoder e, string wrapper) => e.Prefix.Contains(wrapper, StringComparison.Ordinal)
            && prefixes.Contains(e.Prefix.Replace(wrapper, "", StringComparison.Ordinal));
        // lightly's and the kit's BYOL keep the moving copy of backbone. under backbone_momentum.
        bool IsMoving(Encoder e) => e.Prefix.EndsWith("_momentum.", StringComparison.Ordinal)
            && prefixes.Contains(e.Prefix[..^"_momentum.".Length] + ".");
        bool IsCopy(Encoder e) => IsCopyIn(e, "online_encoder.") || IsCopyIn(e, "target_encoder.") || IsMoving(e);
        Encoder[] left = [.. all.Where(e => !IsPupil(e) && !IsCopy(e))];
        return left.Length > 1 && left.Skip(1).All(e => IsSame(left[0], e)) ? left[..1] : left;
    }

    /// <summary>The encoder under a prefix, with or without its last dot.</summary>
    /// <exception cref="KitException">There is none; those that there are are listed.</exception>
    public Encoder[] Named(string prefix)
    {
        Encoder[] named = [.. all.Where(e => e.Prefix == prefix || e.Prefix == prefix + ".")];
        if (named.Length > 0) return named;
        string found = all.Length == 0 ? "no encoder that the kit knows" : Listed(all);
        string shown = Printable.Of(prefix);
        throw new KitException($"{file.Path}: expected an encoder under the prefix '{shown}', found {found}.");
    }

    /// <summary>The encoders that lie deeper under a prefix.</summary>
    public Encoder[] Inside(string prefix) =>
        [.. all.Where(e => e.Prefix.Length > prefix.Length && e.Prefix.StartsWith(prefix, StringComparison.Ordinal))];

    /// <summary>Whether a key lies under a prefix and in none of the encoders deeper inside.</summary>
    public static bool IsUnder(string key, string prefix, Encoder[] inside) =>
        key.StartsWith(prefix, StringComparison.Ordinal)
        && !inside.Any(e => key.StartsWith(e.Prefix, StringComparison.Ordinal));

    /// <summary>Families and prefixes in words.</summary>
    public static string Listed(Encoder[] encoders) =>
        Names.Listed(encoders.Select(e => $"{Owner(e.Family)} under '{e.Prefix}'"));

    /// <summary>Whose keys a family has, in words.</summary>
    public static string Owner(WeightFamily family) => family switch
    {
        WeightFamily.Vit => "timm's and DINO's ViT",
        WeightFamily.ResNet => "torchvision's ResNet",
        WeightFamily.Clip => "Hugging Face's CLIPModel",
        _ => "openai/CLIP",
    };

    /// <summary>Keys of a family's files that no model of the kit has a place for.</summary>
    public static IReadOnlyList<string> HeadsOf(WeightFamily family) => family switch
    {
        WeightFamily.Vit => VisionTransformer.NotBackbone,
        WeightFamily.ResNet => ResNet.NotBackbone,
        WeightFamily.Clip or WeightFamily.OpenAiClip => ClipModel.NotWeights,
        _ => [],
    };

    private IEnumerable<Encoder> Found()
    {
        foreach (WeightEntry entry in file.Entries.Values.Where(e => e.Shape.Length == 4))
            foreach ((WeightFamily family, string key, string beside) in Anchors)
            {
                int at = entry.Name.Length - key.Length;
                if (!entry.Name.EndsWith(key, StringComparison.Ordinal)) continue;
                if (at > 0 && entry.Name[at - 1] != '.') continue;
                if (family == WeightFamily.ResNet && entry.Shape is not [_, 3, 7, 7]) continue;
                string prefix = entry.Name[..at];
                bool isMoment = Moments.Any(m => $".{prefix}".Contains(m, StringComparison.OrdinalIgnoreCase));
                if (!isMoment && file.Entries.ContainsKey(prefix + beside))
                    yield return new(family, prefix, entry.Shape);
            }
    }

    /// <summary>Whether two encoders of the file have the same values, their heads aside.</summary>
    private bool IsSame(Encoder one, Encoder other)
    {
        if (one.Family != other.Family) return false;
        HashSet<string> keys = Weights(one);
        return keys.SetEquals(Weights(other)) && keys.All(k => IsEqual(one.Prefix + k, other.Prefix + k));
    }

    /// <summary>Keys of an encoder without its prefix and its heads.</summary>
    private HashSet<string> Weights(Encoder encoder)
    {
        Encoder[] inside = Inside(encoder.Prefix);
        IReadOnlyList<string> heads = HeadsOf(encoder.Family);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (string key in file.Entries.Keys.Where(k => IsUnder(k, encoder.Prefix, inside)))
            if (key[encoder.Prefix.Length..] is var name && !WeightLoader.LeavesOut(heads, name)) keys.Add(name);
        return keys;
    }

    private bool IsEqual(string key, string other)
    {
        WeightEntry one = file.Entries[key], two = file.Entries[other];
        if (one.Type != two.Type || !one.Shape.SequenceEqual(two.Shape)) return false;
        using Tensor left = file.Load(key), right = file.Load(other);
        return left.Equals(right);
    }
}
