using DermKit.Models;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

internal sealed record FeatureOptions
{
    public FeatureVariant Variant { get; init; } = FeatureVariant.Cls4;

    // Seed of FeatureVariant.PaperScript's random head.
    public int HeadSeed { get; init; } = 1;

    public int Batch { get; init; } = 16;

    // fp32, or bf16: products in bfloat16; values differ in the third digit.
    public string Precision { get; init; } = "fp32";

    // All settings that decide the values.
    public string Key
    {
        get
        {
            string head = Variant == FeatureVariant.PaperScript
                ? string.Create(CultureInfo.InvariantCulture, $"-head{HeadSeed}") : "";
            return $"{Variant}{head}{(Precision == "fp32" ? "" : $"-{Precision}")}";
        }
    }
}

/// <summary>Frozen features, float32 [Count, Width] row by row. The key is the SHA-256 in hex over weights,
/// preprocessing, variant and image contents in order.</summary>
internal sealed record FeatureSet(float[] Values, int Count, int Width, string Key, string WeightsHash)
{
    public string Precision { get; init; } = "fp32";

    public Tensor ToTensor(Device? device = null) => tensor(Values, [Count, Width], ScalarType.Float32, device);

    // Float32 [rows, Width] in the given order.
    public Tensor Rows(ReadOnlySpan<int> rows, Device? device = null)
    {
        float[] chosen = new float[(long)rows.Length * Width];
        for (int i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)Count)
                throw new ArgumentOutOfRangeException(nameof(rows), rows[i], $"Expected rows from 0 to {Count - 1}.");
            Values.AsSpan(rows[i] * Width, Width).CopyTo(chosen.AsSpan(i * Width));
        }
        return tensor(chosen, [rows.Length, Width], ScalarType.Float32, device);
    }
}
