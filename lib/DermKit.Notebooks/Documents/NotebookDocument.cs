namespace DermKit.Notebooks;

/// <summary>A Jupyter notebook (nbformat 4). Keeps key order, unknown metadata, indent and line ends.</summary>
internal sealed class NotebookDocument
{
    private const int FirstMinorWithIds = 5;
    private const string Remedy = "save it again with a current Jupyter or VS Code";
    private readonly List<NotebookCell> _cells = [];
    private readonly string _indent;
    private readonly string _newLine;
    private readonly bool _endsWithNewLine;

    private NotebookDocument(JsonObject root, string text)
    {
        Root = root;
        Match indent = Regex.Match(text, @"^\{\r?\n([ \t]+)");
        _indent = indent.Success ? indent.Groups[1].Value : " ";
        _newLine = text.Contains("\r\n", Ordinal) ? "\r\n" : "\n";
        _endsWithNewLine = text.EndsWith('\n');
        foreach (JsonNode? cell in (JsonArray)root["cells"]!)
            _cells.Add(new NotebookCell((JsonObject)cell!, $"cell {_cells.Count + 1}"));
    }

    internal JsonObject Root { get; }

    internal IReadOnlyList<NotebookCell> Cells => _cells;

    internal bool HasIds => Integer(Root["nbformat_minor"]) >= FirstMinorWithIds;

    internal static NotebookDocument Load(string path) =>
        File.Exists(path) ? Parse(File.ReadAllText(path), path) : throw new KitException($"{path}: no such notebook.");

    internal static NotebookDocument Parse(string text, string name)
    {
        try
        {
            if (JsonNode.Parse(text, null, NotebookJson.Strict) is not JsonObject notebook)
                throw new KitException($"{name}: expected a notebook (a JSON object), found {Printable.Of(text, 20)}.");
            Check(notebook, name);
            return new(notebook, text);
        }
        catch (JsonException e)
        {
            throw new KitException(
                $"{name}: expected a notebook (JSON), found an error at line {e.LineNumber + 1}: {e.Message}", e);
        }
    }

    // VS Code and Jupyter both accept this metadata.
    internal static NotebookDocument Create() => Parse("""
        {
         "cells": [],
         "metadata": {
          "kernelspec": { "display_name": ".NET (C#)", "language": "C#", "name": ".net-csharp" },
          "language_info": { "name": "polyglot-notebook" },
          "polyglot_notebook": {
           "kernelInfo": { "defaultKernelName": "csharp", "items": [{ "aliases": [], "name": "csharp" }] }
          }
         },
         "nbformat": 4,
         "nbformat_minor": 5
        }

        """, "new notebook");

    internal NotebookCell InsertCode(int index, string id, string source) => Insert(index, id, source, """
        {
         "cell_type": "code", "execution_count": null, "id": null,
         "metadata": {
          "dotnet_interactive": { "language": "csharp" }, "polyglot_notebook": { "kernelName": "csharp" }
         },
         "outputs": []
        }
        """);

    internal NotebookCell InsertMarkdown(int index, string id, string source) =>
        Insert(index, id, source, """{ "cell_type": "markdown", "id": null, "metadata": {} }""");

    internal void Remove(NotebookCell cell)
    {
        ((JsonArray)Root["cells"]!).Remove(cell.Json);
        _cells.Remove(cell);
    }

    internal void ClearOutputs()
    {
        foreach (NotebookCell cell in _cells.Where(c => c.IsCode))
        {
            cell.Outputs.Clear();
            cell.ExecutionCount = null;
        }
    }

    internal string ToJson()
    {
        string text = NotebookJson.Write(Root, _indent) + (_endsWithNewLine ? "\n" : "");
        return _newLine == "\n" ? text : text.Replace("\n", _newLine, Ordinal);
    }

    internal void Save(string path) => AtomicFile.WriteAllText(path, ToJson());

    private NotebookCell Insert(int index, string id, string source, string form)
    {
        var json = (JsonObject)JsonNode.Parse(form)!;
        json["source"] = NotebookCell.Lines(source);
        // Earlier formats allow no id.
        if (HasIds) json["id"] = id;
        else json.Remove("id");
        ((JsonArray)Root["cells"]!).Insert(index, json);
        _cells.Insert(index, new NotebookCell(json, id));
        return _cells[index];
    }

    private static void Check(JsonObject root, string name)
    {
        int major = Integer(root["nbformat"]);
        int minor = Integer(root["nbformat_minor"]);
        string found = major < 0 ? "none" : minor < 0 ? $"{major} without nbformat_minor" : $"{major}.{minor}";
        if (major != 4 || minor < 0)
            throw new KitException($"{name}: expected nbformat 4, found {found}; {Remedy}.");
        if (root["cells"] is not JsonArray cells)
            throw new KitException($"{name}: expected a list 'cells', found none.");
        var ids = new HashSet<string>();
        for (int i = 0; i < cells.Count; i++)
        {
            string place = $"{name}: cell {i + 1}";
            if (cells[i] is not JsonObject cell) throw new KitException($"{place} is not a JSON object.");
            if (Text(cell["cell_type"]) is not ("code" or "markdown" or "raw"))
                throw new KitException(
                    $"{place} has the type '{cell["cell_type"]}'; expected code, markdown or raw.");
            string? id = minor < FirstMinorWithIds && !cell.ContainsKey("id") ? $"cell {i + 1}" : Text(cell["id"]);
            if (string.IsNullOrEmpty(id))
                throw new KitException($"{place} has no id, which nbformat 4.5 requires; {Remedy}.");
            if (!ids.Add(id)) throw new KitException($"{place} repeats the id '{id}'; give each cell its own id.");
            JsonNode?[] lines = cell["source"] is JsonArray list ? [.. list] : [cell["source"]];
            if (lines.Any(l => Text(l) is null))
                throw new KitException($"{place} ('{id}') has no source; expected a string or a list of strings.");
        }
    }

    private static int Integer(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out int number) ? number : -1;

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
