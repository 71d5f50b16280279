namespace DermKit.Models;

internal sealed record Encoder(WeightFamily Family, string Prefix, long[] Shape)
{
    public bool Is(string role) => Prefix.Contains(role, OrdinalIgnoreCase);
}

/// <summary>Finds a file's encoders under any prefix and chooses one.</summary>
internal sealed class EncoderSearch
{
    private const string ClipPatches = "vision_model.embeddings.patch_embedding.weight";

    // An encoder's first convolution and a key beside it.
    private static readonly (WeightFamily Family, string Key, string Beside)[] Anchors =
    [
        (WeightFamily.Vit, "patch_embed.proj.weight", "cls_token"),
        (WeightFamily.ResNet, "conv1.weight", "layer1.0.conv1.weight"),
        (WeightFamily.ResNet, "0.weight", "4.0.conv1.weight"),
        (WeightFamily.Clip, ClipPatches, ClipPatches),
        (WeightFamily.OpenAiClip, "visual.conv1.weight", "visual.class_embedding"),
    ];

    // Mark an optimiser's copies of the weights.
    private static readonly string[] Moments = [".optim", ".exp_avg", ".momentum_buffer"];

    private readonly WeightFile file;
    private readonly Encoder[] all;

    public EncoderSearch(WeightFile file)
    {
        this.file = file;
        IEnumerable<Encoder> found = Found().DistinctBy(e => (e.Family, e.Prefix));
        all = [.. found.OrderBy(e => e.Prefix.Length).ThenBy(e => e.Prefix, StringComparer.Ordinal)];
    }

    // The teacher before a student of its size, the network in BYOL's two encoders before their copies, the first of
    // several with equal values. Several where the file does not decide.
    public Encoder[] Chosen()
    {
        Encoder[] teachers = [.. all.Where(e => e.Is("teacher"))];
        var prefixes = all.Select(e => e.Prefix).ToHashSet();
        bool IsPupil(Encoder e) => e.Is("student") && !e.Is("teacher")
            && teachers.Any(t => t.Family == e.Family && t.Shape.SequenceEqual(e.Shape));
        bool IsCopyIn(Encoder e, string wrapper) => e.Prefix.Contains(wrapper, Ordinal)
            && prefixes.Contains(e.Prefix.Replace(wrapper, "", Ordinal));
        // lightly's and the kit's BYOL: backbone. has its moving copy in backbone_momentum.
        bool IsMoving(Encoder e) => e.Prefix.EndsWith("_momentum.", Ordinal)
            && prefixes.Contains(e.Prefix[..^"_momentum.".Length] + ".");
        bool IsCopy(Encoder e) => IsCopyIn(e, "online_encoder.") || IsCopyIn(e, "target_encoder.") || IsMoving(e);
        Encoder[] left = [.. all.Where(e => !IsPupil(e) && !IsCopy(e))];
        return left.Length > 1 && left.Skip(1).All(e => IsSame(left[0], e)) ? left[..1] : left;
    }

    public Encoder[] Named(string prefix)
    {
        Encoder[] named = [.. all.Where(e => e.Prefix == prefix || e.Prefix == prefix + ".")];
        if (named.Length > 0) return named;
        string found = all.Length == 0 ? "no encoder that the kit knows" : Listed(all);
        throw new KitException(
            $"{file.Path}: expected an encoder under the prefix '{Printable.Of(prefix)}', found {found}.");
    }

    public Encoder[] Inside(string prefix) =>
        [.. all.Where(e => e.Prefix.Length > prefix.Length && e.Prefix.StartsWith(prefix, Ordinal))];

    // Under a prefix and in no encoder nested there.
    public static bool IsUnder(string key, string prefix, Encoder[] inside) =>
        key.StartsWith(prefix, Ordinal)
        && !inside.Any(e => key.StartsWith(e.Prefix, Ordinal));

    public static string Listed(Encoder[] encoders) =>
        Names.Listed(encoders.Select(e => $"{Owner(e.Family)} under '{e.Prefix}'"));

    public static string Owner(WeightFamily family) => family switch
    {
        WeightFamily.Vit => "timm's and DINO's ViT",
        WeightFamily.ResNet => "torchvision's ResNet",
        WeightFamily.Clip => "Hugging Face's CLIPModel",
        _ => "openai/CLIP",
    };

    // Keys that no model of the kit uses.
    public static string[] HeadsOf(WeightFamily family) => family switch
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
                if (!entry.Name.EndsWith(key, Ordinal)) continue;
                if (at > 0 && entry.Name[at - 1] != '.') continue;
                if (family == WeightFamily.ResNet && entry.Shape is not [_, 3, 7, 7]) continue;
                string prefix = entry.Name[..at];
                bool isMoment = Moments.Any(m => $".{prefix}".Contains(m, OrdinalIgnoreCase));
                if (!isMoment && file.Entries.ContainsKey(prefix + beside))
                    yield return new(family, prefix, entry.Shape);
            }
    }

    private bool IsSame(Encoder one, Encoder other)
    {
        if (one.Family != other.Family) return false;
        HashSet<string> keys = Weights(one);
        return keys.SetEquals(Weights(other)) && keys.All(k => IsEqual(one.Prefix + k, other.Prefix + k));
    }

    private HashSet<string> Weights(Encoder encoder)
    {
        Encoder[] inside = Inside(encoder.Prefix);
        string[] heads = HeadsOf(encoder.Family);
        IEnumerable<string> keys = file.Entries.Keys.Where(k => IsUnder(k, encoder.Prefix, inside));
        return [.. keys.Select(k => k[encoder.Prefix.Length..]).Where(k => !WeightLoader.LeavesOut(heads, k))];
    }

    private bool IsEqual(string key, string other)
    {
        WeightEntry one = file.Entries[key], two = file.Entries[other];
        if (one.Type != two.Type || !one.Shape.SequenceEqual(two.Shape)) return false;
        using Tensor left = file.Load(key), right = file.Load(other);
        return left.Equals(right);
    }
}
