using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models.Weights;

/// <summary>Whose key names a file has.</summary>
public enum WeightFamily
{
    /// <summary>None that the kit knows.</summary>
    Unknown,
    /// <summary>timm's ViT, which DINO, iBOT and the paper's authors share.</summary>
    Vit,
    /// <summary>torchvision's ResNet.</summary>
    ResNet,
    /// <summary>Hugging Face's CLIPModel.</summary>
    Clip,
    /// <summary>openai/CLIP, and OpenCLIP.</summary>
    OpenAiClip,
}

/// <summary>
/// A weights file under the key names of the kit's models, whatever it calls them: the network inside of a checkpoint is taken out (teacher before
/// student; the prefixes module., backbone. and the like), openai/CLIP's fused projections are cut into Hugging Face's three, and its transposed ones
/// turned. A file of no known family stays as it is.
/// </summary>
public sealed class MappedWeights : WeightFile
{
    /// <summary>Under what a checkpoint keeps a network, in the order in which they are looked for.</summary>
    private static readonly string[] Wrappers = ["teacher.", "student.", "state_dict.", "model_state_dict.", "model.", "network.", "net.", "module.", "backbone.", "_orig_mod."];

    /// <summary>The layers of torchvision's ResNet by their numbers in a Sequential, as lightly and others store them.</summary>
    private static readonly Dictionary<string, string> Numbered = new() { ["0"] = "conv1", ["1"] = "bn1", ["4"] = "layer1", ["5"] = "layer2", ["6"] = "layer3", ["7"] = "layer4" };

    private const int MostWrappers = 16;

    private readonly WeightFile file;
    private readonly Dictionary<string, Source> sources = new(StringComparer.Ordinal);

