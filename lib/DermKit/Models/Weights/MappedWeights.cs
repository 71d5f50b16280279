using System.Text.RegularExpressions;

namespace DermKit.Models;

/// <summary>Origin of a file's key names.</summary>
internal enum WeightFamily
{
    Unknown,
    // timm's, also of DINO, iBOT and the paper's authors.
    Vit,
    ResNet,
    Clip,
    OpenAiClip,
}

/// <summary>A weights file under the kit's key names. Finds the encoder under any prefix, such as teacher.backbone.;
/// splits openai/CLIP's fused projections into Hugging Face's three and transposes others. A file of no known family,
/// or with several different encoders, is unchanged.</summary>
internal sealed class MappedWeights : WeightFile
{
    // Networks that the kit does not build, by keys that only they have.
    private static readonly (WeightFamily Family, string Pattern, string Part)[] Unbuilt =
    [
        (WeightFamily.Vit, @"^blocks\.\d+\.\d+\.", "blocks in chunks, as DINOv2 trains them"),
        (WeightFamily.Vit, @"^blocks\..*\.(ls[12]\.gamma|gamma_[12])$", "LayerScale, as in DINOv2"),
        (WeightFamily.Vit, "^(register_tokens|reg_token|storage_tokens)$", "register tokens"),
        (WeightFamily.Vit, "^mask_token$", "a mask token"),
        (WeightFamily.Vit, "^dist_token$", "a distillation token"),
        (WeightFamily.Vit, @"^blocks\..*\.mlp\.(w1|w2|w12|w3|fc1_g|fc1_x)\.", "SwiGLU"),
        (WeightFamily.Vit, @"^blocks\..*\.attn\.[qk]_norm\.", "normed queries and keys"),
        (WeightFamily.Vit, @"(^|\.)relative_position_|^rel_pos_bias\.", "relative positions"),
        (WeightFamily.Vit, "^rope", "rotary positions"),
        (WeightFamily.Clip, @"^vision_model\.head\.", "attention pooling, as in SigLIP"),
    ];

    // torchvision's layers by number in a Sequential, as lightly stores them.
    private static readonly (string Number, string Layer)[] Numbered =
        [("0", "conv1"), ("1", "bn1"), ("4", "layer1"), ("5", "layer2"), ("6", "layer3"), ("7", "layer4")];

    private static readonly (string From, string To)[] Beginnings =
    [
        ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
        ("visual.conv1.", "vision_model.embeddings.patch_embedding."),
        ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        ("visual.ln_pre.", "vision_model.pre_layrnorm."), ("visual.ln_post.", "vision_model.post_layernorm."),
        ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
        ("token_embedding.", "text_model.embeddings.token_embedding."),
        ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
        ("ln_final.", "text_model.final_layer_norm."), ("transformer.resblocks.", "text_model.encoder.layers."),
    ];

    private static readonly (string From, string To)[] BlockParts =
    [
        (".attn.", ".self_attn."), (".ln_1.", ".layer_norm1."), (".ln_2.", ".layer_norm2."),
        (".mlp.c_fc.", ".mlp.fc1."),
        (".mlp.c_proj.", ".mlp.fc2."),
    ];

    private static readonly Regex Fused =
        new(@"^((?:visual\.)?transformer\.resblocks\.\d+\.)attn\.in_proj_(weight|bias)$");

    private readonly WeightFile file;
    private readonly Dictionary<string, WeightEntry> entries = [];
    private readonly Dictionary<string, Source> sources = [];

    private MappedWeights(WeightFile file, string? prefix) : base(file.Path)
    {
        this.file = file;
        Metadata = file.Metadata;
        var search = new EncoderSearch(file);
        Encoder[] chosen = prefix is null ? search.Chosen() : search.Named(prefix), inside = [];
        if (chosen.Length > 1)
            Ambiguity = $"it has {chosen.Length} different encoders: {EncoderSearch.Listed(chosen)}. Choose one: "
                + "kit weights convert IN OUT.safetensors --prefix PREFIX writes it to a file of its own";
        else if (chosen is [var only])
        {
            Family = only.Family;
            Prefix = only.Prefix;
            inside = search.Inside(Prefix);
        }
        ILookup<bool, WeightEntry> used =
            file.Entries.Values.ToLookup(e => EncoderSearch.IsUnder(e.Name, Prefix, inside));
        foreach (WeightEntry entry in used[true]) Add(entry, entry.Name[Prefix.Length..]);
        Entries = entries;
        Unused = [.. used[false].Select(e => e.Name).Order(StringComparer.Ordinal)];
    }

    private readonly record struct Source(string Key, long First, bool IsTurned);

