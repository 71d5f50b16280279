namespace DermKit.Notebooks;

/// <summary>Writes JSON as nbformat does; unchanged values keep their spelling.</summary>
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
            case JsonObject members:
                AppendItems(text, "{}", members, indent, depth, member =>
                {
                    AppendString(text, member.Key);
                    text.Append(": ");
                    Append(text, member.Value, indent, depth + 1);
                });
                break;
            case JsonArray items:
                AppendItems(text, "[]", items, indent, depth, item => Append(text, item, indent, depth + 1));
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

    private static void AppendItems<T>(StringBuilder text, string brackets, ICollection<T> items, string indent,
        int depth, Action<T> append)
    {
        text.Append(brackets[0]);
        foreach (T item in items)
        {
            NewLine(text, indent, depth + 1);
            append(item);
            text.Append(',');
        }
        if (items.Count > 0)
        {
            text.Length--;
            NewLine(text, indent, depth);
        }
        text.Append(brackets[1]);
    }

    private static void NewLine(StringBuilder text, string indent, int depth) =>
        text.Append('\n').Insert(text.Length, indent, depth);

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
