using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>One cell, a view over the document's JSON: what is not named here (metadata, attachments) stays as it was read.</summary>
public sealed class NotebookCell
{
    private readonly string _place;

    /// <param name="json">The cell.</param>
    /// <param name="place">What names the cell when the file gives it no id.</param>
    internal NotebookCell(JsonObject json, string place)
    {
        Json = json;
        _place = place;
    }

    /// <summary>The cell as it stands in the file.</summary>
    public JsonObject Json { get; }

    /// <summary>The cell's id, unique in its notebook. Before nbformat 4.5 cells have none; then the cell's place in the notebook as it was read.</summary>
    public string Id => HasId ? (string)Json["id"]! : _place;

    /// <summary>True when the file gives the cell an id.</summary>
    internal bool HasId => Json.ContainsKey("id");

    /// <summary>code, markdown or raw.</summary>
    public string Type => (string)Json["cell_type"]!;

    /// <summary>True for a code cell.</summary>
    public bool IsCode => Type == "code";

    /// <summary>The cell's metadata; an empty object is added when the file has none.</summary>
    public JsonObject Metadata
    {
        get
        {
            if (Json["metadata"] is not JsonObject) Json["metadata"] = new JsonObject();
            return (JsonObject)Json["metadata"]!;
        }
    }

    /// <summary>The tags in the metadata, such as "parameters".</summary>
    public IReadOnlyList<string> Tags => Json["metadata"]?["tags"] is JsonArray tags ? [.. tags.Select(t => t!.ToString())] : [];

    /// <summary>The kernel that the metadata names (csharp when it names none).</summary>
    public string Language =>
        Json["metadata"]?["polyglot_notebook"]?["kernelName"]?.ToString() ?? Json["metadata"]?["dotnet_interactive"]?["language"]?.ToString() ?? "csharp";

    /// <summary>The text, lines joined by \n. Setting it keeps the file's form: a list of lines or one string.</summary>
    public string Source
    {
        get => Text(Json["source"]);
        set => Json["source"] = Json["source"] is JsonArray or null ? Lines(value) : value;
    }

    /// <summary>The outputs of a code cell in nbformat 4 form (stream, display_data, execute_result, error); add JSON objects to it.</summary>
    public JsonArray Outputs
    {
        get
        {
            if (Json["outputs"] is not JsonArray) Json["outputs"] = new JsonArray();
            return (JsonArray)Json["outputs"]!;
        }
    }

    /// <summary>The run number of a code cell; null when it was not run.</summary>
    public int? ExecutionCount
    {
        get => (int?)Json["execution_count"];
        set => Json["execution_count"] = value;
    }

    /// <summary>A text field of nbformat, which is a string or a list of strings, as one string.</summary>
    public static string Text(JsonNode? node) => node is JsonArray lines ? string.Concat(lines.Select(l => (string?)l)) : (string?)node ?? "";

    /// <summary>Text as nbformat's list of lines, each with its line end.</summary>
    public static JsonArray Lines(string text)
    {
        var lines = new JsonArray();
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start) is var at and >= 0 ? at + 1 : text.Length;
            lines.Add(text[start..end]);
            start = end;
        }
        return lines;
    }
}
