using DermKit.Models;

namespace DermKit.Evaluation;

internal sealed record FeatureOptions
{
    public FeatureVariant Variant { get; init; } = FeatureVariant.Cls4;

    public int Batch { get; init; } = 16;

    // In bf16 values differ in the third digit.
    public Precision Precision { get; init; } = Precision.Fp32;

    // All settings that decide the values.
    public string Key => $"{Variant}{(Variant == FeatureVariant.PaperScript ? "-head1" : "")}"
        + (Precision == Precision.Fp32 ? "" : $"-{Precision.Spelled()}");
}

/// <summary>Frozen features, float32 [Count, Width] row by row. The key is the SHA-256 in hex over weights,
/// preprocessing, variant and image contents in order.</summary>
internal sealed record FeatureSet(float[] Values, int Count, int Width, string Key, string WeightsHash)
{
    public Precision Precision { get; init; } = Precision.Fp32;

    public Tensor ToTensor(Device? device = null) => tensor(Values, [Count, Width], ScalarType.Float32, device);
}
