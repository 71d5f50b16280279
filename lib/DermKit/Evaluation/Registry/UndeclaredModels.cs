using DermKit.Models;
using System.Text.Json;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// Weights files that no data/models/*.json names. A file whose keys and shapes are those of timm's or DINO's ViT, of torchvision's ResNet, of Hugging
/// Face's CLIPModel or of openai/CLIP becomes a model under the file's name; any other becomes a row that says what was expected and what was found.
/// </summary>
internal static class UndeclaredModels
{
    private const string Expected = "expected timm's ViT keys (cls_token, pos_embed, patch_embed.proj.weight, blocks.0.attn.qkv.weight, ...) of size tiny, small, base or large, torchvision's ResNet keys (conv1.weight, bn1.weight, layer1.0.conv3.weight, ...), Hugging Face's CLIPModel keys (vision_model.*, visual_projection.weight) or openai/CLIP's (visual.*)";

    /// <summary>The files of a folder, by name; other kinds of files than weights are passed over.</summary>
    /// <param name="folder">May be absent.</param>
    /// <param name="declared">Full paths that a model file names.</param>
    /// <param name="taken">Names that are in use; added to.</param>
    public static IEnumerable<ModelDefinition> Find(string folder, IReadOnlySet<string> declared, HashSet<string> taken)
    {
        if (!Directory.Exists(folder)) yield break;
        string[] files = [.. Directory.GetFiles(folder).Select(Path.GetFullPath).Order(StringComparer.Ordinal)];
        HashSet<string> parts = [.. files.SelectMany(Parts)];
        foreach (string path in files.Where(p => !declared.Contains(p) && !parts.Contains(p)))
            if (Of(path, taken) is { } model) yield return model;
    }

    /// <summary>The model of one file, whatever its folder; null for another kind of file than weights.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="taken">Names that are in use; added to.</param>
    public static ModelDefinition? Of(string path, HashSet<string> taken)
    {
        if (WeightFile.Stem(path) is not { } name) return null;
        while (!taken.Add(name)) name += "-undeclared";
        try
        {
            return Recognise(path, name);
        }
        catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
        {
            return Refused(path, name, 0, e.Message);
        }
    }

    /// <summary>The files that an index names, which are no models of their own.</summary>
    private static string[] Parts(string path)
    {
        try
        {
            return path.EndsWith(ShardedFile.Ending, StringComparison.OrdinalIgnoreCase) ? ShardedFile.Files(path) : [];
        }
        catch (KitException)
        {
            // The index is a row of its own, which says what is wrong with it.
            return [];
        }
    }

    private static ModelDefinition Recognise(string path, string name)
    {
        using MappedWeights file = MappedWeights.Open(path);
        try
        {
            return Recognise(file, name, isAnyDepth: false);
        }
        catch (KitException e)
        {
            return Refused(path, name, Parameters(file), e.Message);
        }
    }

    /// <summary>The model of an open file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Name of the model.</param>
    /// <param name="isAnyDepth">
    /// Takes a ViT of any number of blocks: pre-training can start from it, the registry cannot list it.
    /// </param>
    /// <exception cref="KitException">It cannot be used; the message is the reason alone.</exception>
    internal static ModelDefinition Recognise(MappedWeights file, string name, bool isAnyDepth)
    {
        IEnumerable<string> seen = file.Metadata.GetValueOrDefault("pretrainedOn")?.Split(',') ?? [];
        ModelDefinition model = new()
        {
            Name = name, Version = 1, Title = "", Family = "", Source = file.Path, Licence = "unknown",
            IsUndeclared = true, Parameters = Parameters(file),
            Stamp = file.Metadata.GetValueOrDefault("stamp") == Stamps.Fixture ? Stamps.Fixture : "",
            PretrainedOn = [.. seen.Select(s => s.Trim()).Where(s => s.Length > 0).Select(s => Printable.Of(s))],
        };
        if (file.Ambiguity is { } several) throw new KitException(several);
        string unsupported = file.Unsupported([.. file.Entries.Keys]);
        if (unsupported.Length > 0) throw new KitException(unsupported.Trim());
        return file.Family switch
        {
            WeightFamily.Vit => Vit(file, model, isAnyDepth),
            WeightFamily.ResNet => ResNet(file, model),
            WeightFamily.Clip or WeightFamily.OpenAiClip => Clip(file, model),
            _ => throw new KitException($"{Expected}; found {file.Entries.Count} tensors such as {file.Examples(4)}"),
        };
    }

