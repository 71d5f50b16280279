using DermKit.Data;
using DermKit.Models;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>The models of data/models in the order of their names, then what else lies in the weights folder.</summary>
public sealed class ModelRegistry
{
    private readonly string folder;
    private readonly List<ModelDefinition> models;

    private ModelRegistry(string folder, List<ModelDefinition> models) => (this.folder, this.models) = (folder, models);

    /// <summary>All models, those whose weights are not here too, then files that were asked for by their paths.</summary>
    public IReadOnlyList<ModelDefinition> Models => models;

    /// <summary>The models that can be made here and now.</summary>
    public IEnumerable<ModelDefinition> Present => Models.Where(m => m.IsPresent);

    /// <summary>The model of that name, or of the weights file at that path: one path is all that it takes to compare a file.</summary>
    /// <exception cref="KitException">There is none; the nearest is named.</exception>
    public ModelDefinition this[string name] => Models.FirstOrDefault(m => m.Name == name) ?? OfFile(name)
        ?? throw new KitException($"{folder}: no model '{name}', nor a weights file of that path; did you mean '{KitException.Nearest(name, Models.Select(m => m.Name))}'?");

    /// <summary>
    /// Reads every data/models/*.json, and the keys of the weights files in data/weights that none of them names: such a file is a model of its own
    /// where its family is recognised, else a row that says what is wrong.
    /// </summary>
    /// <param name="dataRoot">The kit's own data/ folder.</param>
    /// <param name="weightsFolders">More folders with weights files.</param>
    /// <exception cref="KitException">A declaration is not valid; it is named with the key.</exception>
    public static ModelRegistry Load(string dataRoot, params string[] weightsFolders)
    {
        string folder = Path.Combine(dataRoot, "models");
        if (!Directory.Exists(folder)) throw new KitException($"{folder}: expected a folder with model files, found none.");
        IReadOnlyDictionary<string, DataSource> origins = File.Exists(Path.Combine(dataRoot, "sources.json")) ? DataSource.All(dataRoot) : new Dictionary<string, DataSource>();
        ModelDefinition[] declared = [.. Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal).Select(f => Read(f, dataRoot, origins))];
        var sources = declared.Where(m => m.Source != "random").Select(m => Path.GetFullPath(m.WeightsPath)).ToHashSet(StringComparer.Ordinal);
        var names = declared.Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        return new(folder, [.. declared, .. new[] { Path.Combine(dataRoot, "weights") }.Concat(weightsFolders).SelectMany(f => UndeclaredModels.Find(f, sources, names))]);
    }

    /// <summary>
    /// Refuses a file that evaluation would refuse: its family, sizes, keys, shapes, kinds of number and values are
    /// looked at in the same places. A ViT may have any number of blocks, because pre-training can start from it.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="keys">The tensors whose values are read.</param>
    /// <exception cref="KitException">What is wrong with it.</exception>
    public static void Check(MappedWeights file, IReadOnlyCollection<string> keys)
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

    /// <summary>The card of a model, markdown; of an undeclared one, what is known of it.</summary>
    /// <exception cref="KitException">The model has none.</exception>
    public string Card(ModelDefinition model)
    {
        if (model.IsUndeclared) return $"# {model.Title}\n\n{model.Missing ?? model.Note}\n";
        string path = Path.Combine(folder, $"{model.Name}.md");
        return File.Exists(path) ? File.ReadAllText(path) : throw new KitException($"{path}: expected the card of model '{model.Name}', found none.");
    }

    /// <summary>The model that a file belongs to, else one that its keys make of it, which is listed from then on.</summary>
    private ModelDefinition? OfFile(string path)
    {
        if (!File.Exists(path)) return null;
        string full = Path.GetFullPath(path);
        if (models.Find(m => m.Source != "random" && Path.GetFullPath(m.WeightsPath) == full) is { } known) return known;
        ModelDefinition? model = UndeclaredModels.Of(full, [.. models.Select(m => m.Name)]);
        if (model is not null) models.Add(model);
        return model;
    }

    private static ModelDefinition Read(string path, string dataRoot, IReadOnlyDictionary<string, DataSource> origins)
    {
        ModelDefinition model = StrictJson.Read<ModelDefinition>(path) with { DataRoot = dataRoot };
        if (origins.GetValueOrDefault(model.Name) is { Weights: true, Files.Length: > 0 } origin) model = model with { Weights = origin };
        void Expect(bool condition, string key, string expected)
        {
            if (!condition) throw new KitException($"{path}, key '{key}': expected {expected}.");
        }
        Expect(model.Name == Path.GetFileNameWithoutExtension(path), "name", "the name of the file");
        Expect(model.Version >= 1, "version", "1 or more");
        Expect(model.Seeds.Length > 0 && model.Seeds.Distinct().Count() == model.Seeds.Length, "seeds", "at least one seed, each once");
        Expect(model.Source == "random" || model.Seeds is [0], "seeds", "none for weights from a file");
        Expect(model.Source == "random" || model.Weights is not null || model.WhatToGet.Length > 0, "whatToGet", "what to get when the weights are not here, or an entry of the model's name in data/sources.json");
        Expect(model.Weights is not { } known || known.Licence == model.Licence, "licence", $"that of data/sources.json, '{model.Weights?.Licence}'");
        Expect(model.Source == "random" || !Path.IsPathRooted(model.Source) && !model.Source.Contains("..", StringComparison.Ordinal), "source", "\"random\" or a file inside data/");
        if (model.Family is not ("vit" or "clip" or "resnet")) return model;
        Expect(model.Patch > 0 && model.ImageSize >= model.Patch, "patch", "a side in pixels, at most imageSize");
        try
        {
            Expect(model.Family != "clip" || model.ClipVision.ImageSize == model.Transform.Crop, "imageSize", $"{model.Transform.Crop}, the crop of every transform, because a CLIP tower takes one size only");
            using Backbone built = model.Unset(META);
            if (model.Features != FeatureVariant.PaperScript) built.Width(model.Features);
            Expect(model.GigaMacs is null || Math.Abs(model.GigaMacs.Value - model.Cost!.GigaMacs) <= 0.005, "gigaMacs", FormattableString.Invariant($"{model.Cost?.GigaMacs:0.00}, as counted layer by layer"));
        }
        catch (KitException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new KitException($"{path}: {e.Message}", e);
        }
        return model;
    }
}
