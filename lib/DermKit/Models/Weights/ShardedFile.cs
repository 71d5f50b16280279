namespace DermKit.Models;

/// <summary>Several safetensors files under an index (<c>model.safetensors.index.json</c> with weight_map from key to
/// file), as Hugging Face splits large models.</summary>
internal sealed class ShardedFile(string path) : WeightFile(path)
{
    internal const string Ending = ".safetensors.index.json";

    private const long IndexCap = 100_000_000;
    private readonly Dictionary<string, SafeTensorsFile> files = [];
    private readonly Dictionary<string, string> map = Map(path);

    public override string Format => $"safetensors in {files.Count} files";

    internal static bool IsIndex(string path) => path.EndsWith(Ending, OrdinalIgnoreCase);

    // Each key must be in the file that the index names, and in no other.
    public static new ShardedFile Open(string path) => Owned.Make(() => new ShardedFile(path), sharded =>
    {
        sharded.OpenFiles();
        return sharded;
    });

    // Full paths in the order of names.
    internal static string[] Files(string path) =>
        [.. Map(path).Values.Distinct().Order(StringComparer.Ordinal)
            .Select(f => Beside(path, f))];

    public override void Dispose()
    {
        foreach (SafeTensorsFile file in files.Values) file.Dispose();
    }

    internal override void Read(string name, long first, Tensor target) => files[map[name]].Read(name, first, target);

    private void OpenFiles()
    {
        foreach (string name in map.Values.Distinct())
        {
            string file = Beside(Path, name);
            if (!File.Exists(file))
                throw new KitException(
                    $"{Path}: the index names {Printable.Of(name)}, which is not beside it. Fetch all of its files.");
            files[name] = SafeTensorsFile.Open(file);
        }
        HashSet<string> listed = [.. map.Select(p => $"{p.Key} in {p.Value}")];
        HashSet<string> stored = [.. files.SelectMany(f => f.Value.Entries.Keys.Select(key => $"{key} in {f.Key}"))];
        string[] missing = [.. listed.Except(stored)], extra = [.. stored.Except(listed)];
        if (missing.Length + extra.Length > 0)
            throw new KitException($"{Path}: the index and its files differ.{WeightLoader.Listed("missing", missing)}"
                + $"{WeightLoader.Listed("not in the index", extra)} Fetch all of them again from one place.");
        Entries = map.ToDictionary(p => p.Key, p => files[p.Value].Entries[p.Key]);
        Metadata = files.Values.SelectMany(f => f.Metadata).DistinctBy(p => p.Key).ToDictionary();
    }

    private static string Beside(string path, string file) =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, file);

    private static Dictionary<string, string> Map(string path)
    {
        KitException Broken(string what, Exception? inner = null) =>
            new($"{path}: not a valid index of safetensors files: {what}. Fetch the file again.", inner);
        if (new FileInfo(path) is { Exists: true, Length: > IndexCap } info)
            throw Broken($"{info.Length} bytes are over the cap of {IndexCap}");
        try
        {
            byte[] json = File.ReadAllBytes(path);
            using var document = JsonDocument.Parse(json, new() { AllowDuplicateProperties = false, MaxDepth = 8 });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out JsonElement map)
                || map.ValueKind != JsonValueKind.Object)
                throw Broken("expected an object with the key weight_map, itself an object");
            var result = new Dictionary<string, string>();
            foreach (JsonProperty property in map.EnumerateObject())
            {
                string? file = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString() : null;
                if (file is null || file != System.IO.Path.GetFileName(file) || file.Contains('\\', Ordinal)
                    || !file.EndsWith(".safetensors", Ordinal))
                    throw Broken($"'{Printable.Of(property.Name)}' is in {Printable.Of(property.Value.GetRawText())}; "
                        + "expected the name of a .safetensors file in the same folder");
                result[property.Name] = file;
            }
            return result.Count > 0 ? result : throw Broken("its weight_map is empty");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Broken($"no JSON, or a key twice ({Printable.Of(e.Message)})", e);
        }
    }
}
