using System.Text.Encodings.Web;

namespace DermKit.Notebooks;

/// <summary>Writes JSON as nbformat does; unchanged values keep their spelling.</summary>
internal static class NotebookJson
{
    // For files and messages of others.
    internal static readonly JsonDocumentOptions Strict = new() { MaxDepth = 256, AllowDuplicateProperties = false };

    // The line is the line end before the node's closing bracket, with its indent.
    internal static string Write(JsonNode? node, string indent, string line = "\n")
    {
        string inner = line + indent;
        string Items(string brackets, IEnumerable<string> items) =>
            string.Join($",{inner}", items) is { Length: > 0 } all
                ? $"{brackets[0]}{inner}{all}{line}{brackets[1]}" : brackets;
        return node switch
        {
            JsonObject members => Items("{}", members.Select(m => $"{Quoted(m.Key)}: {Write(m.Value, indent, inner)}")),
            JsonArray items => Items("[]", items.Select(i => Write(i, indent, inner))),
            JsonValue value when value.TryGetValue(out JsonElement element) => element.GetRawText(),
            JsonValue value when value.TryGetValue(out string? text) => Quoted(text),
            _ => node?.ToJsonString() ?? "null",
        };
    }

    private static string Quoted(string text) =>
        $"\"{Special.Replace(text, m => Encoder.Encode(m.Value).ToLowerInvariant())}\"";

    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    // The encoder escapes more, such as characters beyond the basic plane, and in capital letters.
    private static readonly Regex Special = new("[\"\\\\\\u0000-\\u001f]");
}
