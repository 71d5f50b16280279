using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>Parameters of all layers of one kind, and multiply-accumulates for one image, NaN when unknown.</summary>
public sealed record LayerCost(string Layer, long Parameters, double Macs);

/// <summary>Cost of a backbone for one image, counted from its sizes. Multiply-accumulates cover every weight at every
/// token or map position and both attention products; norms, softmax, activations, additions and a projection behind
/// the backbone are left out. Tokens include CLS, or are a ResNet's last map positions. Tokens and features are 0 for
/// an ONNX encoder, whose operations are those that its definition declares. Unset creates the model without
/// weights.</summary>
public sealed record ModelCost(string Name, IReadOnlyList<LayerCost> Layers, int Tokens, int Features,
    FeatureVariant Variant, Func<Device?, Backbone> Unset)
{
    /// <summary>The paper's ViT-T/16 and ResNet-50, ResNet-18, larger ViTs, and MONET's image tower at 224 x 224, by
    /// operations.</summary>
    public static IReadOnlyList<ModelCost> Ladder { get; } =
    [
        Of("ViT-T/16", VitConfig.Tiny), Of("ResNet-18", ResNetConfig.ResNet18),
        Of("ResNet-50", ResNetConfig.ResNet50), Of("ViT-S/16", VitConfig.Small),
        Of("ViT-B/16", VitConfig.Base), Of("ViT-L/16", VitConfig.Large),
        Of("CLIP ViT-L/14", ClipVisionConfig.Named("large")),
    ];

    /// <summary>Models of the <see cref="Ladder"/> by comma-separated names, empty for all; then those of the given
    /// models, but stand-ins, that cost something else than any of the ladder.</summary>
    /// <exception cref="KitException">A name is unknown; the nearest is named.</exception>
    public static IReadOnlyList<ModelCost> Named(string names, params IEnumerable<ModelDefinition> models) =>
        [.. OfLadder(names), .. models.Select(m => m.Stamp == "" ? m.Cost : null).OfType<ModelCost>()
            .Where(c => !Ladder.Any(c.IsAs))
            .DistinctBy(c => double.IsNaN(c.GigaMacs) ? c.Name : $"{c.Parameters} {c.GigaMacs}")];

    // Whether both cost the same: of one name, or of equal counts.
    internal bool IsAs(ModelCost other) => Name == other.Name
        || (Parameters == other.Parameters && GigaMacs == other.GigaMacs);

    private static IReadOnlyList<ModelCost> OfLadder(string names)
    {
        if (PlanSettings.Names(names) is not { } chosen) return Ladder;
        string[] known = [.. Ladder.Select(m => m.Name)];
        return Array.ConvertAll(chosen, name => Ladder.FirstOrDefault(m => m.Name == name)
            ?? throw new KitException($"The ladder has no model '{name}'; did you mean "
                + $"'{KitException.Nearest(name, known)}'? Known: {string.Join(", ", known)}."));
    }

    /// <summary>Parameters of the backbone.</summary>
    public long Parameters => Layers.Sum(l => l.Parameters);

    /// <summary>Billions of multiply-accumulates for one image; NaN when unknown.</summary>
    public double GigaMacs => Layers.Sum(l => l.Macs) * 1e-9;

    /// <summary>Bytes of one image's features in float32.</summary>
    public int FeatureBytes => sizeof(float) * Features;

    /// <summary>Cost of a vision transformer; side in pixels.</summary>
    public static ModelCost Of(string name, VitConfig c, int side = 224)
    {
        int positions = 1 + c.Grid * c.Grid, tokens = 1 + side / c.Patch * (side / c.Patch);
        return new(name,
            Count(c.Dim, c.Depth, (long)(c.Dim * c.MlpRatio), c.Patch, tokens, positions, patchBias: true, c.QkvBias,
                norms: 1), tokens, 4 * c.Dim, FeatureVariant.Cls4, device => VisionTransformer.Unset(c, device));
    }

    // CLIP's image tower without its projection.
    internal static ModelCost Of(string name, ClipVisionConfig c)
    {
        int tokens = 1 + c.Grid * c.Grid;
        return new(name,
            Count(c.Dim, c.Depth, c.Hidden, c.Patch, tokens, tokens, patchBias: false, qkvBias: true, norms: 2), tokens,
            4 * c.Dim, FeatureVariant.Cls4PreNorm, device => ClipVisionTransformer.Unset(c, device));
    }

    /// <summary>Cost of a ResNet; side in pixels.</summary>
    public static ModelCost Of(string name, ResNetConfig c, int side = 224)
    {
        static int Half(int size) => (size + 1) / 2;
        var parts = new Dictionary<string, LayerCost>();
        void Add(string layer, long weights, int size)
        {
            LayerCost sum = parts.GetValueOrDefault(layer) ?? new(layer, 0, 0);
            parts[layer] = new(layer, sum.Parameters + weights, sum.Macs + (double)weights * size * size);
        }
        void Norm(long channels) => Add("norms", 2 * channels, 0);
        int map = Half(side);
        long inputs = c.Planes[0];
        Add("stem, 7x7", 3 * 49 * inputs, map);
        Norm(inputs);
        map = Half(map);
        for (int stage = 0; stage < 4; stage++)
            for (int i = 0; i < c.Blocks[stage]; i++)
            {
                long planes = c.Planes[stage], outputs = c.Expansion * planes;
                bool isHalved = i == 0 && stage > 0;
                if (!c.IsBasic) Add("1x1", inputs * planes, map);
                if (isHalved) map = Half(map);
                Add("3x3", 9 * (c.IsBasic ? inputs : planes) * planes, map);
                Add(c.IsBasic ? "3x3" : "1x1", (c.IsBasic ? 9 : 1) * planes * outputs, map);
                Norm(c.IsBasic ? planes : 2 * planes);
                Norm(outputs);
                if (inputs != outputs || isHalved)
                {
                    Add("shortcut, 1x1", inputs * outputs, map);
                    Norm(outputs);
                }
                inputs = outputs;
            }
        return new(name, [.. parts.Values], map * map, c.Features, FeatureVariant.AvgPool,
            device => ResNet.Unset(c, device));
    }

    // An ONNX encoder, of which only the declaration and the file's initialisers tell.
    internal static ModelCost Of(string name, long parameters, double? gigaMacs, Func<Device?, Backbone> make) =>
        new(name, [new("whole network", parameters, gigaMacs * 1e9 ?? double.NaN)], 0, 0, FeatureVariant.AvgPool,
            make);

    private static LayerCost[] Count(long d, int depth, long hidden, int patch, long tokens, long positions,
        bool patchBias, bool qkvBias, int norms)
    {
        long kernel = 3L * patch * patch;
        return
        [
            new("patch embedding", kernel * d + (patchBias ? d : 0), (tokens - 1) * kernel * d),
            new("CLS token and positions", d + positions * d, 0),
            new("query, key, value", depth * (3 * d * d + (qkvBias ? 3 * d : 0)), depth * tokens * 3 * d * d),
            new("attention products", 0, depth * 2 * tokens * tokens * d),
            new("attention output", depth * (d * d + d), depth * tokens * d * d),
            new("MLP", depth * (2 * d * hidden + hidden + d), depth * tokens * 2 * d * hidden),
            new("norms", (2 * depth + norms) * 2 * d, 0),
        ];
    }
}
