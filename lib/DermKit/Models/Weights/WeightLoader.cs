namespace DermKit.Models;

/// <summary>Loads models from weights files and hashes weights.</summary>
public static class WeightLoader
{
    /// <summary>Copies every tensor of a file (safetensors, an index of several, PyTorch's zip; keys of timm, DINO,
    /// torchvision, Hugging Face or openai/CLIP) into the parameter or buffer of its name, cast to its type and device.
    /// All is checked first; a refused file changes nothing. num_batches_tracked and iBOT's mask token may be missing
    /// and become 0. leaveOut has keys that the model lacks; an ending .* covers all with that beginning.</summary>
    /// <exception cref="KitException">The file breaks its format, has several different encoders, parts that the kit
    /// does not build or values that are not finite, or keys are missing, extra, or of another shape or kind of number.
    /// All are listed.</exception>
    public static void LoadStrict(nn.Module module, string path, IReadOnlyCollection<string>? leaveOut = null)
    {
        using MappedWeights file = MappedWeights.Open(path);
        if (file.Ambiguity is { } several) throw new KitException($"{path}: {several}. Nothing was loaded.");
        string problems = Problems(module, file, leaveOut);
        if (problems.Length > 0)
            throw new KitException($"{path}: these weights are for another model than {module.GetName()}; "
                + $"{file.Description}.{problems} Nothing was loaded.");
        Dictionary<string, Tensor> state = module.state_dict();
        CheckFinite(file, state.Keys.Where(file.Entries.ContainsKey), "Nothing was loaded.");
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in state)
            if (file.Entries.ContainsKey(key)) file.LoadInto(key, target);
            else target.zero_();
    }

    // Why a file does not fit a model (on any device, meta too), or empty. Evaluation, conversion and the start of
    // pre-training use this check.
    internal static string Problems(nn.Module module, MappedWeights file, IReadOnlyCollection<string>? leaveOut)
    {
        Dictionary<string, Tensor> state = module.state_dict();
        string[] offered = [.. file.Entries.Keys.Where(k => leaveOut is null || !LeavesOut(leaveOut, k))];
        string unsupported = file.Unsupported(offered);
        if (unsupported.Length > 0) return unsupported;
        static bool IsOptional(string key) => key == "masked_embed" || key.EndsWith(".num_batches_tracked", Ordinal);
        string[] missing = [.. state.Keys.Except(offered).Where(k => !IsOptional(k))];
        string[] extra = [.. offered.Except(state.Keys)];
        List<string> misshapen = [], mistyped = [];
        foreach ((string key, Tensor target) in state)
        {
            if (!file.Entries.TryGetValue(key, out WeightEntry? entry)) continue;
            if (!entry.Shape.SequenceEqual(target.shape))
                misshapen.Add($"{key} [{string.Join(", ", entry.Shape)}] for {target.Shape()}");
            if (is_floating_point(target) != IsFloat(entry.Type))
                mistyped.Add($"{key} {entry.Type} for {target.dtype}");
        }
        return Listed("missing", missing) + Listed("extra", extra) + Listed("misshapen", misshapen)
            + Listed("of another kind of number", mistyped);
    }

    // Refuses values not finite as float32, the kit's type.
    internal static void CheckFinite(WeightFile file, IEnumerable<string> keys, string outcome)
    {
        var bad = new List<string>();
        foreach (string key in keys.Where(k => IsFloat(file.Entries[k].Type)))
        {
            using var scope = NewDisposeScope();
            Tensor value = file.Load(key).to(float32);
            long finite = (long)value.isfinite().sum().Value(), count = value.numel();
            if (finite < count) bad.Add($"{key} ({count - finite} of {count})");
        }
        if (bad.Count > 0)
            throw new KitException($"{file.Path}: expected finite weights, found NaN or infinity."
                + $"{Listed("not finite as float32", bad)} {outcome} Take another file.");
    }

    internal static bool LeavesOut(IEnumerable<string> leaveOut, string key) => leaveOut.Any(l => l == key
        || l.EndsWith(".*", Ordinal) && key.StartsWith(l[..^1], Ordinal));

    /// <summary>SHA-256 in lower-case hex of names, types, shapes and values of all tensors, whatever the device; of
    /// an ONNX encoder, of its files.</summary>
    public static string Hash(nn.Module module)
    {
        if (module is OnnxEncoder encoder) return encoder.FileHash;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string key, Tensor value) in module.state_dict().OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{key}\0{value.dtype}\0{string.Join(',', value.shape)}\0"));
            TensorData.ForEachPart(value, hash.AppendData);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // SHA-256 in lower-case hex; of an index or an ONNX file, then its files by name.
    internal static string FileHash(string path)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        string[] files = ShardedFile.IsIndex(path) ? [path, .. ShardedFile.Files(path)]
            : OnnxFile.Is(path) ? [path, .. OnnxEncoder.Contents(path).Files] : [path];
        foreach (string file in files)
        {
            using FileStream stream = File.OpenRead(file);
            for (int read; (read = stream.Read(buffer)) > 0;) hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    internal static string Listed(string what, IReadOnlyCollection<string> notes) =>
        notes.Count == 0 ? "" : $" {what}: {Names.Listed(notes)}.";

    private static bool IsFloat(ScalarType type) =>
        type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;
}
