using System.Text.Json.Serialization;

namespace DermKit.Models;

/// <summary>Sizes of a ResNet of bottleneck blocks, after torchvision. The defaults are those of ResNet-50.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ResNetConfig
{
    /// <summary>Outputs of a block over its inner width.</summary>
    public const int Expansion = 4;

    /// <summary>Inner width of the blocks of each of the four stages; the first is also the stem's width.</summary>
    public int[] Planes { get; init; } = [64, 128, 256, 512];

    /// <summary>Number of blocks of each stage.</summary>
    public int[] Blocks { get; init; } = [3, 4, 6, 3];

    /// <summary>2,048 features, 23,508,032 parameters without the classifier.</summary>
    public static ResNetConfig ResNet50 { get; } = new();

    /// <summary>Width of the pooled features.</summary>
    [JsonIgnore]
    public int Features => Expansion * Planes[^1];

    /// <summary>Weighted layers on the longest path with the classifier, which names the published sizes: 50, 101 or 152.</summary>
    [JsonIgnore]
    public int Depth => 3 * Blocks.Sum() + 2;
}
