using System.Security.Cryptography;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models.Weights;

/// <summary>Fills models from files, and names a set of weights by its hash.</summary>
public static class WeightLoader
{
    /// <summary>
    /// Copies every tensor of a file into the parameter or buffer of the same name, cast to its type and device. All names,
    /// shapes and types are checked before the first copy, so a refused file changes nothing.
    /// </summary>
    /// <remarks>A file without a batch normalisation's num_batches_tracked sets it to 0, as torch does: old weights have none; one without iBOT's mask token sets that to 0, as it starts.</remarks>
    /// <param name="module">The model.</param>
    /// <param name="path">Any weights file, in any of the names that <see cref="MappedWeights"/> knows.</param>
    /// <param name="leaveOut">Keys of the file that the model has no place for, such as the classifier of an ImageNet model; a name that ends in .* stands for all keys that begin so.</param>
    /// <exception cref="KitException">The file breaks the format, or keys are missing, extra or of another shape; all are listed by name.</exception>
    public static void LoadStrict(nn.Module module, string path, IReadOnlyCollection<string>? leaveOut = null)
    {
        using MappedWeights file = MappedWeights.Open(path);
        string problems = Problems(module, file, leaveOut);
        if (problems.Length > 0) throw new KitException($"{path}: these weights are for another model than {module.GetName()}; {file.Description}.{problems} Nothing was loaded.");
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in module.state_dict())
            if (file.Entries.ContainsKey(key)) file.LoadInto(key, target);
            else target.zero_();
    }

    /// <summary>
    /// What keeps a file from filling a model (on any device, meta too), keys by name, of many the first with the count
    /// of the rest; empty when it fits.
    /// </summary>
    internal static string Problems(nn.Module module, WeightFile file, IReadOnlyCollection<string>? leaveOut)
    {
        Dictionary<string, Tensor> state = module.state_dict();
        string[] offered = [.. file.Entries.Keys.Where(k => leaveOut is null || !LeavesOut(leaveOut, k))];
        string[] missing = [.. state.Keys.Except(offered).Where(k => !k.EndsWith(".num_batches_tracked", StringComparison.Ordinal) && k != "masked_embed")], extra = [.. offered.Except(state.Keys)];
        string[] misshapen = [.. state.Where(p => file.Entries.TryGetValue(p.Key, out WeightEntry? e) && !e.Shape.SequenceEqual(p.Value.shape))
            .Select(p => $"{p.Key} [{string.Join(", ", file.Entries[p.Key].Shape)}] for [{string.Join(", ", p.Value.shape)}]")];
        string[] mistyped = [.. state.Where(p => file.Entries.TryGetValue(p.Key, out WeightEntry? e) && is_floating_point(p.Value) != IsFloat(e.Type))
            .Select(p => $"{p.Key} {file.Entries[p.Key].Type} for {p.Value.dtype}")];
        return Listed("missing", missing) + Listed("extra", extra) + Listed("misshapen", misshapen) + Listed("of another kind of number", mistyped);
    }

    internal static bool LeavesOut(IEnumerable<string> leaveOut, string key) =>
        leaveOut.Any(l => l == key || (l.EndsWith(".*", StringComparison.Ordinal) && key.StartsWith(l[..^1], StringComparison.Ordinal)));

    /// <summary>SHA-256 in lower-case hex over name, type, shape and content of every tensor of a model, whatever its device.</summary>
    public static string Hash(nn.Module module)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string key, Tensor value) in module.state_dict().OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{key}\0{value.dtype}\0{string.Join(',', value.shape)}\0"));
            TensorData.ForEachPart(value, hash.AppendData);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>SHA-256 in lower-case hex of a file's content; of an index of several files, over the index and then each of them in the order of their names.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static string FileHash(string path)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        foreach (string file in path.EndsWith(ShardedFile.Ending, StringComparison.OrdinalIgnoreCase) ? [path, .. ShardedFile.Files(path)] : new[] { path })
        {
            using FileStream stream = File.OpenRead(file);
            for (int read; (read = stream.Read(buffer)) > 0;) hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static bool IsFloat(ScalarType type) => type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;

    internal static string Listed(string what, string[] keys) => keys.Length == 0 ? ""
        : $" {what}: {Names.Listed(keys)}.";
}