    public WeightFamily Family { get; }

    // Before the encoder's keys, such as teacher.backbone., or empty.
    public string Prefix { get; } = "";

    // Keys outside the encoder, or of others nested in it.
    public IReadOnlyList<string> Unused { get; }

    // Different encoders in the file, and how to choose; null for at most one.
    internal string? Ambiguity { get; }

    public override string Format => file.Format;

    public string Description => Ambiguity ?? (Family == WeightFamily.Unknown
        ? $"its keys, such as {Examples(3)}, are of no family that the kit knows"
        : $"its keys are those of {EncoderSearch.Owner(Family)}{Under}");

    internal string Examples(int count) => Names.Listed(file.Entries.Keys.Order(StringComparer.Ordinal).Take(count));

    internal string Under => Prefix.Length > 0 ? $", under {Printable.Of(Prefix)}" : "";

    // Entries that no model uses: classifiers, pre-training heads, position numbers.
    public IReadOnlyList<string> Heads =>
        [.. Entries.Keys.Where(k => WeightLoader.LeavesOut(EncoderSearch.HeadsOf(Family), k))];

    public static MappedWeights Open(string path, string? prefix = null) =>
        Owned.Make(() => WeightFile.Open(path), file => new MappedWeights(file, prefix));

    // A sentence on unbuilt parts among keys; may be empty.
    internal string Unsupported(IReadOnlyCollection<string> keys)
    {
        var parts = new List<string>();
        foreach ((WeightFamily family, string pattern, string part) in Unbuilt)
            if (family == Family && keys.FirstOrDefault(k => Regex.IsMatch(k, pattern)) is { } key)
                parts.Add($"{part} (extra: {Printable.Of(key)})");
        return parts.Count == 0 ? ""
            : $" The kit does not build this kind of {EncoderSearch.Owner(Family)}: it has {string.Join("; ", parts)}.";
    }

    public override void Dispose() => file.Dispose();

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

    private void Add(WeightEntry entry, string key)
    {
        if (Family == WeightFamily.OpenAiClip) AddOpenAi(entry, key);
        else if (Family == WeightFamily.ResNet
            && Array.Find(Numbered, n => n.Number == key.Split('.')[0]).Layer is { } layer)
            Put(entry, layer + key[key.IndexOf('.', Ordinal)..], entry.Shape);
        else Put(entry, key, entry.Shape);
    }

    private void AddOpenAi(WeightEntry entry, string key)
    {
        // Sizes that openai/CLIP stores.
        if (key is "input_resolution" or "context_length" or "vocab_size") return;
        if (key is "visual.proj" or "text_projection" && entry.Shape is [var rows, var columns])
            Put(entry, key == "visual.proj" ? "visual_projection.weight" : "text_projection.weight", [columns, rows],
                isTurned: true);
        else if (Fused.Match(key) is { Success: true } fused && entry.Shape is [var outputs, ..] && outputs % 3 == 0)
            for (int i = 0; i < 3; i++)
            {
                string part = $"{fused.Groups[1].Value}attn.{"qkv"[i]}_proj.{fused.Groups[2].Value}";
                Put(entry, Renamed(part), [outputs / 3, .. entry.Shape[1..]], i * entry.Count / 3);
            }
        else Put(entry, Renamed(key), entry.Shape);
    }

    private void Put(WeightEntry entry, string name, long[] shape, long first = 0, bool isTurned = false)
    {
        if (!entries.TryAdd(name, new(name, entry.Type, shape)))
            throw new KitException($"{Path}: '{Printable.Of(entry.Name)}' and '{Printable.Of(sources[name].Key)}' are "
                + $"both the kit's '{Printable.Of(name)}'. Take one of them out.");
        sources[name] = new(entry.Name, first, isTurned);
    }

    private static string Renamed(string key) => Renamed(key, Beginnings, BlockParts);

    // Inverts Renamed for keys neither fused nor transposed.
    internal static string OpenAiName(string key) =>
        Renamed(key, Array.ConvertAll(Beginnings, Swapped), Array.ConvertAll(BlockParts, Swapped));

    private static (string From, string To) Swapped((string From, string To) pair) => (pair.To, pair.From);

    private static string Renamed(string key, (string From, string To)[] beginnings,
        (string From, string To)[] blockParts)
    {
        (string from, string to) = Array.Find(beginnings, p => key.StartsWith(p.From, Ordinal));
        if (from is null) return key;
        string rest = key[from.Length..];
        foreach ((string part, string name) in blockParts) rest = rest.Replace(part, name, Ordinal);
        return to + rest;
    }
}