    private static long Parameters(MappedWeights file) => file.Entries.Values.Sum(e => e.Count);

    private static ModelDefinition Vit(MappedWeights file, ModelDefinition model, bool isAnyDepth)
    {
        const string Patches = "patch_embed.proj.weight";
        if (Shape(file, Patches) is not [var dim, 3, var patch, var width] || patch != width || patch < 1)
            throw Misshapen(file, Patches, "[D, 3, P, P]");
        if (Shape(file, "pos_embed") is not [1, var positions, _])
            throw Misshapen(file, "pos_embed", "[1, 1 + patches, D]");
        int depth = Blocks(file, "blocks."), side = Side(positions);
        string? size = new[] { "tiny", "small", "base", "large" }
            .FirstOrDefault(s => VitConfig.Named(s).Dim == dim && (isAnyDepth || VitConfig.Named(s).Depth == depth));
        if (size is null || depth == 0)
            throw new KitException($"a ViT {dim} wide with {depth} blocks is none of tiny (192, 12), small (384, 12), "
                + "base (768, 12) and large (1024, 24)");
        if (side == 0) throw NoSquare("pos_embed", positions);
        string title = $"ViT-{char.ToUpperInvariant(size[0])}/{patch}";
        model = model with
        {
            Family = "vit", Size = size, Patch = Whole(patch), ImageSize = Whole(side * patch),
            LeaveOut = VisionTransformer.NotBackbone, Title = $"undeclared, {title}",
            Note = $"undeclared: keys look like timm's {title}{file.Under}. {Seen(model.PretrainedOn)}",
        };
        return Fitting(file, model, VisionTransformer.Unset(model.Vit with { Depth = depth }, META));
    }

    private static ModelDefinition ResNet(MappedWeights file, ModelDefinition model)
    {
        int[] stages = [1, 2, 3, 4];
        int Planes(int stage) => Shape(file, $"layer{stage}.0.conv1.weight") is [var planes, ..] ? Whole(planes) : 0;
        ResNetConfig sizes = new()
        {
            Planes = [.. stages.Select(Planes)],
            Blocks = [.. stages.Select(stage => Blocks(file, $"layer{stage}."))],
        };
        string blocks = string.Join(", ", sizes.Blocks);
        if (sizes.Planes.Concat(sizes.Blocks).Contains(0))
            throw new KitException($"a ResNet with planes {string.Join(", ", sizes.Planes)} and blocks {blocks} "
                + "in its four stages, which lacks some");
        model = model with
        {
            Family = "resnet", ResNet = sizes, Features = FeatureVariant.AvgPool,
            Title = $"undeclared, ResNet-{sizes.Depth}",
            Note = $"undeclared: keys look like torchvision's ResNet-{sizes.Depth}, blocks {blocks}, "
                + $"{sizes.Features} features{file.Under}. {Seen(model.PretrainedOn)}",
        };
        return Fitting(file, model, model.Unset(META));
    }

