using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>A few numbers of a model's features on a few images: enough to tell other weights, another preprocessing or
/// changed images, too few to hold an image.</summary>
internal static class Fingerprint
{
    public const int Images = 16, Numbers = 4;

    // The readable images whose ids hash lowest.
    public static string[] Sample(ProbeTask task, IReadOnlySet<string> unreadable) => [.. task.ByHash()
        .Where(i => !unreadable.Contains(task.Table.Paths[i])).Take(Images).Select(i => task.Table.Ids[i])];

    // [image][number], of the first seed's weights.
    public static double[][] Of(KitSettings settings, SuitePlan plan, ModelDefinition model, ProbeTask task,
        string[] ids, CancellationToken cancellation = default)
    {
        int[] rows = Array.ConvertAll(ids, id => Array.IndexOf(task.Table.Ids, id));
        if (Array.IndexOf(rows, -1) is var lost and >= 0)
            throw new KitException($"Task '{task.Definition.Name}': image '{ids[lost]}' of the sample is not among its "
                + $"{task.Table.Count} images.");
        string[] paths = SuiteRun.Bring(settings, [task.Only(rows)], plan, null, cancellation)[0].Table.Paths;
        using ImageCache cache = ImageCache.Build(settings.CacheDir, paths, model.Transform,
            cancellation: cancellation);
        if (cache.Quarantine is [var broken, ..])
            throw new KitException($"{broken.Path}: expected a readable image, found: {broken.Reason}");
        Device device = settings.TorchDevice();
        using Backbone backbone = model.Create(Seeds(model, plan)[0], device);
        FeatureSet features = FeatureExtractor.Extract(backbone, cache,
            new() { Variant = model.Features, Precision = PrecisionOf(model, plan) }, device,
            cancellation: cancellation);
        return [.. features.Values.Chunk(features.Width).Select(Projected)];
    }

    public static Precision PrecisionOf(ModelDefinition model, SuitePlan plan) =>
        model.IsOnnx ? Precision.Fp32 : plan.Precision;

    // The seeds that a plan draws weights with; 0 for a file.
    public static IReadOnlyList<int> Seeds(ModelDefinition model, SuitePlan plan) =>
        model.Seeds.Length == 1 ? model.Seeds : plan.Seeds;

    // One for each seed.
    public static string[] Weights(ModelDefinition model, SuitePlan plan) => [.. Seeds(model, plan).Select(seed =>
    {
        using Backbone backbone = model.Create(seed);
        return WeightLoader.Hash(backbone);
    })];

    // The row at length 1 along fixed directions of random signs: of size 1 whatever the width.
    private static double[] Projected(float[] row)
    {
        double length = Math.Sqrt(row.Sum(v => (double)v * v));
        var numbers = new double[Numbers];
        for (int n = 0; n < Numbers; n++)
        {
            SplitMix64 signs = SplitMix64.Stream((ulong)n);
            double sum = 0;
            foreach (float value in row) sum += (signs.Next() & 1) == 0 ? value : -value;
            numbers[n] = length > 0 ? Math.Round(sum / length, 5) : 0;
        }
        return numbers;
    }
}

/// <summary>SHA-256 over the files of a task's images, in the order of their ids; reads a file once.</summary>
internal sealed class ImageContents
{
    private readonly Dictionary<string, byte[]> known = new(StringComparer.Ordinal);

    public string Of(ProbeTask task, CancellationToken cancellation = default)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((_, string path) in task.Table.Ids.Zip(task.Table.Paths).OrderBy(p => p.First, StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!known.TryGetValue(path, out byte[]? hash))
            {
                using FileStream stream = File.OpenRead(path);
                known[path] = hash = SHA256.HashData(stream);
            }
            all.AppendData(hash);
        }
        return Convert.ToHexStringLower(all.GetHashAndReset());
    }
}
