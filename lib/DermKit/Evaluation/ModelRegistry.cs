using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>The models of data/models, in the order of their names.</summary>
public sealed class ModelRegistry
{
    private readonly string folder;

    private ModelRegistry(string folder, IReadOnlyList<ModelDefinition> models) => (this.folder, Models) = (folder, models);

    /// <summary>All models, those whose weights are not here too.</summary>
    public IReadOnlyList<ModelDefinition> Models { get; }

    /// <summary>The models that can be made here and now.</summary>
    public IEnumerable<ModelDefinition> Present => Models.Where(m => m.IsPresent);

    /// <summary>The model of that name.</summary>
    /// <exception cref="KitException">There is none; the nearest is named.</exception>
    public ModelDefinition this[string name] => Models.FirstOrDefault(m => m.Name == name)
        ?? throw new KitException($"{folder}: no model '{name}'; did you mean '{KitException.Nearest(name, Models.Select(m => m.Name))}'?");

    /// <summary>Reads every data/models/*.json.</summary>
    /// <param name="dataRoot">The kit's own data/ folder.</param>
    /// <exception cref="KitException">A file is not valid; it is named with the key.</exception>
    public static ModelRegistry Load(string dataRoot)
    {
        string folder = Path.Combine(dataRoot, "models");
        if (!Directory.Exists(folder)) throw new KitException($"{folder}: expected a folder with model files, found none.");
        return new(folder, [.. Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal).Select(f => Read(f, dataRoot))]);
    }

    /// <summary>The card of a model, markdown.</summary>
    /// <exception cref="KitException">The model has none.</exception>
    public string Card(ModelDefinition model)
    {
        string path = Path.Combine(folder, $"{model.Name}.md");
        return File.Exists(path) ? File.ReadAllText(path) : throw new KitException($"{path}: expected the card of model '{model.Name}', found none.");
    }

    private static ModelDefinition Read(string path, string dataRoot)
    {
        ModelDefinition model = StrictJson.Read<ModelDefinition>(path) with { DataRoot = dataRoot };
        void Expect(bool condition, string key, string expected)
        {
            if (!condition) throw new KitException($"{path}, key '{key}': expected {expected}.");
        }
        Expect(model.Name == Path.GetFileNameWithoutExtension(path), "name", "the name of the file");
        Expect(model.Version >= 1, "version", "1 or more");
        Expect(model.Seeds.Length > 0 && model.Seeds.Distinct().Count() == model.Seeds.Length, "seeds", "at least one seed, each once");
        Expect(model.Source == "random" || model.Seeds is [0], "seeds", "none for weights from a file");
        Expect(model.Source == "random" || model.WhatToGet.Length > 0, "whatToGet", "what to get when the weights are not here");
        Expect(model.Source == "random" || !Path.IsPathRooted(model.Source) && !model.Source.Contains("..", StringComparison.Ordinal), "source", "\"random\" or a file inside data/");
        if (model.Family == "vit") Expect(VitConfig.Named(model.Size).Dim > 0 && model.Patch > 0, "patch", "a side in pixels");
        return model;
    }
}
