using System.Reflection;
using System.Text.Json;

namespace DermKit;

/// <summary>Reads a declarative JSON file (task, model, manifest) into a record and refuses what it does not know.</summary>
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
    public static T Read<T>(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            ReadOnlySpan<byte> json = bytes.AsSpan(bytes is [0xEF, 0xBB, 0xBF, ..] ? 3 : 0);
            JsonElement root = JsonSerializer.Deserialize<JsonElement>(json);
            if (root.ValueKind != JsonValueKind.Object)
                throw new KitException($"{path}: expected a JSON object, found {root.ValueKind}.");
            string[] known = [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(p => p.SetMethod is not null).Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name))];
            foreach (JsonProperty property in root.EnumerateObject())
                if (!known.Contains(property.Name))
                    throw new KitException($"{path}: key '{property.Name}' is unknown; did you mean '{KitException.Nearest(property.Name, known)}'? Known keys: {string.Join(", ", known)}.");
            return JsonSerializer.Deserialize<T>(json, Options) ?? throw new KitException($"{path}: expected a JSON object, found null.");
        }
        catch (JsonException error)
        {
            throw new KitException($"{path}: {error.Message}", error);
        }
    }
}
