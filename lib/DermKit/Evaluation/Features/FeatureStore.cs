using DermKit.Imaging;
using DermKit.Models;
using System.Runtime.InteropServices;

namespace DermKit.Evaluation;

/// <summary>Features in features/ under a cache folder (null stores nothing), some hundred images to a file, named by
/// the hash of all that it depends on. An interrupted extraction continues; an added or removed image shifts those
/// after it, which are computed again, as is a damaged file.</summary>
internal sealed class FeatureStore(string? cacheDir, int perFile = 256)
{

    public FeatureSet Extract(Backbone model, ImageCache cache, FeatureOptions? options = null, Device? device = null,
        int[]? rows = null, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        options ??= new();
        rows ??= [.. Enumerable.Range(0, cache.Count)];
        string weights = WeightLoader.Hash(model);
        int width = FeatureExtractor.Width(model, options);
        float[] values = new float[(long)rows.Length * width];
        int first = 0;
        foreach (int[] part in rows.Chunk(perFile))
        {
            string key = FeatureExtractor.Key(weights, model.Architecture, cache, options, part);
            string? path = cacheDir is null ? null
                : Path.Combine(cacheDir, "features", key[..2], key[..32] + ".safetensors");
            float[]? found = Read(path, key, part.Length, width);
            if (found is null)
            {
                int before = first;
                found = FeatureExtractor.Compute(model, cache, options, device ?? CPU, part,
                    done => progress?.Invoke(before + done, rows.Length), cancellation);
                if (path is not null) Write(path, key, found, part.Length, width);
            }
            else progress?.Invoke(first + part.Length, rows.Length);
            found.CopyTo(values, (long)first * width);
            first += part.Length;
        }
        string all = FeatureExtractor.Key(weights, model.Architecture, cache, options, rows);
        return new(values, rows.Length, width, all, weights) { Precision = options.Precision };
    }

    private static void Write(string path, string key, float[] values, int rows, int width)
    {
        using Tensor data = tensor(values, [rows, width]);
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["features"] = data },
            new Dictionary<string, string> { ["key"] = key, ["sha256"] = Checksum(values) });
    }

    // Null when the file is absent, damaged or has another key.
    private static float[]? Read(string? path, string key, int rows, int width)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            if (file.Metadata.GetValueOrDefault("key") != key
                || !file.Entries.TryGetValue("features", out WeightEntry? entry)
                || entry.Type != ScalarType.Float32 || !entry.Shape.SequenceEqual([rows, width])) return null;
            using Tensor data = file.Load("features");
            float[] values = data.data<float>().ToArray();
            return Checksum(values) == file.Metadata.GetValueOrDefault("sha256") ? values : null;
        }
        catch (Exception e) when (e is KitException or EndOfStreamException)
        {
            return null;
        }
    }

    internal static string Checksum(float[] values) =>
        Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan())));
}
