using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

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
/// A weights file under the key names of the kit's models. The encoder inside a checkpoint is found under any prefix,
/// such as teacher.backbone. or net.encoder.; openai/CLIP's fused projections are cut into Hugging Face's three, and
/// its transposed ones turned. A file of no known family, or with several different encoders, stays as it is.
/// </summary>
public sealed class MappedWeights : WeightFile
{
    /// <summary>Parts of other networks of a family, each by a key that only they have.</summary>
    private static readonly (WeightFamily Family, Regex Key, string Part)[] Unbuilt =
    [
        (WeightFamily.Vit, Pattern(@"^blocks\.\d+\.\d+\."), "blocks in chunks, as DINOv2 trains them"),
        (WeightFamily.Vit, Pattern(@"^blocks\..*\.(ls[12]\.gamma|gamma_[12])$"), "LayerScale, as in DINOv2"),
        (WeightFamily.Vit, Pattern("^(register_tokens|reg_token|storage_tokens)$"), "register tokens"),
        (WeightFamily.Vit, Pattern("^mask_token$"), "a mask token"),
        (WeightFamily.Vit, Pattern("^dist_token$"), "a distillation token"),
        (WeightFamily.Vit, Pattern(@"^blocks\..*\.mlp\.(w1|w2|w12|w3|fc1_g|fc1_x)\."), "SwiGLU"),
        (WeightFamily.Vit, Pattern(@"^blocks\..*\.attn\.[qk]_norm\."), "normed queries and keys"),
        (WeightFamily.Vit, Pattern(@"(^|\.)relative_position_|^rel_pos_bias\."), "relative positions"),
        (WeightFamily.Vit, Pattern("^rope"), "rotary positions"),
        (WeightFamily.Clip, Pattern(@"^vision_model\.head\."), "attention pooling, as in SigLIP"),
    ];

    /// <summary>The layers of torchvision's ResNet by their numbers in a Sequential, as lightly and others store them.</summary>
    private static readonly Dictionary<string, string> Numbered = new() { ["0"] = "conv1", ["1"] = "bn1", ["4"] = "layer1", ["5"] = "layer2", ["6"] = "layer3", ["7"] = "layer4" };

    private readonly WeightFile file;
    private readonly Dictionary<string, Source> sources = new(StringComparer.Ordinal);

    private MappedWeights(WeightFile file, string? prefix) : base(file.Path)
    {
        this.file = file;
        Metadata = file.Metadata;
        var search = new EncoderSearch(file);
        Encoder[] chosen = prefix is null ? search.Chosen() : search.Named(prefix), inside = [];
        if (chosen.Length > 1)
            Ambiguity = $"it has {chosen.Length} different encoders: {EncoderSearch.Listed(chosen)}. Choose one: "
                + "kit weights convert IN OUT.safetensors --prefix PREFIX writes it to a file of its own";
        else if (chosen.Length == 1)
        {
            Family = chosen[0].Family;
            Prefix = chosen[0].Prefix;
            inside = search.Inside(Prefix);
        }
        var entries = new Dictionary<string, WeightEntry>(StringComparer.Ordinal);
        var unused = new List<string>();
        foreach (WeightEntry entry in file.Entries.Values)
        {
            if (EncoderSearch.IsUnder(entry.Name, Prefix, inside)) Add(entries, entry, entry.Name[Prefix.Length..]);
            else unused.Add(entry.Name);
        }
        unused.Sort(StringComparer.Ordinal);
        Entries = entries;
        Unused = unused;
    }

    private readonly record struct Source(string Key, long First, bool IsTurned);

    /// <summary>Whose names the file has.</summary>
    public WeightFamily Family { get; }

    /// <summary>Where in the file the encoder lies, such as teacher.backbone.; empty for all of the file.</summary>
    public string Prefix { get; } = "";

    /// <summary>Keys of the file outside of <see cref="Prefix"/>, and of other encoders inside of it.</summary>
    public IReadOnlyList<string> Unused { get; }

    /// <summary>The encoders of a file that has different ones, and how to choose; null for at most one.</summary>
    internal string? Ambiguity { get; }

    /// <inheritdoc/>
    public override string Format => file.Format;

    /// <summary>Family and place in words.</summary>
    public string Description => Ambiguity ?? (Family == WeightFamily.Unknown
        ? $"its keys, such as {Examples(3)}, are of no family that the kit knows"
        : $"its keys are those of {EncoderSearch.Owner(Family)}{Under}");

    /// <summary>The first keys of the file, in the order of their names.</summary>
    internal string Examples(int count) =>
        Names.Listed([.. file.Entries.Keys.Order(StringComparer.Ordinal).Take(count)], count);

    /// <summary>", under PREFIX", empty when the encoder is all of the file.</summary>
    internal string Under => Prefix.Length > 0 ? $", under {Printable.Of(Prefix)}" : "";

    /// <summary>
    /// Keys among the entries that no model has a place for: classifiers, heads of pre-training, position numbers.
    /// </summary>
    public IReadOnlyList<string> Heads
    {
        get
        {
            IReadOnlyList<string> heads = EncoderSearch.HeadsOf(Family);
            return [.. Entries.Keys.Where(k => WeightLoader.LeavesOut(heads, k))];
        }
    }

    /// <summary>Opens any weights file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="prefix">Where the encoder lies, with or without the last dot; null to look for it.</param>
    /// <exception cref="KitException">
    /// It is no weights file, breaks a rule of its format, or has no encoder under the prefix.
    /// </exception>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    public static MappedWeights Open(string path, string? prefix)
    {
        WeightFile file = WeightFile.Open(path);
        try
        {
            return new(file, prefix);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="Open(string, string?)"/>
    public static new MappedWeights Open(string path) => Open(path, null);

    /// <summary>Parts of the encoder that the kit does not build, with a key of each; empty for none.</summary>
    /// <param name="keys">The keys to look at.</param>
    internal string Unsupported(IReadOnlyCollection<string> keys)
    {
        var parts = new List<string>();
        foreach ((WeightFamily family, Regex pattern, string part) in Unbuilt)
            if (family == Family && keys.FirstOrDefault(pattern.IsMatch) is { } key)
                parts.Add($"{part} (extra: {Printable.Of(key)})");
        bool isBasic = keys.Contains("layer1.0.conv2.weight")
            && !keys.Any(k => k.EndsWith(".conv3.weight", StringComparison.Ordinal));
        if (Family == WeightFamily.ResNet && isBasic)
            parts.Add("blocks of two convolutions, as in ResNet-18 and -34 (layer1.0.conv2.weight, no conv3.weight)");
        return parts.Count == 0 ? ""
            : $" The kit does not build this kind of {EncoderSearch.Owner(Family)}: it has {string.Join("; ", parts)}.";
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

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.CultureInvariant);

    private void Add(Dictionary<string, WeightEntry> entries, WeightEntry entry, string key)
    {
        void Put(string name, long[] shape, long first = 0, bool isTurned = false)
        {
            if (!entries.TryAdd(name, new(name, entry.Type, shape))) throw Twice(entry.Name, name);
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

    private KitException Twice(string key, string name) =>
        new($"{Path}: '{Printable.Of(key)}' and '{Printable.Of(sources[name].Key)}' are both the kit's "
            + $"'{Printable.Of(name)}'. Take one of them out.");

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
