using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace DermKit;

/// <summary>Reads a JSON file (task, model, manifest, options) into a record and refuses what it does not
/// know.</summary>
internal static class StrictJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.General)
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    // Keys are the public properties in camelCase (any for a dictionary); required ones must be there. Throws
    // KitException when the file is no JSON object or a key is unknown (the nearest is named), missing, repeated or of
    // the wrong type.
    public static T Read<T>(string path)
    {
        JsonObject keys = Root(path);
        foreach ((string key, _) in keys) Known(typeof(T), path, key);
        return Guarded(path, () => keys.Deserialize<T>(Options)!);
    }

    // Reads a file over defaults that depend on its keys; changes (JSON, or else text) replace its values. defaults
    // gets the set keys, which it may remove, and returns the record of all others and why it lacks a key (null for a
    // key known nowhere).
    internal static T Read<T>(
        string path, IReadOnlyDictionary<string, string> changes,
        Func<JsonObject, (T Record, Func<string, string?> WhyUnknown)> defaults) where T : notnull
    {
        JsonObject keys = Root(path);
        foreach ((string key, string value) in changes) keys[key] = Value(value);
        (T start, Func<string, string?> why) = defaults(keys);
        Type type = start.GetType();
        foreach ((string key, _) in keys) Known(type, changes.ContainsKey(key) ? "--set" : path, key, why);
        foreach (JsonPropertyInfo list in Options.GetTypeInfo(type).Properties.Where(p => p.PropertyType.IsArray))
            if (changes.TryGetValue(list.Name, out string? parts) && keys[list.Name] is JsonValue)
                keys[list.Name] = new JsonArray([.. parts.Split(',').Select(part => Value(part.Trim()))]);
        return Guarded(path, () =>
        {
            JsonObject all = JsonSerializer.SerializeToNode(start, type, Options)!.AsObject();
            foreach ((string key, JsonNode? value) in keys) all[key] = value?.DeepClone();
            return (T)all.Deserialize(type, Options)!;
        });
    }

    private static JsonObject Root(string path)
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
        return root as JsonObject
            ?? throw new KitException(
                $"{path}: expected a JSON object, found {root?.GetValueKind() ?? JsonValueKind.Null}.");
    }

    private static void Known(Type type, string where, string key, Func<string, string?>? whyUnknown = null)
    {
        JsonTypeInfo info = Options.GetTypeInfo(type);
        string[] known = [.. info.Properties.Where(p => p.Set is not null).Select(p => p.Name)];
        if (info.Kind == JsonTypeInfoKind.Dictionary || known.Contains(key)) return;
        if (whyUnknown?.Invoke(key) is { } why)
            throw new KitException($"{where}, key '{key}': expected no such key, because {why}.");
        throw KitException.Unknown($"{where}: key", key, known);
    }

    private static JsonNode? Value(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            // Text needs no quotes on a command line.
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
            // The reader's own messages end with the key's path.
            string key = error.Path is { Length: > 2 } at && !error.Message.Contains(at) ? $", key '{at[2..]}'" : "";
            throw new KitException($"{path}{key}: {error.Message}", error);
        }
    }
}

/// <summary>Reads an enum by its exact JSON names; an error lists them.</summary>
internal sealed class SpelledEnumConverter<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string found = reader.TokenType == JsonTokenType.String ? reader.GetString()! : $"a {reader.TokenType}";
        foreach (T value in Enum.GetValues<T>())
            if (value.Spelled() == found) return value;
        string expected = string.Join(", ", Enum.GetValues<T>().Select(v => v.Spelled()));
        throw new JsonException($"expected one of {expected}, found {found}.");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Spelled());
}

internal static class EnumSpelling
{
    public static string Spelled(this Enum value)
    {
        object[] names = value.GetType().GetField($"{value}")!
            .GetCustomAttributes(typeof(JsonStringEnumMemberNameAttribute), false);
        return names is [JsonStringEnumMemberNameAttribute name] ? name.Name : $"{value}";
    }
}
