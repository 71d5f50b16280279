using DermKit.Data;
using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>The models of data/models by name, then the undeclared weights files.</summary>
public sealed class ModelRegistry
{
    private readonly string folder;
    private readonly List<ModelDefinition> models;

    private ModelRegistry(string folder, List<ModelDefinition> models)
    {
        this.folder = folder;
        this.models = models;
    }

    /// <summary>All models, absent ones too, then files asked for by path.</summary>
    public IReadOnlyList<ModelDefinition> Models => models;

    /// <summary>The models that can be built here.</summary>
    public IEnumerable<ModelDefinition> Present => Models.Where(m => m.IsPresent);

    /// <summary>The model with a name, or of the weights file at a path.</summary>
    /// <exception cref="KitException">There is none; the nearest is named.</exception>
    public ModelDefinition this[string name] => Models.FirstOrDefault(m => m.Name == name) ?? OfFile(name)
        ?? throw new KitException($"{folder}: no model '{name}', nor a weights file of that path; "
            + $"did you mean '{KitException.Nearest(name, Models.Select(m => m.Name))}'?");

    // The models that a plan takes.
    internal IEnumerable<ModelDefinition> Of(SuitePlan plan) => plan.Models?.Select(name => this[name])
        ?? Present.Where(m => m.Parameters <= plan.MostParameters).Union(plan.Baselines.Select(name => this[name]));

    /// <summary>Reads models/*.json of the kit's data/ folder, and the keys of other files in data/weights and further
    /// folders.</summary>
    /// <exception cref="KitException">A declaration is not valid; file and key are named.</exception>
    public static ModelRegistry Load(string dataRoot, params string[] weightsFolders)
    {
        string folder = Path.Combine(dataRoot, "models");
        if (!Directory.Exists(folder))
            throw new KitException($"{folder}: expected a folder with model files, found none.");
        IReadOnlyDictionary<string, DataSource> origins = File.Exists(Path.Combine(dataRoot, "sources.json"))
            ? DataSource.All(dataRoot) : new Dictionary<string, DataSource>();
        List<ModelDefinition> models = [.. Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal)
            .Select(f => Read(f, dataRoot, origins))];
        HashSet<string> sources =
            [.. models.Where(m => m.Source != "random").Select(m => Path.GetFullPath(m.WeightsPath))];
        HashSet<string> names = [.. models.Select(m => m.Name)];
        foreach (string weights in weightsFolders.Prepend(Path.Combine(dataRoot, "weights")))
            models.AddRange(UndeclaredModels.Find(weights, sources, names));
        return new(folder, models);
    }

    /// <summary>A model's card as markdown; for an undeclared one, what is known of it.</summary>
    /// <exception cref="KitException">The model has no card.</exception>
    public string Card(ModelDefinition model)
    {
        if (model.IsUndeclared) return $"# {model.Title}\n\n{model.Missing ?? model.Note}\n";
        string path = Path.Combine(folder, $"{model.Name}.md");
        return File.Exists(path) ? File.ReadAllText(path)
            : throw new KitException($"{path}: expected the card of model '{model.Name}', found none.");
    }

    // Refuses what evaluation would refuse and reads the values of some keys. A ViT may have any depth, because
    // pre-training can start from it.
    internal static void Check(MappedWeights file, IReadOnlyCollection<string> keys)
    {
        try
        {
            UndeclaredModels.Recognise(file, Path.GetFileName(file.Path), isAnyDepth: true);
        }
        catch (KitException e)
        {
            throw new KitException($"{file.Path}: {e.Message.TrimEnd('.')}. Nothing was written.", e);
        }
        WeightLoader.CheckFinite(file, keys, "Nothing was written.");
    }

    // The model of a file, else one that its keys define, which is then listed.
    private ModelDefinition? OfFile(string path)
    {
        if (!File.Exists(path)) return null;
        string full = Path.GetFullPath(path);
        if (models.Find(m => m.Source != "random" && Path.GetFullPath(m.WeightsPath) == full) is { } known)
            return known;
        ModelDefinition? model = UndeclaredModels.Of(full, [.. models.Select(m => m.Name)]);
        if (model is not null) models.Add(model);
        return model;
    }

    private static ModelDefinition Read(string path, string dataRoot, IReadOnlyDictionary<string, DataSource> origins)
    {
        ModelDefinition model = StrictJson.Read<ModelDefinition>(path) with { DataRoot = dataRoot };
        if (origins.GetValueOrDefault(model.Name) is { Weights: true, Files.Length: > 0 } origin)
            model = model with { Weights = origin };
        void Expect(bool condition, string key, string expected)
        {
            if (!condition) throw new KitException($"{path}, key '{key}': expected {expected}.");
        }
        bool isRandom = model.Source == "random";
        bool isInside = !Path.IsPathRooted(model.Source) && !model.Source.Contains("..", StringComparison.Ordinal);
        Expect(model.Name == Path.GetFileNameWithoutExtension(path), "name", "the name of the file");
        Expect(model.Version >= 1, "version", "1 or more");
        Expect(model.Seeds.Length > 0 && model.Seeds.Distinct().Count() == model.Seeds.Length, "seeds",
            "at least one seed, each once");
        Expect(isRandom || model.Seeds is [0], "seeds", "none for weights from a file");
        Expect(isRandom || model.Weights is not null || model.WhatToGet.Length > 0, "whatToGet",
            "what to get when the weights are not here, or an entry of the model's name in data/sources.json");
        Expect(model.Weights is not { } known || known.Licence == model.Licence, "licence",
            $"that of data/sources.json, '{model.Weights?.Licence}'");
        Expect(isRandom || isInside, "source", "\"random\" or a file inside data/");
        Expect(model.IsOnnx || model.Input == OnnxInput.ImageNet, "input", "none but for the family onnx");
        Expect(!model.IsOnnx || OnnxFile.Is(model.Source), "source", "a file that ends in .onnx");
        Expect(!model.IsOnnx || model.Features == FeatureVariant.AvgPool, "features", "\"avgpool\" for onnx");
        if (!model.IsBuilt || model.IsOnnx) return model;
        Expect(model.Patch > 0 && model.ImageSize >= model.Patch, "patch", "a side in pixels, at most imageSize");
        try
        {
            int crop = model.Transform.Crop;
            Expect(model.Family != "clip" || model.ClipVision.ImageSize == crop, "imageSize",
                $"{crop}, the crop of every transform, because a CLIP tower takes one size only");
            using Backbone built = model.Unset(META);
            if (model.Features != FeatureVariant.PaperScript) built.Width(model.Features);
            double counted = model.Cost!.GigaMacs;
            Expect(Math.Abs((model.GigaMacs ?? counted) - counted) <= 0.005, "gigaMacs",
                FormattableString.Invariant($"{counted:0.00}, as counted layer by layer"));
        }
        catch (KitException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new KitException($"{path}: {e.Message}", e);
        }
        return model;
    }
}
