using DermKit.Imaging;
using DermKit.Models;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// Remembers features on disk. A file holds some hundred images and is named by the hash of everything that it depends on
/// (weights, preprocessing, variant, image contents in order), so a file of something else is never read, an interrupted
/// extraction goes on where it stopped, and images added at the end cost themselves and at most one file's worth more
/// (one added or taken out further up moves all that follow, which are computed again). A damaged file is computed again.
/// </summary>
public sealed class FeatureStore
{
    private readonly string folder;
    private readonly int perFile;

    /// <summary>A store in features/ under a cache folder.</summary>
    /// <param name="cacheDir">Usually <see cref="KitSettings.CacheDir"/>.</param>
    /// <param name="perFile">Images in one file, which is what an interruption can lose.</param>
    public FeatureStore(string cacheDir, int perFile = 256) => (folder, this.perFile) = (Path.Combine(cacheDir, "features"), perFile);

    /// <summary>As <see cref="FeatureExtractor.Extract"/>, reading what is there and writing what is not.</summary>
    /// <exception cref="KitException">A feature is not finite.</exception>
    /// <exception cref="IOException">The cache folder is not writable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; finished files stay.</exception>
    public FeatureSet Extract(Backbone model, ImageCache cache, FeatureOptions? options = null, Device? device = null,
        int[]? rows = null, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        (options, rows) = (options ?? new(), rows ?? [.. Enumerable.Range(0, cache.Count)]);
        string weights = WeightLoader.Hash(model);
        int width = FeatureExtractor.Width(model, options);
        float[] values = new float[(long)rows.Length * width];
        for (int start = 0; start < rows.Length; start += perFile)
        {
            int first = start;
            int[] part = rows[start..Math.Min(start + perFile, rows.Length)];
            string key = FeatureExtractor.Key(weights, model.Architecture, cache, options, part);
            string path = Path.Combine(folder, key[..2], key[..32] + ".safetensors");
            float[]? found = Read(path, key, part.Length, width);
            if (found is null)
            {
                found = FeatureExtractor.Compute(model, cache, options, device ?? CPU, part, done => progress?.Invoke(first + done, rows.Length), cancellation);
                Write(path, key, found, part.Length, width);
            }
            else progress?.Invoke(start + part.Length, rows.Length);
            found.CopyTo(values, (long)start * width);
        }
        return new(values, rows.Length, width, FeatureExtractor.Key(weights, model.Architecture, cache, options, rows), weights) { Precision = options.Precision };
    }

    private static void Write(string path, string key, float[] values, int rows, int width)
    {
        using Tensor data = tensor(values, [rows, width]);
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["features"] = data }, new Dictionary<string, string> { ["key"] = key, ["sha256"] = Checksum(values) });
    }

    /// <summary>The values, or null when the file is absent, damaged or not what its name says.</summary>
    private static float[]? Read(string path, string key, int rows, int width)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            if (file.Metadata.GetValueOrDefault("key") != key || !file.Entries.TryGetValue("features", out WeightEntry? entry)
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

    /// <summary>SHA-256 of the values in hex.</summary>
    internal static string Checksum(float[] values) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan())));
}
