namespace DermKit.Notebooks;

/// <summary>A view over the document's JSON.</summary>
internal sealed class NotebookCell(JsonObject json, string place)
{
    internal JsonObject Json => json;

    // Before nbformat 4.5, which has ids, the place in the file.
    internal string Id => HasId ? (string)json["id"]! : place;

    internal bool HasId => json.ContainsKey("id");

    internal string Type => (string)json["cell_type"]!;

    internal bool IsCode => Type == "code";

    internal bool IsMarkdown => Type == "markdown";

    internal JsonObject Metadata => Member<JsonObject>("metadata", () => []);

    internal IReadOnlyList<string> Tags =>
        [.. (json["metadata"]?["tags"] as JsonArray ?? []).Select(t => t!.ToString())];

    internal string Language =>
        json["metadata"]?["polyglot_notebook"]?["kernelName"]?.ToString()
            ?? json["metadata"]?["dotnet_interactive"]?["language"]?.ToString() ?? "csharp";

    // Lines joined by \n. The setter keeps the form, a list of lines or one string.
    internal string Source
    {
        get => Text(json["source"]);
        set => json["source"] = json["source"] is JsonArray or null ? Lines(value) : value;
    }

    internal JsonArray Outputs => Member<JsonArray>("outputs", () => []);

    internal int? ExecutionCount
    {
        get => (int?)json["execution_count"];
        set => json["execution_count"] = value;
    }

    // A text field of nbformat: a string or a list of strings.
    internal static string Text(JsonNode? node) => node is JsonArray lines
        ? string.Concat(lines.Select(l => (string?)l)) : (string?)node ?? "";

    internal static JsonArray Lines(string text) => [.. Line.Matches(text).Select(m => m.Value)];

    private T Member<T>(string name, Func<T> create) where T : JsonNode
    {
        if (json[name] is not T) json[name] = create();
        return (T)json[name]!;
    }

    private static readonly Regex Line = new("[^\n]*\n|[^\n]+");
}
