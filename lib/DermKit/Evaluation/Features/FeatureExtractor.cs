using DermKit.Imaging;
using DermKit.Models;
using System.Runtime.InteropServices;

namespace DermKit.Evaluation;

internal static class FeatureExtractor
{
    private static readonly long[] HeadWidths = [2048, 2048, 256];

    // Features of cached images (all, or rows in order) in evaluation mode on the model's device (cpu when null); the
    // model's mode is restored.
    public static FeatureSet Extract(Backbone model, ImageCache cache, FeatureOptions? options = null,
        Device? device = null, int[]? rows = null, Action<int, int>? progress = null,
        CancellationToken cancellation = default) =>
        new FeatureStore(null, int.MaxValue).Extract(model, cache, options, device, rows, progress, cancellation);

    // Normalised batch [B, 3, H, W] to [B, width].
    public static Tensor Features(Backbone model, Tensor batch, FeatureOptions options)
    {
        using var scope = NewDisposeScope();
        Tensor features = options.Variant == FeatureVariant.PaperScript
            ? RandomHead(model.Features(batch, FeatureVariant.Cls4))
            : model.Features(batch, options.Variant);
        return features.MoveToOuterDisposeScope();
    }

    public static int Width(Backbone model, FeatureOptions options) =>
        options.Variant == FeatureVariant.PaperScript ? (int)HeadWidths[^1] : model.Width(options.Variant);

    public static string Key(string weights, string architecture, ImageCache cache, FeatureOptions options,
        ReadOnlySpan<int> rows)
    {
        var hashOfRow = new string[cache.Count];
        for (int i = 0; i < cache.RowOf.Length; i++)
            if (cache.RowOf[i] >= 0) hashOfRow[cache.RowOf[i]] = cache.ContentHashes[i];
        var text = new StringBuilder(
            $"features 3\n{weights}\n{architecture}\n{cache.PixelKey}\n{cache.Transform.Key}\n{options.Key}\n");
        foreach (int row in rows) text.Append(hashOfRow[row]).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    public static float[] Compute(Backbone model, ImageCache cache, FeatureOptions options, Device device, int[] rows,
        Action<int> progress, CancellationToken cancellation)
    {
        if (options.Precision == Precision.Auto)
            throw new KitException("Features, precision auto: expected fp32 or bf16.");
        int width = Width(model, options);
        float[] values = new float[(long)rows.Length * width];
        using var mode = new EvaluationMode(model);
        // A backbone in training may have another precision.
        Dense.ComputeIn(model, options.Precision.ProductType());
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

    private static KitException NotFinite(Backbone model, ImageCache cache, int row, Precision precision)
    {
        using var scope = NewDisposeScope();
        string? broken = model.state_dict().FirstOrDefault(p => p.Value.isfinite().logical_not().any().Value() > 0).Key;
        int at = Array.IndexOf(cache.RowOf, row);
        bool isKnown = at >= 0 && at < cache.Paths.Count;
        string image = isKnown ? Printable.Of(cache.Paths[at], most: 1_000) : $"{row} of the cache";
        string cause = broken is not null ? $"the weights are broken: {broken} is not finite"
            : model is OnnxEncoder ? "its file computes them"
            : $"the weights are finite, but values in the network exceed the range of {precision.Spelled()}";
        string remedy = precision == Precision.Fp32 ? "" : " Try fp32.";
        return new($"{model.Origin}: features of image {image} hold NaN or infinity: {cause}. "
            + $"No features were stored.{remedy}");
    }

    // Normal 0.02 weights of seed 1, drawn on the cpu, zero biases, exact GELU between.
    private static Tensor RandomHead(Tensor x)
    {
        using var generator = new Generator(1, CPU);
        for (int i = 0; i < HeadWidths.Length; i++)
        {
            Tensor weight = randn([HeadWidths[i], x.shape[1]], generator: generator).mul_(Kept(0.02))
                .to(x.dtype).to(x.device);
            x = Dense.Linear(i == 0 ? x : nn.functional.gelu(x), weight, null);
        }
        return x;
    }
}
