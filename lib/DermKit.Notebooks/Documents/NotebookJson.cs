using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>Writes JSON the way nbformat does: one item a line, text not escaped beyond what JSON asks, values that nobody changed with their own spelling.</summary>
internal static class NotebookJson
{
    internal static string Write(JsonNode node, string indent)
    {
        var text = new StringBuilder();
        Append(text, node, indent, 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, JsonNode? node, string indent, int depth)
    {
        switch (node)
        {
            case null:
                text.Append("null");
                break;
            case JsonObject { Count: 0 }:
                text.Append("{}");
                break;
            case JsonArray { Count: 0 }:
                text.Append("[]");
                break;
            case JsonObject members:
                text.Append('{');
                foreach ((string name, JsonNode? value) in members)
                {
                    NewLine(text, indent, depth + 1);
                    AppendString(text, name);
                    text.Append(": ");
                    Append(text, value, indent, depth + 1);
                    text.Append(',');
                }
                text.Length--;
                NewLine(text, indent, depth);
                text.Append('}');
                break;
            case JsonArray items:
                text.Append('[');
                foreach (JsonNode? item in items)
                {
                    NewLine(text, indent, depth + 1);
                    Append(text, item, indent, depth + 1);
                    text.Append(',');
                }
                text.Length--;
                NewLine(text, indent, depth);
                text.Append(']');
                break;
            case JsonValue value when value.TryGetValue(out JsonElement element):
                text.Append(element.GetRawText());
                break;
            case JsonValue value when value.TryGetValue(out string? s):
                AppendString(text, s);
                break;
            default:
                text.Append(node.ToJsonString());
                break;
        }
    }

    private static void NewLine(StringBuilder text, string indent, int depth)
    {
        text.Append('\n');
        for (int i = 0; i < depth; i++) text.Append(indent);
    }

    private static void AppendString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append($"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        text.Append('"');
    }
}