    private static ModelDefinition Clip(MappedWeights file, ModelDefinition model)
    {
        const string Patches = "vision_model.embeddings.patch_embedding.weight";
        const string Positions = "vision_model.embeddings.position_embedding.weight";
        const string Projection = "visual_projection.weight";
        if (Shape(file, Patches) is not [var wide, 3, var p, var q] || p != q || p < 1)
            throw Misshapen(file, Patches, "[D, 3, P, P]");
        if (Shape(file, Positions) is not [var rows, _]) throw Misshapen(file, Positions, "[1 + patches, D]");
        if (Shape(file, Projection) is not [_, _]) throw Misshapen(file, Projection, "[projection, D]");
        if (Side(rows) == 0) throw NoSquare("position_embedding", rows);
        bool isTold = file.Metadata.TryGetValue("architecture", out string? text);
        ClipVisionConfig? known = isTold ? Architecture(text!)
            : wide is 768 or 1024 ? ClipVisionConfig.Named(wide == 768 ? "base" : "large") : null;
        if (known is null)
            throw new KitException($"a CLIP image tower {wide} wide: its number of heads cannot be read from shapes; "
                + "name it as \"clip\" in a model file");
        ClipVisionConfig clip = ClipVisionConfig.Of(file, known)!;
        if (clip.ImageSize != model.Transform.Crop)
            throw new KitException($"a CLIP image tower for images of {clip.ImageSize} pixels; "
                + $"the kit's transforms give {model.Transform.Crop}");
        string owner = file.Family == WeightFamily.OpenAiClip ? "openai/CLIP's" : "Hugging Face's CLIPModel";
        string said = isTold ? "what the file says" : "assumed, as in OpenAI's weights";
        string activation = clip.Activation == ClipActivation.QuickGelu ? "QuickGELU" : "GELU";
        model = model with
        {
            Family = "clip", Clip = clip, Patch = clip.Patch, ImageSize = clip.ImageSize,
            Features = FeatureVariant.Cls4PreNorm,
            Title = $"undeclared, CLIP image tower, {wide} wide, {clip.Depth} blocks, patch {p}",
            Note = $"undeclared: keys look like {owner}{file.Under}; {clip.Heads} heads and {activation} are {said}. "
                + Seen(model.PretrainedOn),
        };
        return Fitting(file, model, model.Unset(META));
    }

    private static long[] Shape(MappedWeights file, string key) =>
        file.Entries.TryGetValue(key, out WeightEntry? entry) ? entry.Shape : [];

    /// <summary>A size that a model may have; a larger one is bounded, and then its shapes do not fit.</summary>
    private static int Whole(long size) => (int)Math.Min(size, 1 << 20);

    private static KitException Misshapen(MappedWeights file, string key, string expected)
    {
        string found = !file.Entries.TryGetValue(key, out WeightEntry? entry) ? $"no such key; {file.Description}"
            : $"[{Printable.Of(string.Join(", ", entry.Shape))}]";
        return new($"expected {key} of the shape {expected}, found {found}");
    }

    private static KitException NoSquare(string key, long positions) =>
        new($"{key} has {positions} positions, which is not one for CLS and a square of patches");

    /// <summary>The model with its count.</summary>
    /// <exception cref="KitException">The file has not all of its keys and shapes and no others.</exception>
    private static ModelDefinition Fitting(MappedWeights file, ModelDefinition model, Backbone unset)
    {
        using Backbone built = unset;
        string problems = WeightLoader.Problems(built, file, model.AllLeftOut).Trim();
        if (problems.Length == 0) return model with { Parameters = built.ParameterCount };
        string title = model.Title["undeclared, ".Length..];
        throw new KitException($"its keys look like {title}, but not all of them. {problems}");
    }

    private static ModelDefinition Refused(string path, string name, long parameters, string problem) => new()
    {
        Name = name, Version = 1, Title = "undeclared, not recognised", Family = "", Parameters = parameters, Source = path, Licence = "unknown", IsUndeclared = true,
        Problem = $"{Path.GetFileName(path)} is here but not recognised: {problem.TrimEnd('.')}. Declare it in data/models/{name}.json, or take it out of the folder.",
    };

    /// <summary>What the file says of its data; "unknown" stands for those of weights that the training began with.</summary>
    private static string Seen(string[] sets)
    {
        string[] known = [.. sets.Where(s => s != "unknown")];
        if (known.Length == 0) return "What it has seen is not known.";
        return $"It says that it has seen {Names.Listed(known)}{(known.Length < sets.Length ? "; what the weights that it began with had seen is not known" : "")}.";
    }

    private static ClipVisionConfig Architecture(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<ClipVisionConfig>(text) ?? throw new JsonException("it says null");
        }
        catch (JsonException e)
        {
            string problem = Printable.Of(e.Message);
            throw new KitException($"its metadata 'architecture' is not a CLIP configuration ({problem})", e);
        }
    }

    private static int Blocks(MappedWeights file, string prefix) => file.Entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
        .Select(k => k[prefix.Length..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();

    /// <summary>Patches on each side for so many positions; 0 when they are no square and one.</summary>
    private static int Side(long positions) => (int)Math.Round(Math.Sqrt(positions - 1)) is var side && positions > 1 && (long)side * side == positions - 1 ? side : 0;
}
