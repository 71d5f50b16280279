using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>What a frozen backbone hands to a probe.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FeatureVariant>))]
public enum FeatureVariant
{
    /// <summary>CLS tokens of the last 4 blocks after the final norm, concatenated: [B, 4 D], 768 for ViT-T.</summary>
    [JsonStringEnumMemberName("cls4")]
    Cls4,
    /// <summary>The same before the final norm, as the paper takes them from its ImageNet ViT-T and from MONET (4,096 values).</summary>
    [JsonStringEnumMemberName("cls4-prenorm")]
    Cls4PreNorm,
    /// <summary>cls4 through the randomly initialised head that the authors' evaluation script never loads: 4 D - 2048 - 2048 - 256.</summary>
    [JsonStringEnumMemberName("paper-script")]
    PaperScript,
    /// <summary>The embedding that a CLIP tower is trained for, the normed CLS token of the last block through the projection, not L2-normalised: 768 for MONET.</summary>
    [JsonStringEnumMemberName("projected")]
    Projected,
    /// <summary>The last map of a convolutional network averaged over its positions: [B, C], 2,048 for ResNet-50.</summary>
    [JsonStringEnumMemberName("avgpool")]
    AvgPool,
}

/// <summary>An image network whose frozen features are probed: what evaluation needs to know of it, whatever its family.</summary>
/// <param name="name">Name of the module.</param>
public abstract class Backbone(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>What messages call the network: the model and its weights file, or the class.</summary>
    internal string Origin { get; set; } = name;

    /// <summary>Everything besides the weights that decides the features, as text for the keys of caches.</summary>
    public abstract string Architecture { get; }

    /// <summary>Parameters of the backbone itself; a projection behind it is not counted.</summary>
    public virtual long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Width of what the forward pass gives, [B, Dim]: the feature that pre-training works on.</summary>
    public abstract int Dim { get; }

    /// <summary>Layers between embedding and head that a learning rate may rise along: blocks of a transformer, stages of a convolutional network.</summary>
    public abstract int Layers { get; }

    /// <summary>Layer of a parameter by its name: 0 for embedding or stem, 1 to <see cref="Layers"/>, and one more for what lies behind them.</summary>
    public abstract int LayerOf(string parameter);

    /// <summary>Features of one image.</summary>
    /// <exception cref="KitException">This family has no such features.</exception>
    public abstract int Width(FeatureVariant variant);

    /// <summary>Features of normalised images [B, 3, H, W] on the model's device: [B, <see cref="Width"/>].</summary>
    /// <exception cref="KitException">This family has no such features.</exception>
    public abstract Tensor Features(Tensor x, FeatureVariant variant);

    /// <summary>The refusal of a variant that the family does not have.</summary>
    protected KitException Lacks(FeatureVariant variant) => new($"{GetName()} has no features '{variant}'; choose another variant for this model.");

    /// <summary>
    /// Fills the parameters from a seed: truncated normal 0.02, zero biases, unit norms, and uniform where a bound is given. Drawn on the cpu,
    /// so that every device gets the same; torch's global generator is left alone. On the meta device there is nothing to draw.
    /// </summary>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="bound">Bound of the uniform draw for a parameter's name; null for all others.</param>
    protected void Draw(long seed, Func<string, double?> bound) => InitialValues.DrawTransformer(this, seed, bound);
}
