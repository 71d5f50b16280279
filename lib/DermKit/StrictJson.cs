using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit;

/// <summary>Reads a declarative JSON file (task, model, manifest, options) into a record and refuses what it does not know.</summary>
public static class StrictJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.General)
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>Reads one file. Keys are the public properties of <typeparamref name="T"/> in camelCase; <c>required</c> properties must be there.</summary>
    /// <exception cref="KitException">The file is no JSON object, or a key is unknown (the nearest known key is named), missing, repeated or of the wrong type.</exception>
    public static T Read<T>(string path) => Guarded(path, () => JsonSerializer.Deserialize<T>(Keys<T>(path), Options)!);

    /// <summary>Reads one file over defaults that depend on what it says.</summary>
    /// <param name="path">The file.</param>
    /// <param name="changes">Key and value, taken before the file's: JSON, or else a text.</param>
    /// <param name="defaults">From the keys that are set, the record that holds all others.</param>
    /// <exception cref="KitException">As <see cref="Read{T}(string)"/>.</exception>
    public static T Read<T>(string path, IReadOnlyDictionary<string, string> changes, Func<JsonObject, T> defaults)
    {
        JsonObject keys = Keys<T>(path);
        foreach ((string key, string value) in changes) keys[Known<T>("--set", key)] = Value(value);
        return Guarded(path, () =>
        {
            JsonObject all = JsonSerializer.SerializeToNode(defaults(keys), Options)!.AsObject();
            foreach ((string key, JsonNode? value) in keys) all[key] = value?.DeepClone();
            return all.Deserialize<T>(Options)!;
        });
    }

    private static JsonObject Keys<T>(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        ReadOnlySpan<byte> json = bytes.AsSpan(bytes is [0xEF, 0xBB, 0xBF, ..] ? 3 : 0);
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(json, documentOptions: new() { AllowDuplicateProperties = false });
        }
        catch (JsonException error)
        {
            throw new KitException($"{path}: {error.Message}", error);
        }
        JsonObject keys = root as JsonObject ?? throw new KitException($"{path}: expected a JSON object, found {root?.GetValueKind() ?? JsonValueKind.Null}.");
        foreach ((string key, _) in keys) Known<T>(path, key);
        return keys;
    }

    private static string Known<T>(string where, string key)
    {
        string[] known = [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.SetMethod is not null).Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name))];
        return known.Contains(key) ? key
            : throw new KitException($"{where}: key '{Printable.Name(key)}' is unknown; did you mean '{KitException.Nearest(key, known)}'? Known keys: {string.Join(", ", known)}.");
    }

    private static JsonNode? Value(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            // A text needs no quotes on a command line.
            return JsonValue.Create(text);
        }
    }

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (JsonException error)
        {
            throw new KitException($"{path}: {error.Message}", error);
        }
    }
}
