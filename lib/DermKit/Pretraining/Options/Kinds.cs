namespace DermKit.Pretraining;

/// <summary>Optimisers of pre-training.</summary>
[JsonConverter(typeof(SpelledEnumConverter<OptimizerKind>))]
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay.</summary>
    AdamW,

    /// <summary>Adam with weight decay added to the gradient.</summary>
    Adam,

    /// <summary>LARS in lightly's form.</summary>
    [JsonStringEnumMemberName("LARS")]
    Lars,
}

/// <summary>Sources of crops.</summary>
[JsonConverter(typeof(SpelledEnumConverter<CropSource>))]
public enum CropSource
{
    /// <summary>Cached images of <see cref="PretrainOptions.SourceSize"/>, where small crops lose detail: at 256 a crop
    /// of a tenth of the area is about 80 pixels wide.</summary>
    [JsonStringEnumMemberName("cached")]
    Cached,

    /// <summary>The original files, decoded in every epoch. The first start still fills the cache, to find unreadable
    /// files and for the notebooks.</summary>
    [JsonStringEnumMemberName("original")]
    Original,
}

/// <summary>Backbones of pre-training.</summary>
[JsonConverter(typeof(SpelledEnumConverter<NetworkKind>))]
public enum NetworkKind
{
    /// <summary>Vision transformer.</summary>
    ViT,

    /// <summary>ResNet-50.</summary>
    [JsonStringEnumMemberName("ResNet-50")]
    ResNet50,

    /// <summary>ResNet-18; initial weights may have another number of basic blocks.</summary>
    [JsonStringEnumMemberName("ResNet-18")]
    ResNet18,
}
