namespace DermKit.Models;

/// <summary>Sizes of torchvision's ResNet; by default ResNet-50.</summary>
public sealed record ResNetConfig
{
    // Larger ones fit no shape.
    internal const int MostPlanes = 1 << 20;

    /// <summary>Inner width of the blocks of each of four stages; the first is also that of the stem.</summary>
    public int[] Planes { get; init; } = [64, 128, 256, 512];

    /// <summary>Number of blocks in each stage.</summary>
    public int[] Blocks { get; init; } = [3, 4, 6, 3];

    /// <summary>Blocks of two 3x3 convolutions, as in ResNet-18 and -34, instead of bottlenecks.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsBasic { get; init; }

    /// <summary>2,048 features, 23,508,032 parameters without the classifier.</summary>
    public static ResNetConfig ResNet50 { get; } = new();

    /// <summary>512 features, 11,176,512 parameters without the classifier.</summary>
    public static ResNetConfig ResNet18 { get; } = new() { IsBasic = true, Blocks = [2, 2, 2, 2] };

    /// <summary>Width of the pooled features.</summary>
    [JsonIgnore]
    public int Features => Expansion * Planes[^1];

    /// <summary>Weighted layers on the longest path with the classifier, as in published names: 18, 50, 101.</summary>
    [JsonIgnore]
    public int Depth => (IsBasic ? 2 : 3) * Blocks.Sum() + 2;

    // From a file's shapes; 0 for what it lacks.
    internal static ResNetConfig Of(WeightFile file)
    {
        int[] stages = [1, 2, 3, 4];
        int PlanesOf(int stage) => file.Shape($"layer{stage}.0.conv1.weight") is [var planes, ..]
            ? (int)Math.Min(planes, MostPlanes) : 0;
        return new()
        {
            Planes = Array.ConvertAll(stages, PlanesOf),
            Blocks = Array.ConvertAll(stages, stage => file.CountParts($"layer{stage}.")),
            IsBasic = !file.Entries.ContainsKey("layer1.0.conv3.weight"),
        };
    }

    // Output channels of a block for each inner one.
    [JsonIgnore]
    internal int Expansion => IsBasic ? 1 : 4;
}
