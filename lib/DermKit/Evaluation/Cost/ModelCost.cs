using DermKit.Models;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>One kind of layer of a model, over all its blocks.</summary>
/// <param name="Layer">What it is.</param>
/// <param name="Times">How often the model has it.</param>
/// <param name="Parameters">Of all of them.</param>
/// <param name="Macs">Multiply-accumulate operations of all of them for one image.</param>
public sealed record LayerCost(string Layer, int Times, long Parameters, long Macs);

/// <summary>
/// What a backbone costs for one image, counted layer by layer from its sizes. A multiply-accumulate is counted for every weight that meets a token
/// or a position of a map (patch embedding, projections, MLP, convolutions) and for both attention products, over all tokens of all blocks. Norms, softmax, activations, additions and a
/// projection behind the backbone are not: by this count ViT-T/16 has 1.25, ResNet-50 4.09 and CLIP's ViT-L/14 tower 81.0 GMACs at 224 x 224.
/// </summary>
/// <param name="Name">Name of the model.</param>
/// <param name="Layers">The parts.</param>
/// <param name="Tokens">Tokens of an image, CLS included; of a ResNet the positions of its last map.</param>
/// <param name="Features">Width of the CLS tokens of the last 4 blocks together, or of the last map's average.</param>
/// <param name="Variant">Those features: before the final norm for a CLIP tower, behind it for a ViT.</param>
/// <param name="Unset">Makes the model with weights that are not set.</param>
public sealed record ModelCost(string Name, IReadOnlyList<LayerCost> Layers, int Tokens, int Features, FeatureVariant Variant, Func<Device?, Backbone> Unset)
{
    /// <summary>The paper's ViT-T/16 and ResNet-50, larger ViTs, and the image tower of MONET, all at 224 x 224, by operations.</summary>
    public static IReadOnlyList<ModelCost> Ladder { get; } =
    [
        Of("ViT-T/16", VitConfig.Tiny), Of("ResNet-50", ResNetConfig.ResNet50), Of("ViT-S/16", VitConfig.Small), Of("ViT-B/16", VitConfig.Base), Of("ViT-L/16", VitConfig.Large), Of("CLIP ViT-L/14", ClipVisionConfig.Named("large")),
    ];

    /// <summary>Parameters of the backbone.</summary>
    public long Parameters => Layers.Sum(l => l.Parameters);

    /// <summary>Billions of multiply-accumulate operations for one image.</summary>
    public double GigaMacs => Layers.Sum(l => l.Macs) * 1e-9;

    /// <summary>Bytes of one image's features in float32.</summary>
    public int FeatureBytes => sizeof(float) * Features;

    /// <summary>Cost of a vision transformer.</summary>
    /// <param name="name">Name of the model.</param>
    /// <param name="c">Its sizes.</param>
    /// <param name="side">Side of the images in pixels.</param>
    public static ModelCost Of(string name, VitConfig c, int side = 224)
    {
        int positions = 1 + c.Grid * c.Grid, tokens = 1 + side / c.Patch * (side / c.Patch);
        return new(name, Count(c.Dim, c.Depth, (long)(c.Dim * c.MlpRatio), c.Patch, tokens, positions, patchBias: true, c.QkvBias, norms: 1), tokens, 4 * c.Dim, FeatureVariant.Cls4, device => VisionTransformer.Unset(c, device));
    }

    /// <summary>Cost of CLIP's image tower without its projection, at the one size of images that it takes.</summary>
    /// <param name="name">Name of the model.</param>
    /// <param name="c">Its sizes.</param>
    public static ModelCost Of(string name, ClipVisionConfig c)
    {
        int tokens = 1 + c.Grid * c.Grid;
        return new(name, Count(c.Dim, c.Depth, c.Hidden, c.Patch, tokens, tokens, patchBias: false, qkvBias: true, norms: 2), tokens, 4 * c.Dim, FeatureVariant.Cls4PreNorm, device => ClipVisionTransformer.Unset(c, device));
    }

    /// <summary>Cost of a ResNet.</summary>
    /// <param name="name">Name of the model.</param>
    /// <param name="c">Its sizes.</param>
    /// <param name="side">Side of the images in pixels.</param>
    public static ModelCost Of(string name, ResNetConfig c, int side = 224)
    {
        static int Half(int size) => (size + 1) / 2;
        var parts = new Dictionary<string, LayerCost>();
        void Add(string layer, long weights, int size)
        {
            LayerCost sum = parts.GetValueOrDefault(layer) ?? new(layer, 0, 0, 0);
            parts[layer] = sum with { Times = sum.Times + 1, Parameters = sum.Parameters + weights, Macs = sum.Macs + weights * size * size };
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
                long planes = c.Planes[stage], outputs = ResNetConfig.Expansion * planes;
                Add("1x1", inputs * planes, map);
                if (i == 0 && stage > 0) map = Half(map);
                Add("3x3", 9 * planes * planes, map);
                Add("1x1", planes * outputs, map);
                Norm(planes);
                Norm(planes);
                Norm(outputs);
                if (i == 0)
                {
                    Add("shortcut, 1x1", inputs * outputs, map);
                    Norm(outputs);
                }
                inputs = outputs;
            }
        return new(name, [.. parts.Values], map * map, c.Features, FeatureVariant.AvgPool, device => ResNet.Unset(c, device));
    }

    private static LayerCost[] Count(long d, int depth, long hidden, int patch, long tokens, long positions, bool patchBias, bool qkvBias, int norms)
    {
        long kernel = 3L * patch * patch;
        return
        [
            new("patch embedding", 1, kernel * d + (patchBias ? d : 0), (tokens - 1) * kernel * d),
            new("CLS token and positions", 1, d + positions * d, 0),
            new("query, key, value", depth, depth * (3 * d * d + (qkvBias ? 3 * d : 0)), depth * tokens * 3 * d * d),
            new("attention products", depth, 0, depth * 2 * tokens * tokens * d),
            new("attention output", depth, depth * (d * d + d), depth * tokens * d * d),
            new("MLP", depth, depth * (2 * d * hidden + hidden + d), depth * tokens * 2 * d * hidden),
            new("norms", 2 * depth + norms, (2 * depth + norms) * 2 * d, 0),
        ];
    }
}
