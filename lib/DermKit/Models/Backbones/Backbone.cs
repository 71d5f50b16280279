namespace DermKit.Models;

/// <summary>Features of a frozen backbone for probes.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FeatureVariant>))]
public enum FeatureVariant
{
    /// <summary>CLS tokens of the last 4 blocks after the final norm, concatenated: [B, 4 D], 768 for ViT-T.</summary>
    [JsonStringEnumMemberName("cls4")]
    Cls4,
    /// <summary>cls4 before the final norm, as in the paper for its ImageNet ViT-T and MONET.</summary>
    [JsonStringEnumMemberName("cls4-prenorm")]
    Cls4PreNorm,
    /// <summary>cls4 through the random head that the authors' evaluation script leaves unloaded: 4 D - 2048 - 2048 -
    /// 256.</summary>
    [JsonStringEnumMemberName("paper-script")]
    PaperScript,
    /// <summary>CLIP's image embedding: the normed CLS token of the last block, projected, not L2-normalised.</summary>
    [JsonStringEnumMemberName("projected")]
    Projected,
    /// <summary>Last map of a convolutional network averaged over its positions: [B, C], 2,048 for ResNet-50.</summary>
    [JsonStringEnumMemberName("avgpool")]
    AvgPool,
}

/// <summary>An image network whose frozen features are probed; by default its output, as <c>avgpool</c>.</summary>
public abstract class Backbone(string name) : nn.Module<Tensor, Tensor>(name)
{
    // For messages: the model and its weights file, or the class.
    internal string Origin { get; set; } = name;

    /// <summary>All that determines the features besides the weights, for cache keys.</summary>
    public abstract string Architecture { get; }

    /// <summary>Parameters without a projection behind the backbone.</summary>
    public virtual long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Width of the output [B, Dim].</summary>
    public abstract int Dim { get; }

    /// <summary>Blocks or stages, for layer-wise learning rates.</summary>
    public virtual int Layers => 0;

    /// <summary>Layer of a parameter: 0 for embedding or stem, 1 to <see cref="Layers"/>, then one more.</summary>
    public virtual int LayerOf(string parameter) => Layers + 1;

    /// <summary>Features of an image.</summary>
    /// <exception cref="KitException">The backbone lacks the variant.</exception>
    public virtual int Width(FeatureVariant variant) => variant == FeatureVariant.AvgPool ? Dim : throw Lacks(variant);

    /// <summary>Normalised images [B, 3, H, W] on the model's device to [B, <see cref="Width"/>].</summary>
    /// <exception cref="KitException">The backbone lacks the variant.</exception>
    public virtual Tensor Features(Tensor x, FeatureVariant variant) =>
        variant == FeatureVariant.AvgPool ? forward(x) : throw Lacks(variant);

    /// <summary>The exception for a variant that it lacks.</summary>
    protected KitException Lacks(FeatureVariant variant) =>
        new($"{GetName()} has no features '{variant}'; choose another variant for this model.");
}
