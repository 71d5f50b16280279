using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Vision transformers that figures show side by side.</summary>
public sealed class ComparedBackbones : IDisposable
{
    private readonly Device device;
    private readonly List<(string Name, VisionTransformer Model)> models = [];
    private readonly VisionTransformer own;

    private ComparedBackbones(VisionTransformer own, Device device)
    {
        this.own = own;
        this.device = device;
    }

    /// <summary>In the order of the figures: random weights, this run, trained weights.</summary>
    public IReadOnlyList<string> Names => models.ConvertAll(m => m.Name);

    /// <summary>Creates the models beside the backbone of a run, which is not disposed here. Names are comma separated;
    /// empty takes every present vision transformer within the mode's size and with as many heads as the
    /// run's.</summary>
    /// <exception cref="KitException">A model is no vision transformer, is unknown, or has no weights.</exception>
    public static ComparedBackbones Open(KitSettings settings, ModelRegistry registry, string names, Backbone run)
    {
        long most = SuitePlan.For(settings.Mode).MostParameters;
        VisionTransformer own = Transformer(run, "this run");
        IEnumerable<ModelDefinition> fitting = registry.Present
            .Where(m => m.Family == "vit" && m.Parameters <= most && m.Vit.Heads == own.Config.Heads);
        ModelDefinition[] chosen = [.. PlanSettings.Names(names)?.Select(name => registry[name]) ?? fitting];
        var compared = new ComparedBackbones(own, settings.TorchDevice());
        try
        {
            foreach (ModelDefinition model in chosen.Where(m => m.Source == "random")) compared.Add(model);
            compared.models.Add(("this run", own));
            foreach (ModelDefinition model in chosen.Where(m => m.Source != "random")) compared.Add(model);
            return compared;
        }
        catch
        {
            compared.Dispose();
            throw;
        }
    }

    /// <summary>Attention maps of each model for evaluation-transformed images; see
    /// <see cref="TokenMaps.Attention"/>.</summary>
    public IReadOnlyList<(string Name, double[][][,] Maps)> Attention(IReadOnlyList<RgbImage> images) =>
        Each(images, TokenMaps.Attention);

    /// <summary>Coloured patches of each model; see <see cref="TokenMaps.Components"/>.</summary>
    public IReadOnlyList<(string Name, PatchColors Colors)> Components(IReadOnlyList<RgbImage> images) =>
        Each(images, TokenMaps.Components);

    /// <summary>Disposes the models of the registry.</summary>
    public void Dispose()
    {
        foreach ((_, VisionTransformer model) in models.Where(m => m.Model != own)) model.Dispose();
        models.Clear();
    }

    private void Add(ModelDefinition model)
    {
        Backbone backbone = model.Create(model.Seeds[0], device);
        try
        {
            models.Add((model.Name, Transformer(backbone, model.Name)));
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    private List<(string, T)> Each<T>(IReadOnlyList<RgbImage> images, Func<VisionTransformer, Tensor, T> map)
    {
        using var scope = NewDisposeScope();
        Tensor batch = new EvalTransform().Batch(images, device);
        return models.ConvertAll(m => (m.Name, map(m.Model, batch)));
    }

    private static VisionTransformer Transformer(Backbone model, string name) => model as VisionTransformer
        ?? throw new KitException($"{name}: attention and patch tokens need a vision transformer, found "
            + $"{model.GetName()}.");
}
