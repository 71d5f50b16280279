using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Several safetensors files under one index (<c>model.safetensors.index.json</c> with a weight_map from key to file), as Hugging Face splits large models.</summary>
public sealed class ShardedFile : WeightFile
{
    /// <summary>How the name of an index ends.</summary>
    internal const string Ending = ".safetensors.index.json";

    private const long IndexCap = 100_000_000;
    private readonly Dictionary<string, SafeTensorsFile> files;
    private readonly Dictionary<string, string> map;

    private ShardedFile(string path, Dictionary<string, string> map, Dictionary<string, SafeTensorsFile> files) : base(path) => (this.map, this.files) = (map, files);

    /// <inheritdoc/>
    public override string Format => $"safetensors in {files.Count} files";

    /// <summary>Opens the index and all of its files; every key must lie in the file that the index names, and no other may.</summary>
    /// <exception cref="KitException">The index or a file breaks a rule, or they differ; keys are listed by name.</exception>
    public static new ShardedFile Open(string path)
    {
        Dictionary<string, string> map = Map(path);
        var files = new Dictionary<string, SafeTensorsFile>(StringComparer.Ordinal);
        try
        {
            foreach (string name in map.Values.Distinct(StringComparer.Ordinal))
            {
                string file = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, name);
                if (!File.Exists(file))
                    throw new KitException($"{path}: the index names {Printable.Of(name)}, which is not beside it. "
                        + "Fetch all of its files.");
                files[name] = SafeTensorsFile.Open(file);
            }
            string[] missing = [.. map.Where(p => !files[p.Value].Entries.ContainsKey(p.Key)).Select(p => $"{p.Key} in {p.Value}")];
            string[] extra = [.. files.SelectMany(f => f.Value.Entries.Keys.Where(k => !map.TryGetValue(k, out string? file) || file != f.Key).Select(k => $"{k} in {f.Key}"))];
            if (missing.Length + extra.Length > 0)
                throw new KitException($"{path}: the index and its files differ.{WeightLoader.Listed("missing", missing)}{WeightLoader.Listed("not in the index", extra)} Fetch all of them again from one place.");
            return new(path, map, files)
            {
                Entries = map.ToDictionary(p => p.Key, p => files[p.Value].Entries[p.Key]),
                Metadata = files.Values.SelectMany(f => f.Metadata).DistinctBy(p => p.Key).ToDictionary(),
            };
        }
        catch
        {
            foreach (SafeTensorsFile file in files.Values) file.Dispose();
            throw;
        }
    }

    /// <summary>Full paths of the files that an index names, in the order of their names; for a hash over all.</summary>
    /// <exception cref="KitException">The index breaks a rule.</exception>
    internal static string[] Files(string path) => [.. Map(path).Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(f => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, f))];

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (SafeTensorsFile file in files.Values) file.Dispose();
    }

    internal override void Read(string name, long first, Tensor target) => files[map[name]].Read(name, first, target);

    private static Dictionary<string, string> Map(string path)
    {
        KitException Broken(string what, Exception? inner = null) => new($"{path}: not a valid index of safetensors files: {what}. Fetch the file again.", inner);
        if (new FileInfo(path) is { Exists: true, Length: > IndexCap } info) throw Broken($"{info.Length} bytes are over the cap of {IndexCap}");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 8 });
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
                throw Broken("expected an object with the key weight_map, itself an object");
            var result = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty property in map.EnumerateObject())
            {
                string? file = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString() : null;
                if (file is null || file.Length == 0 || file != System.IO.Path.GetFileName(file) || !file.EndsWith(".safetensors", StringComparison.Ordinal) || file.Contains('\\', StringComparison.Ordinal))
                    throw Broken($"'{Printable.Of(property.Name)}' is in "
                        + $"'{Printable.Of(file ?? property.Value.GetRawText())}'; "
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
