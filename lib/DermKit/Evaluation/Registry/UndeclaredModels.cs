using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>Weights files that no data/models/*.json names, recognised by their keys and shapes; others say what was
/// expected and found.</summary>
internal static class UndeclaredModels
{
    private const string Expected = "expected the keys of timm's ViT (cls_token, patch_embed.proj.weight, ...), "
        + "torchvision's ResNet (conv1.weight, layer1.0.conv3.weight, ...), Hugging Face's CLIPModel (vision_model.*, "
        + "visual_projection.weight) or openai/CLIP (visual.*)";

    // By name, without declared files. Adds to the names in use.
    public static IEnumerable<ModelDefinition> Find(string folder, IReadOnlySet<string> declared, HashSet<string> taken)
    {
        if (!Directory.Exists(folder)) yield break;
        string[] files = [.. Directory.GetFiles(folder).Select(Path.GetFullPath).Order(StringComparer.Ordinal)];
        HashSet<string> parts = [.. files.SelectMany(Parts)];
        foreach (string path in files.Where(p => !declared.Contains(p) && !parts.Contains(p)))
            if (Of(path, taken) is { } model) yield return model;
    }

    // Null when the file is not of a weights format.
    public static ModelDefinition? Of(string path, HashSet<string> taken)
    {
        if (WeightFile.Stem(path) is not { } name) return null;
        while (!taken.Add(name)) name += "-undeclared";
        long parameters = 0;
        try
        {
            if (OnnxFile.Is(path)) return Onnx(Model(name, path, 0));
            using MappedWeights file = MappedWeights.Open(path);
            parameters = Parameters(file);
            return Recognise(file, name, isAnyDepth: false);
        }
        catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
        {
            return Model(name, path, parameters) with
            {
                Title = "undeclared, not recognised",
                Problem = $"{Path.GetFileName(path)} is here but not recognised: {e.Message.TrimEnd('.')}. "
                    + $"Declare it in data/models/{name}.json, or take it out of the folder.",
            };
        }
    }

    // Files that an index or an ONNX file names are not models.
    private static string[] Parts(string path)
    {
        try
        {
            return ShardedFile.IsIndex(path) ? ShardedFile.Files(path)
                : OnnxFile.Is(path) ? OnnxEncoder.Contents(path).Files : [];
        }
        catch (KitException)
        {
            // The file has a row with its fault.
            return [];
        }
    }

    // The exception's message is the reason alone. isAnyDepth accepts any number of ViT blocks: pre-training can start
    // from them, the registry cannot list them.
    internal static ModelDefinition Recognise(MappedWeights file, string name, bool isAnyDepth)
    {
        string[] sets = (file.Metadata.GetValueOrDefault("pretrainedOn") ?? "")
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        ModelDefinition model = Model(name, file.Path, Parameters(file)) with
        {
            Stamp = file.Metadata.GetValueOrDefault("stamp") == Stamps.Fixture ? Stamps.Fixture : "",
            PretrainedOn = Array.ConvertAll(sets, s => Printable.Of(s)),
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

    private static ModelDefinition Model(string name, string path, long parameters) => new()
    {
        Name = name,
        Version = 1,
        Title = "",
        Family = "",
        Source = path,
        Licence = "unknown",
        IsUndeclared = true,
        Parameters = parameters,
    };

    private static ModelDefinition Onnx(ModelDefinition model)
    {
        model = model with { Family = "onnx", Features = FeatureVariant.AvgPool };
        using Backbone encoder = model.Unset(CPU);
        return model with
        {
            Title = "undeclared, ONNX encoder",
            Parameters = encoder.ParameterCount,
            Note = "undeclared: it gets the paper's transform and ImageNet's statistics; a model file declares others"
                + $" as preprocessing and input. {Seen([])}",
        };
    }

    private static long Parameters(MappedWeights file) => file.Entries.Values.Sum(e => e.Count);

    private static ModelDefinition Vit(MappedWeights file, ModelDefinition model, bool isAnyDepth)
    {
        const string Patches = "patch_embed.proj.weight";
        if (file.Shape(Patches) is not [var dim, 3, var patch, var width] || patch != width || patch < 1)
            throw Misshapen(file, Patches, "[D, 3, P, P]");
        if (file.Shape("pos_embed") is not [1, var positions, _])
            throw Misshapen(file, "pos_embed", "[1, 1 + patches, D]");
        int depth = file.CountParts("blocks.");
        string? size = VitConfig.Sizes.FirstOrDefault(
            s => VitConfig.Named(s).Dim == dim && (isAnyDepth || VitConfig.Named(s).Depth == depth));
        if (size is null || depth == 0)
            throw new KitException($"a ViT {dim} wide with {depth} blocks is none of tiny (192, 12), small (384, 12), "
                + "base (768, 12) and large (1024, 24)");
        model = model with
        {
            Family = "vit",
            Size = size,
            Patch = Bounded(patch),
            ImageSize = Bounded(Side("pos_embed", positions) * patch),
            LeaveOut = VisionTransformer.NotBackbone,
        };
        VitConfig config = model.Vit with { Depth = depth };
        string title = $"ViT-{char.ToUpperInvariant(size[0])}/{patch}";
        return Fitting(file, model, title, $"timm's {title}{file.Under}", VisionTransformer.Unset(config, META));
    }

    private static ModelDefinition ResNet(MappedWeights file, ModelDefinition model)
    {
        ResNetConfig sizes = ResNetConfig.Of(file);
        string blocks = string.Join(", ", sizes.Blocks);
        if (sizes.Planes.Concat(sizes.Blocks).Contains(0))
            throw new KitException("a ResNet that lacks planes or blocks in a stage: "
                + $"{string.Join(", ", sizes.Planes)} and {blocks}");
        model = model with { Family = "resnet", ResNet = sizes, Features = FeatureVariant.AvgPool };
        string title = $"ResNet-{sizes.Depth}";
        string looks = $"torchvision's {title}, blocks {blocks}, {sizes.Features} features{file.Under}";
        return Fitting(file, model, title, looks, model.Unset(META));
    }

    private static ModelDefinition Clip(MappedWeights file, ModelDefinition model)
    {
        const string Patches = "vision_model.embeddings.patch_embedding.weight";
        const string Positions = "vision_model.embeddings.position_embedding.weight";
        const string Projection = "visual_projection.weight";
        if (file.Shape(Patches) is not [var wide, 3, var p, var q] || p != q || p < 1)
            throw Misshapen(file, Patches, "[D, 3, P, P]");
        if (file.Shape(Positions) is not [var rows, _]) throw Misshapen(file, Positions, "[1 + patches, D]");
        if (file.Shape(Projection) is not [_, _]) throw Misshapen(file, Projection, "[projection, D]");
        Side("position_embedding", rows);
        bool isTold = file.Metadata.TryGetValue("architecture", out string? text);
        ClipVisionConfig known = isTold ? Architecture(text!)
            : wide is 768 or 1024 ? ClipVisionConfig.Named(wide == 768 ? "base" : "large")
            : throw new KitException($"a CLIP image tower {wide} wide: its number of heads cannot be read from shapes; "
                + "name it as \"clip\" in a model file");
        ClipVisionConfig clip = ClipVisionConfig.Of(file, known)!;
        if (clip.ImageSize != model.Transform.Crop)
            throw new KitException($"a CLIP image tower for images of {clip.ImageSize} pixels; the kit's transforms "
                + $"give {model.Transform.Crop}");
        string owner = file.Family == WeightFamily.OpenAiClip ? "openai/CLIP's" : "Hugging Face's CLIPModel";
        string said = isTold ? "what the file says" : "assumed, as in OpenAI's weights";
        string activation = clip.Activation == ClipActivation.QuickGelu ? "QuickGELU" : "GELU";
        model = model with
        {
            Family = "clip",
            Clip = clip,
            Patch = clip.Patch,
            ImageSize = clip.ImageSize,
            Features = FeatureVariant.Cls4PreNorm,
        };
        return Fitting(file, model, $"CLIP image tower, {wide} wide, {clip.Depth} blocks, patch {p}",
            $"{owner}{file.Under}; {clip.Heads} heads and {activation} are {said}", model.Unset(META));
    }

    private static int Bounded(long size) => (int)Math.Min(size, ResNetConfig.MostPlanes);

    private static KitException Misshapen(MappedWeights file, string key, string expected)
    {
        string found = file.Entries.TryGetValue(key, out WeightEntry? entry)
            ? $"[{Printable.Of(string.Join(", ", entry.Shape))}]"
            : $"no such key; {file.Description}";
        return new($"expected {key} of the shape {expected}, found {found}");
    }

    // The model with parameters, title and note if the file has exactly its keys and shapes. Disposes unset.
    private static ModelDefinition Fitting(MappedWeights file, ModelDefinition model, string title, string looks,
        Backbone unset)
    {
        using Backbone built = unset;
        string problems = WeightLoader.Problems(built, file, model.AllLeftOut).Trim();
        if (problems.Length > 0) throw new KitException($"its keys look like {title}, but not all of them. {problems}");
        return model with
        {
            Title = $"undeclared, {title}",
            Parameters = built.ParameterCount,
            Note = $"undeclared: keys look like {looks}. {Seen(model.PretrainedOn)}",
        };
    }

    // The file's data sets; "unknown" stands for those of the weights that training began with.
    private static string Seen(string[] sets)
    {
        string[] known = [.. sets.Where(s => s != "unknown")];
        if (known.Length == 0) return "What it has seen is not known.";
        string rest = known.Length < sets.Length ? "; what the weights that it began with had seen is not known" : "";
        return $"It says that it has seen {Names.Listed(known)}{rest}.";
    }

    private static ClipVisionConfig Architecture(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<ClipVisionConfig>(text) ?? throw new JsonException("it says null");
        }
        catch (JsonException e)
        {
            throw new KitException(
                $"its metadata 'architecture' is not a CLIP configuration ({Printable.Of(e.Message)})", e);
        }
    }

    // Patches on each side.
    private static long Side(string key, long positions)
    {
        long side = positions > 1 ? (long)Math.Round(Math.Sqrt(positions - 1)) : 0;
        return side > 0 && side * side == positions - 1 ? side
            : throw new KitException(
                $"{key} has {positions} positions, which is not one for CLS and a square of patches");
    }
}
