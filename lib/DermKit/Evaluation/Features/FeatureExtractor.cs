using DermKit.Imaging;
using DermKit.Models;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Runs a frozen model over an image cache; <see cref="FeatureStore"/> does so once and remembers.</summary>
public static class FeatureExtractor
{
    private static readonly long[] HeadWidths = [2048, 2048, 256];

    /// <summary>Features of cached images, computed in evaluation mode without gradients.</summary>
    /// <param name="model">The model, on <paramref name="device"/>.</param>
    /// <param name="cache">Images, with the transform that normalises them.</param>
    /// <param name="options">Which features; the defaults when null.</param>
    /// <param name="device">Where the model lies; cpu when null.</param>
    /// <param name="rows">Rows of the cache in the order wanted; all when null.</param>
    /// <param name="progress">Called with (done, all) after each batch.</param>
    /// <param name="cancellation">Looked at before each batch.</param>
    /// <exception cref="KitException">
    /// The model has no such features, the precision is neither fp32 nor bf16, or a feature is not finite.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The model has fewer than 4 blocks.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static FeatureSet Extract(Backbone model, ImageCache cache, FeatureOptions? options = null, Device? device = null,
        int[]? rows = null, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        (options, rows) = (options ?? new(), rows ?? [.. Enumerable.Range(0, cache.Count)]);
        string weights = WeightLoader.Hash(model);
        float[] values = Compute(model, cache, options, device ?? CPU, rows, done => progress?.Invoke(done, rows.Length), cancellation);
        return new(values, rows.Length, Width(model, options), Key(weights, model.Architecture, cache, options, rows), weights) { Precision = options.Precision };
    }

    /// <summary>Features of a normalised batch [B, 3, H, W] on the model's device: [B, width].</summary>
    public static Tensor Features(Backbone model, Tensor batch, FeatureOptions options)
    {
        using var scope = NewDisposeScope();
        Tensor features = options.Variant == FeatureVariant.PaperScript ? RandomHead(model.Features(batch, FeatureVariant.Cls4), options.HeadSeed) : model.Features(batch, options.Variant);
        return features.MoveToOuterDisposeScope();
    }

    internal static int Width(Backbone model, FeatureOptions options) =>
        options.Variant == FeatureVariant.PaperScript ? (int)HeadWidths[^1] : model.Width(options.Variant);

    internal static string Key(string weights, string architecture, ImageCache cache, FeatureOptions options, ReadOnlySpan<int> rows)
    {
        var hashOfRow = new string[cache.Count];
        for (int i = 0; i < cache.RowOf.Length; i++)
            if (cache.RowOf[i] >= 0) hashOfRow[cache.RowOf[i]] = cache.ContentHashes[i];
        var text = new StringBuilder($"features 3\n{weights}\n{architecture}\n{cache.PixelKey}\n{cache.Transform.Key}\n{options.Key}\n");
        foreach (int row in rows) text.Append(hashOfRow[row]).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    internal static float[] Compute(Backbone model, ImageCache cache, FeatureOptions options, Device device, int[] rows, Action<int> progress, CancellationToken cancellation)
    {
        if (options.Precision is not ("fp32" or "bf16")) throw new KitException($"Features, precision '{options.Precision}': expected fp32 or bf16.");
        int width = Width(model, options);
        float[] values = new float[(long)rows.Length * width];
        using var mode = new EvaluationMode(model);
        // A backbone that is being trained may multiply in another type than the features are asked for in.
        Dense.ComputeIn(model, options.Precision == "bf16" ? ScalarType.BFloat16 : null);
        for (int start = 0; start < rows.Length; start += options.Batch)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int count = Math.Min(options.Batch, rows.Length - start);
            Tensor batch = cache.Transform.Normalise(cache.Batch(rows.AsSpan(start, count), device));
            Tensor features = Features(model, batch, options).to(ScalarType.Float32).cpu().contiguous();
            MemoryMarshal.Cast<byte, float>(features.bytes).CopyTo(values.AsSpan(start * width));
            progress(start + count);
        }
        if (Array.FindIndex(values, v => !float.IsFinite(v)) is var bad and >= 0)
            throw NotFinite(model, cache, rows[bad / width], options.Precision);
        return values;
    }

    /// <summary>The error for features that are not finite; the weights are looked at before they are blamed.</summary>
    private static KitException NotFinite(Backbone model, ImageCache cache, int row, string precision)
    {
        using var scope = NewDisposeScope();
        string? broken = model.state_dict().FirstOrDefault(p => p.Value.isfinite().logical_not().any().Value() > 0).Key;
        int at = Array.IndexOf(cache.RowOf, row);
        bool isKnown = at >= 0 && at < cache.Paths.Count;
        string image = isKnown ? Printable.Of(cache.Paths[at], most: 1_000) : $"{row} of the cache";
        string cause = broken is not null ? $"the weights are broken: {broken} is not finite"
            : $"the weights are finite, but values in the network outgrow {precision}";
        string remedy = precision == "fp32" ? "" : " Try fp32.";
        return new($"{model.Origin}: features of image {image} hold NaN or infinity: {cause}. "
            + $"Nothing of them is kept.{remedy}");
    }

    /// <summary>Linear layers with truncated normal 0.02 weights and zero biases, exact GELU between them; drawn on the cpu from the seed.</summary>
    private static Tensor RandomHead(Tensor x, int seed)
    {
        using var generator = new Generator((ulong)seed, CPU);
        for (int i = 0; i < HeadWidths.Length; i++)
        {
            Tensor weight = randn([HeadWidths[i], x.shape[1]], generator: generator).mul_(Kept(0.02)).to(x.dtype).to(x.device);
            x = Dense.Linear(i == 0 ? x : nn.functional.gelu(x), weight, null);
        }
        return x;
    }
}
