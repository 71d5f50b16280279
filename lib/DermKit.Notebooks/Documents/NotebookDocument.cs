using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>A Jupyter notebook (nbformat 4, whose cells have ids from 4.5 on). Read and written without loss: key order, unknown metadata, indent and line ends stay.</summary>
public sealed class NotebookDocument
{
    private const int FirstMinorWithIds = 5;
    private readonly List<NotebookCell> _cells = [];
    private readonly string _indent;
    private readonly string _newLine;
    private readonly bool _endsWithNewLine;

    private NotebookDocument(JsonObject root, string indent, string newLine, bool endsWithNewLine)
    {
        Root = root;
        (_indent, _newLine, _endsWithNewLine) = (indent, newLine, endsWithNewLine);
        foreach (JsonNode? cell in (JsonArray)root["cells"]!)
            _cells.Add(new NotebookCell((JsonObject)cell!, $"cell {_cells.Count + 1}"));
    }

    /// <summary>The whole file.</summary>
    public JsonObject Root { get; }

    /// <summary>The cells in order.</summary>
    public IReadOnlyList<NotebookCell> Cells => _cells;

    /// <summary>Reads a file.</summary>
    /// <exception cref="KitException">The file is missing, not JSON, not nbformat 4, or a cell has no type, no source or, from nbformat 4.5 on, no unique id.</exception>
    public static NotebookDocument Load(string path) =>
        File.Exists(path) ? Parse(File.ReadAllText(path), path) : throw new KitException($"{path}: no such notebook.");

    /// <summary>Reads a notebook's text; <paramref name="name"/> stands in error messages.</summary>
    /// <exception cref="KitException">As <see cref="Load"/>.</exception>
    public static NotebookDocument Parse(string text, string name)
    {
        JsonObject root;
        try
        {
            root = JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = 256, AllowDuplicateProperties = false }) as JsonObject
                ?? throw new KitException($"{name}: expected a notebook (a JSON object), found {(text.Length > 20 ? text[..20] + ".." : text)}.");
        }
        catch (JsonException e)
        {
            throw new KitException($"{name}: expected a notebook (JSON), found an error at line {e.LineNumber + 1}: {e.Message}", e);
        }
        Check(root, name);
        string indent = Regex.Match(text, @"^\{\r?\n([ \t]+)").Groups[1] is { Success: true } found ? found.Value : " ";
        return new(root, indent, text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n", text.EndsWith('\n'));
    }

    /// <summary>An empty notebook with the metadata that VS Code and Jupyter both accept.</summary>
    public static NotebookDocument Create() => Parse("""
        {
         "cells": [],
         "metadata": {
          "kernelspec": {
           "display_name": ".NET (C#)",
           "language": "C#",
           "name": ".net-csharp"
          },
          "language_info": {
           "name": "polyglot-notebook"
          },
          "polyglot_notebook": {
           "kernelInfo": {
            "defaultKernelName": "csharp",
            "items": [
             {
              "aliases": [],
              "name": "csharp"
             }
            ]
           }
          }
         },
         "nbformat": 4,
         "nbformat_minor": 5
        }

        """, "new notebook");

    /// <summary>A copy that shares nothing with this one.</summary>
    public NotebookDocument Clone() => Parse(ToJson(), "copy");

    /// <summary>Inserts a code cell at <paramref name="index"/> and returns it.</summary>
    public NotebookCell InsertCode(int index, string id, string source) => Insert(index, new JsonObject
    {
        ["cell_type"] = "code",
        ["execution_count"] = null,
        ["id"] = id,
        ["metadata"] = new JsonObject
        {
            ["dotnet_interactive"] = new JsonObject { ["language"] = "csharp" },
            ["polyglot_notebook"] = new JsonObject { ["kernelName"] = "csharp" },
        },
        ["outputs"] = new JsonArray(),
        ["source"] = NotebookCell.Lines(source),
    });

    /// <summary>Inserts a markdown cell at <paramref name="index"/> and returns it.</summary>
    public NotebookCell InsertMarkdown(int index, string id, string source) => Insert(index, new JsonObject
    {
        ["cell_type"] = "markdown",
        ["id"] = id,
        ["metadata"] = new JsonObject(),
        ["source"] = NotebookCell.Lines(source),
    });

    /// <summary>Takes a cell out.</summary>
    internal void Remove(NotebookCell cell)
    {
        ((JsonArray)Root["cells"]!).Remove(cell.Json);
        _cells.Remove(cell);
    }

    /// <summary>True when the format gives cells ids (nbformat 4.5).</summary>
    internal bool HasIds => Integer(Root["nbformat_minor"]) >= FirstMinorWithIds;

    /// <summary>Takes away outputs and run numbers, as source notebooks are kept.</summary>
    public void ClearOutputs()
    {
        foreach (NotebookCell cell in _cells.Where(c => c.IsCode))
        {
            cell.Outputs.Clear();
            cell.ExecutionCount = null;
        }
    }

    /// <summary>The notebook's text.</summary>
    public string ToJson()
    {
        string text = NotebookJson.Write(Root, _indent) + (_endsWithNewLine ? "\n" : "");
        return _newLine == "\n" ? text : text.Replace("\n", _newLine, StringComparison.Ordinal);
    }

    /// <summary>Writes the file whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable.</exception>
    public void Save(string path) => AtomicFile.WriteAllText(path, ToJson());

    private NotebookCell Insert(int index, JsonObject json)
    {
        string id = (string)json["id"]!;
        // An earlier format allows no id in the file.
        if (!HasIds) json.Remove("id");
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
            throw new KitException($"{name}: expected nbformat 4, found {found}; save it again with a current Jupyter or VS Code.");
        if (root["cells"] is not JsonArray cells) throw new KitException($"{name}: expected a list 'cells', found none.");
        var ids = new HashSet<string>();
        for (int i = 0; i < cells.Count; i++)
        {
            if (cells[i] is not JsonObject cell) throw new KitException($"{name}: cell {i + 1} is not a JSON object.");
            if (Kind(cell["cell_type"]) is not ("code" or "markdown" or "raw"))
                throw new KitException($"{name}: cell {i + 1} has the type '{cell["cell_type"]}'; expected code, markdown or raw.");
            string id = Kind(cell["id"]) ?? "";
            if (minor < FirstMinorWithIds && !cell.ContainsKey("id")) id = $"cell {i + 1}";
            if (id.Length == 0) throw new KitException($"{name}: cell {i + 1} has no id, which nbformat 4.5 asks for; save it again with a current Jupyter or VS Code.");
            if (!ids.Add(id)) throw new KitException($"{name}: cell {i + 1} repeats the id '{id}'; give each cell an id of its own.");
            if (Kind(cell["source"]) is null && !(cell["source"] is JsonArray lines && lines.All(l => Kind(l) is not null)))
                throw new KitException($"{name}: cell {i + 1} ('{id}') has no source; expected a string or a list of strings.");
        }
    }

    private static int Integer(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int number) ? number : -1;

    private static string? Kind(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