    private MappedWeights(WeightFile file) : base(file.Path)
    {
        this.file = file;
        Metadata = file.Metadata;
        IReadOnlyCollection<string> keys = [.. file.Entries.Keys];
        if (Find("", keys, 0) is { } found) (Family, Prefix) = found;
        var entries = new Dictionary<string, WeightEntry>(StringComparer.Ordinal);
        foreach (WeightEntry entry in file.Entries.Values)
            if (entry.Name.StartsWith(Prefix, StringComparison.Ordinal)) Add(entries, entry, entry.Name[Prefix.Length..]);
        Entries = entries;
        Unused = [.. keys.Where(k => !k.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    private readonly record struct Source(string Key, long First, bool IsTurned);

    /// <summary>Whose names the file has.</summary>
    public WeightFamily Family { get; }

    /// <summary>Where in the file the network lies, such as teacher.backbone.; empty when it is all of the file.</summary>
    public string Prefix { get; } = "";

    /// <summary>Keys of the file outside of <see cref="Prefix"/>.</summary>
    public IReadOnlyList<string> Unused { get; }

    /// <inheritdoc/>
    public override string Format => file.Format;

    /// <summary>Family and place in words.</summary>
    public string Description => Family switch
    {
        WeightFamily.Vit => "its keys are those of timm's and DINO's ViT",
        WeightFamily.ResNet => "its keys are those of torchvision's ResNet",
        WeightFamily.Clip => "its keys are those of Hugging Face's CLIPModel",
        WeightFamily.OpenAiClip => "its keys are those of openai/CLIP",
        _ => $"its keys, such as {string.Join(", ", file.Entries.Keys.Order(StringComparer.Ordinal).Take(3))}, are of no family that the kit knows",
    } + (Prefix.Length > 0 ? $", under {Prefix}" : "");

    /// <summary>Keys among <see cref="WeightFile.Entries"/> that no model of the kit has a place for: classifiers, heads of pre-training, position numbers.</summary>
    public IReadOnlyList<string> Heads => [.. Entries.Keys.Where(k => WeightLoader.LeavesOut(Family switch
    {
        WeightFamily.Vit => VisionTransformer.NotBackbone,
        WeightFamily.ResNet => ResNet.NotBackbone,
        WeightFamily.Clip or WeightFamily.OpenAiClip => ClipModel.NotWeights,
        _ => [],
    }, k))];

    /// <summary>Opens any weights file.</summary>
    /// <exception cref="KitException">It is no weights file, or breaks a rule of its format.</exception>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    public static new MappedWeights Open(string path)
    {
        WeightFile file = WeightFile.Open(path);
        try
        {
            return new(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => file.Dispose();

    internal override void Read(string name, long first, Tensor target)
    {
        Source source = sources[name];
        if (!source.IsTurned)
        {
            file.Read(source.Key, source.First + first, target);
            return;
        }
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        target.view(-1).copy_(file.Load(source.Key).t().reshape(-1).narrow(0, first, target.numel()));
    }

    /// <summary>The first network among those under the wrappers, each looked into before the next; only keys that lie inside of one are looked at there.</summary>
    private (WeightFamily Family, string Prefix)? Find(string prefix, IReadOnlyCollection<string> keys, int wrappers)
    {
        if (Recognise(prefix) is var family && family != WeightFamily.Unknown) return (family, prefix);
        // Real files have up to four wrappers: one that never ends its wrapping is no network.
        if (wrappers == MostWrappers) return null;
        foreach (string inner in Wrappers.Select(w => prefix + w))
            if (keys.Where(k => k.StartsWith(inner, StringComparison.Ordinal)).ToArray() is { Length: > 0 } inside && Find(inner, inside, wrappers + 1) is { } found) return found;
        return null;
    }

    private WeightFamily Recognise(string prefix)
    {
        long[] Shape(string key) => file.Entries.TryGetValue(prefix + key, out WeightEntry? entry) ? entry.Shape : [];
        return Shape("patch_embed.proj.weight") is [_, _, _, _] && file.Entries.ContainsKey(prefix + "cls_token") ? WeightFamily.Vit
            : Shape("conv1.weight") is [_, 3, 7, 7] && Shape("layer1.0.conv1.weight").Length == 4 ? WeightFamily.ResNet
            : Shape("0.weight") is [_, 3, 7, 7] && Shape("4.0.conv1.weight").Length == 4 ? WeightFamily.ResNet
            : Shape("vision_model.embeddings.patch_embedding.weight").Length == 4 ? WeightFamily.Clip
            : Shape("visual.conv1.weight").Length == 4 && file.Entries.ContainsKey(prefix + "visual.class_embedding") ? WeightFamily.OpenAiClip
            : WeightFamily.Unknown;
    }

    private void Add(Dictionary<string, WeightEntry> entries, WeightEntry entry, string key)
    {
        void Put(string name, long[] shape, long first = 0, bool isTurned = false)
        {
            if (!entries.TryAdd(name, new(name, entry.Type, shape))) throw new KitException($"{Path}: '{entry.Name}' and '{sources[name].Key}' are both the kit's '{name}'. Take one of them out.");
            sources[name] = new(entry.Name, first, isTurned);
        }
        if (Family == WeightFamily.ResNet && Numbered.TryGetValue(key.Split('.')[0], out string? layer)) Put(layer + key[key.IndexOf('.', StringComparison.Ordinal)..], entry.Shape);
        else if (Family != WeightFamily.OpenAiClip) Put(key, entry.Shape);
        // Sizes that openai/CLIP stores beside the weights.
        else if (key is "input_resolution" or "context_length" or "vocab_size") return;
        else if (key is "visual.proj" or "text_projection" && entry.Shape is [var rows, var columns]) Put(key == "text_projection" ? "text_projection.weight" : "visual_projection.weight", [columns, rows], isTurned: true);
        else if (Fused.Match(key) is { Success: true } fused && entry.Shape is [var outputs, ..] && outputs % 3 == 0)
        {
            string[] parts = ["q", "k", "v"];
            for (int i = 0; i < 3; i++) Put(Renamed($"{fused.Groups[1].Value}attn.{parts[i]}_proj.{fused.Groups[2].Value}"), [outputs / 3, .. entry.Shape[1..]], i * entry.Count / 3);
        }
        else Put(Renamed(key), entry.Shape);
    }

    private static string Renamed(string key)
    {
        foreach ((string from, string to) in Parts)
            if (key.StartsWith(from, StringComparison.Ordinal))
            {
                string rest = key[from.Length..];
                foreach ((string inner, string name) in BlockParts)
                    if (to.EndsWith("layers.", StringComparison.Ordinal)) rest = rest.Replace(inner, name, StringComparison.Ordinal);
                return to + rest;
            }
        return key;
    }

    /// <summary>openai/CLIP's name of Hugging Face's, where it is no more than a name: not of the fused and the transposed projections.</summary>
    internal static string OpenAiName(string key)
    {
        foreach ((string from, string to) in Parts)
            if (key.StartsWith(to, StringComparison.Ordinal)) return from + (to.EndsWith("layers.", StringComparison.Ordinal) ? BlockParts.Aggregate(key[to.Length..], (rest, p) => rest.Replace(p.Item2, p.Item1, StringComparison.Ordinal)) : key[to.Length..]);
        return key;
    }

    private static readonly (string, string)[] Parts =
    [
        ("visual.class_embedding", "vision_model.embeddings.class_embedding"), ("visual.conv1.", "vision_model.embeddings.patch_embedding."),
        ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"), ("visual.ln_pre.", "vision_model.pre_layrnorm."), ("visual.ln_post.", "vision_model.post_layernorm."),
        ("visual.transformer.resblocks.", "vision_model.encoder.layers."), ("token_embedding.", "text_model.embeddings.token_embedding."),
        ("positional_embedding", "text_model.embeddings.position_embedding.weight"), ("ln_final.", "text_model.final_layer_norm."), ("transformer.resblocks.", "text_model.encoder.layers."),
    ];

    private static readonly (string, string)[] BlockParts = [(".attn.", ".self_attn."), (".ln_1.", ".layer_norm1."), (".ln_2.", ".layer_norm2."), (".mlp.c_fc.", ".mlp.fc1."), (".mlp.c_proj.", ".mlp.fc2.")];

    private static readonly Regex Fused = new(@"^((?:visual\.)?transformer\.resblocks\.\d+\.)attn\.in_proj_(weight|bias)$", RegexOptions.CultureInvariant);
}
