using DermKit.Models;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>How features are taken.</summary>
public sealed record FeatureOptions
{
    /// <summary>Which features.</summary>
    public FeatureVariant Variant { get; init; } = FeatureVariant.Cls4;

    /// <summary>Seed of the random head of <see cref="FeatureVariant.PaperScript"/>; of no effect otherwise.</summary>
    public int HeadSeed { get; init; } = 1;

    /// <summary>Images in one pass.</summary>
    public int Batch { get; init; } = 16;

    /// <summary>fp32, or bf16: matrix products in bfloat16, about twice as fast where the processor multiplies it natively; values differ in the third digit.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>Everything that decides the values, as text.</summary>
    public string Key => $"{Variant}{(Variant == FeatureVariant.PaperScript ? string.Create(CultureInfo.InvariantCulture, $"-head{HeadSeed}") : "")}{(Precision == "fp32" ? "" : $"-{Precision}")}";
}

/// <summary>Frozen features of some images.</summary>
/// <param name="Values">float32 [Count, Width], row by row.</param>
/// <param name="Count">Images.</param>
/// <param name="Width">Features of one image.</param>
/// <param name="Key">SHA-256 in hex over weights, preprocessing, variant and image contents in order; equal keys mean equal features.</param>
/// <param name="WeightsHash"><see cref="Models.WeightLoader.Hash"/> of the model.</param>
public sealed record FeatureSet(float[] Values, int Count, int Width, string Key, string WeightsHash)
{
    /// <summary>That of <see cref="FeatureOptions.Precision"/>.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>All rows as float32 [Count, Width].</summary>
    public Tensor ToTensor(Device? device = null) => tensor(Values, [Count, Width], ScalarType.Float32, device);

    /// <summary>Some rows, in the order asked for, as float32 [rows, Width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public Tensor Rows(ReadOnlySpan<int> rows, Device? device = null)
    {
        float[] chosen = new float[(long)rows.Length * Width];
        for (int i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)Count) throw new ArgumentOutOfRangeException(nameof(rows), rows[i], $"Expected rows from 0 to {Count - 1}.");
            Values.AsSpan(rows[i] * Width, Width).CopyTo(chosen.AsSpan(i * Width));
        }
        return tensor(chosen, [rows.Length, Width], ScalarType.Float32, device);
    }
}
