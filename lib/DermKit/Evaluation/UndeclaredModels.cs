using DermKit.Models;
using DermKit.Models.Weights;
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
        string under = file.Prefix.Length > 0 ? $", under {file.Prefix}" : "";
        long[] Shape(string key) => file.Entries.TryGetValue(key, out WeightEntry? entry) ? entry.Shape : [];
        ModelDefinition model = new()
        {
            Name = name, Version = 1, Title = "", Family = "", Parameters = file.Entries.Values.Sum(e => e.Count), Source = path, Licence = "unknown", IsUndeclared = true,
            Stamp = file.Metadata.GetValueOrDefault("stamp") == Stamps.Fixture ? Stamps.Fixture : "",
            PretrainedOn = file.Metadata.GetValueOrDefault("pretrainedOn")?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [],
        };

        if (Shape("patch_embed.proj.weight") is [var dim, 3, var patch, var width] && patch == width && Shape("pos_embed") is [1, var positions, _] && file.Entries.ContainsKey("cls_token"))
        {
            int depth = Blocks(file, "blocks."), side = Side(positions);
            string? size = new[] { "tiny", "small", "base", "large" }.FirstOrDefault(s => VitConfig.Named(s).Dim == dim && VitConfig.Named(s).Depth == depth);
            if (size is null) return Refused(path, name, model.Parameters, $"a ViT {dim} wide with {depth} blocks is none of tiny (192, 12), small (384, 12), base (768, 12) and large (1024, 24)");
            if (side == 0) return Refused(path, name, model.Parameters, $"pos_embed has {positions} positions, which is not one for CLS and a square of patches");
            return Fitting(file, model with
            {
                Family = "vit", Size = size, Patch = (int)patch, ImageSize = side * (int)patch, LeaveOut = VisionTransformer.NotBackbone,
                Title = $"undeclared, ViT-{char.ToUpperInvariant(size[0])}/{patch}", Note = $"undeclared: keys look like timm's ViT-{char.ToUpperInvariant(size[0])}/{patch}{under}. {Seen(model.PretrainedOn)}",
            });
        }
        if (Shape("conv1.weight") is [_, 3, 7, 7] && Shape("layer1.0.conv3.weight") is [_, _, 1, 1])
        {
            ResNetConfig sizes = new()
            {
                Planes = [.. Enumerable.Range(1, 4).Select(stage => Shape($"layer{stage}.0.conv1.weight") is [var planes, ..] ? (int)planes : 0)],
                Blocks = [.. Enumerable.Range(1, 4).Select(stage => Blocks(file, $"layer{stage}."))],
            };
            if (sizes.Planes.Concat(sizes.Blocks).Contains(0)) return Refused(path, name, model.Parameters, $"a ResNet with planes {string.Join(", ", sizes.Planes)} and blocks {string.Join(", ", sizes.Blocks)} in its four stages, which lacks some");
            return Fitting(file, model with
            {
                Family = "resnet", ResNet = sizes, Features = FeatureVariant.AvgPool,
                Title = $"undeclared, ResNet-{sizes.Depth}", Note = $"undeclared: keys look like torchvision's ResNet-{sizes.Depth}, blocks {string.Join(", ", sizes.Blocks)}, {sizes.Features} features{under}. {Seen(model.PretrainedOn)}",
            });
        }
        if (Shape("vision_model.embeddings.patch_embedding.weight") is [var wide, 3, var p, var q] && p == q && Shape("vision_model.embeddings.position_embedding.weight") is [var rows, _] && Shape("visual_projection.weight") is [_, _])
        {
            if (Side(rows) == 0) return Refused(path, name, model.Parameters, $"position_embedding has {rows} positions, which is not one for CLS and a square of patches");
            ClipVisionConfig? known = file.Metadata.TryGetValue("architecture", out string? text) ? Architecture(text) : wide is 768 or 1024 ? ClipVisionConfig.Named(wide == 768 ? "base" : "large") : null;
            if (known is null) return Refused(path, name, model.Parameters, $"a CLIP image tower {wide} wide: its number of heads cannot be read from shapes; name it as \"clip\" in a model file");
            ClipVisionConfig clip = ClipVisionConfig.Of(file, known)!;
            if (clip.ImageSize != model.Transform.Crop) return Refused(path, name, model.Parameters, $"a CLIP image tower for pictures of {clip.ImageSize} pixels; the kit's transforms give {model.Transform.Crop}");
            return Fitting(file, model with
            {
                Family = "clip", Clip = clip, Patch = clip.Patch, ImageSize = clip.ImageSize, Features = FeatureVariant.Cls4PreNorm,
                Title = $"undeclared, CLIP image tower, {wide} wide, {clip.Depth} blocks, patch {p}",
                Note = $"undeclared: keys look like {(file.Family == WeightFamily.OpenAiClip ? "openai/CLIP's" : "Hugging Face's CLIPModel")}{under}; {clip.Heads} heads and {(clip.Activation == ClipActivation.QuickGelu ? "QuickGELU" : "GELU")} are {(text is null ? "assumed, as in OpenAI's weights" : "what the file says")}. {Seen(model.PretrainedOn)}",
            });
        }
        return Refused(path, name, model.Parameters, $"{Expected}; found {file.Entries.Count} tensors such as {string.Join(", ", file.Entries.Keys.Order(StringComparer.Ordinal).Take(4))}");
    }

    /// <summary>The model with its count, or why the file has not all of its keys and shapes and no others.</summary>
    private static ModelDefinition Fitting(MappedWeights file, ModelDefinition model)
    {
        using Backbone built = model.Unset(META);
        string problems = WeightLoader.Problems(built, file, model.AllLeftOut).Trim();
        return problems.Length == 0 ? model with { Parameters = built.ParameterCount }
            : Refused(file.Path, model.Name, model.Parameters,
                $"its keys look like {model.Title["undeclared, ".Length..]}, but not all of them. {problems}");
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
            throw new KitException($"its metadata 'architecture' is not a CLIP configuration ({e.Message})", e);
        }
    }

    private static int Blocks(MappedWeights file, string prefix) => file.Entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
        .Select(k => k[prefix.Length..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();

    /// <summary>Patches on each side for so many positions; 0 when they are no square and one.</summary>
    private static int Side(long positions) => (int)Math.Round(Math.Sqrt(positions - 1)) is var side && positions > 1 && (long)side * side == positions - 1 ? side : 0;
}
