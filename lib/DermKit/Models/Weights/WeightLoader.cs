using System.Security.Cryptography;
using System.Text;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Fills models from files, and names a set of weights by its hash.</summary>
public static class WeightLoader
{
    /// <summary>
    /// Copies every tensor of a file into the parameter or buffer of the same name, cast to its type and device. All names,
    /// shapes, types and values are checked before the first copy, so a refused file changes nothing.
    /// </summary>
    /// <remarks>A file without a batch normalisation's num_batches_tracked sets it to 0, as torch does: old weights have none; one without iBOT's mask token sets that to 0, as it starts.</remarks>
    /// <param name="module">The model.</param>
    /// <param name="path">Any weights file, in any of the names that <see cref="MappedWeights"/> knows.</param>
    /// <param name="leaveOut">Keys of the file that the model has no place for, such as the classifier of an ImageNet model; a name that ends in .* stands for all keys that begin so.</param>
    /// <exception cref="KitException">
    /// The file breaks the format, holds several different encoders, a network with parts that the kit does not build,
    /// or values that are not finite, or keys are missing, extra, or of another shape or kind of number, all listed.
    /// </exception>
    public static void LoadStrict(nn.Module module, string path, IReadOnlyCollection<string>? leaveOut = null)
    {
        using MappedWeights file = MappedWeights.Open(path);
        if (file.Ambiguity is { } several) throw new KitException($"{path}: {several}. Nothing was loaded.");
        string problems = Problems(module, file, leaveOut);
        if (problems.Length > 0)
            throw new KitException($"{path}: these weights are for another model than {module.GetName()}; "
                + $"{file.Description}.{problems} Nothing was loaded.");
        CheckFinite(file, module.state_dict().Keys.Where(file.Entries.ContainsKey), "Nothing was loaded.");
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in module.state_dict())
            if (file.Entries.ContainsKey(key)) file.LoadInto(key, target);
            else target.zero_();
    }

    /// <summary>
    /// What in the names, shapes and types of a file keeps it from filling a model (on any device, meta too), by name;
    /// empty when it fits. Every way in, evaluation, conversion and the start of pre-training, asks here.
    /// </summary>
    internal static string Problems(nn.Module module, MappedWeights file, IReadOnlyCollection<string>? leaveOut)
    {
        Dictionary<string, Tensor> state = module.state_dict();
        string[] offered = [.. file.Entries.Keys.Where(k => leaveOut is null || !LeavesOut(leaveOut, k))];
        string unsupported = file.Unsupported(offered);
        if (unsupported.Length > 0) return unsupported;
        static bool IsOptional(string key) =>
            key == "masked_embed" || key.EndsWith(".num_batches_tracked", StringComparison.Ordinal);
        string[] missing = [.. state.Keys.Except(offered).Where(k => !IsOptional(k))];
        string[] extra = [.. offered.Except(state.Keys)];
        List<string> misshapen = [], mistyped = [];
        foreach ((string key, Tensor target) in state)
        {
            if (!file.Entries.TryGetValue(key, out WeightEntry? entry)) continue;
            string shapes = $"{key} [{string.Join(", ", entry.Shape)}] for [{string.Join(", ", target.shape)}]";
            if (!entry.Shape.SequenceEqual(target.shape)) misshapen.Add(shapes);
            if (is_floating_point(target) != IsFloat(entry.Type))
                mistyped.Add($"{key} {entry.Type} for {target.dtype}");
        }
        return Listed("missing", missing) + Listed("extra", extra) + Listed("misshapen", misshapen)
            + Listed("of another kind of number", mistyped);
    }

    /// <summary>Refuses values that are not finite as float32, in which the kit's models compute.</summary>
    /// <param name="file">The file.</param>
    /// <param name="keys">Which of its tensors to read; whole numbers are passed over.</param>
    /// <param name="outcome">Ends the message.</param>
    /// <exception cref="KitException">There are such values; their tensors are listed.</exception>
    internal static void CheckFinite(WeightFile file, IEnumerable<string> keys, string outcome)
    {
        var bad = new List<string>();
        foreach (string key in keys.Where(k => IsFloat(file.Entries[k].Type)))
        {
            using var scope = NewDisposeScope();
            Tensor value = file.Load(key).to(ScalarType.Float32);
            long finite = (long)value.isfinite().sum().Value(), count = value.numel();
            if (finite < count) bad.Add($"{key} ({count - finite} of {count})");
        }
        if (bad.Count > 0)
            throw new KitException($"{file.Path}: expected finite weights, found NaN or infinity."
                + $"{Listed("not finite as float32", bad)} {outcome} Take another file.");
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

    /// <summary>The first of some names, or notes on them, and how many more there are; empty for none.</summary>
    internal static string Listed(string what, IReadOnlyCollection<string> notes) =>
        notes.Count == 0 ? "" : $" {what}: {Names.Listed(notes)}.";
}
