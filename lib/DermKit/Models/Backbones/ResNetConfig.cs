namespace DermKit.Models;

/// <summary>Sizes of torchvision's bottleneck ResNet; by default ResNet-50.</summary>
public sealed record ResNetConfig
{
    internal const int Expansion = 4;

    /// <summary>Inner width of the blocks of each of four stages; the first is also that of the stem.</summary>
    public int[] Planes { get; init; } = [64, 128, 256, 512];

    /// <summary>Number of blocks in each stage.</summary>
    public int[] Blocks { get; init; } = [3, 4, 6, 3];

    /// <summary>2,048 features, 23,508,032 parameters without the classifier.</summary>
    public static ResNetConfig ResNet50 { get; } = new();

    /// <summary>Width of the pooled features.</summary>
    [JsonIgnore]
    public int Features => Expansion * Planes[^1];

    /// <summary>Weighted layers on the longest path with the classifier, as in published names: 50, 101, 152.</summary>
    [JsonIgnore]
    public int Depth => 3 * Blocks.Sum() + 2;
}
