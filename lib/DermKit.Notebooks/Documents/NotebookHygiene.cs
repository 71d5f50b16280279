using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>How notebooks are kept in the repository: without outputs, with nothing that an editor drew at random or wrote for itself, and short enough to be read.</summary>
internal static partial class NotebookHygiene
{
    /// <summary>A code cell has fewer lines.</summary>
    internal const int LineLimit = 15;

    private static readonly string[] CodeMetadata = ["dotnet_interactive", "kit", "polyglot_notebook", "tags"];

    /// <summary>What is wrong with a notebook, a line each; empty for a clean one.</summary>
    /// <param name="notebook">The notebook.</param>
    /// <param name="text">The file's text.</param>
    internal static IReadOnlyList<string> Problems(NotebookDocument notebook, string text)
    {
        var problems = new List<string>();
        if (text != notebook.ToJson() || !text.StartsWith("{\n \"cells\"", StringComparison.Ordinal) || !text.EndsWith('\n'))
            problems.Add("the file is not laid out as nbformat does it: cells first, one space for each level, line ends of one character, a line end at the end");
        if (!JsonNode.DeepEquals(notebook.Root["metadata"], Canonical())) problems.Add("the metadata is not that of NotebookDocument.Create (kernel .net-csharp, language, polyglot_notebook): an editor has changed it");
        if (!notebook.HasIds)
            problems.Add("nbformat is older than 4.5, which gives each cell an id; kit notebooks clean brings it to 4.5");
        int titles = notebook.Cells.Where(c => c.Type == "markdown").Sum(c => Title().Count(Fence().Replace(c.Source, "")));
        if (titles != 1) problems.Add($"{titles} headings of level 1; expected one, the title");
        foreach (NotebookCell cell in notebook.Cells) problems.AddRange(Of(cell).Select(p => $"cell '{cell.Id}': {p}"));
        return problems;
    }

    /// <summary>Mends what can be mended without a decision: outputs, run numbers, metadata and ids that an editor drew. Saving mends the layout.</summary>
    /// <returns>A clean notebook; what <see cref="Problems"/> still finds in it is left to the author.</returns>
    internal static NotebookDocument Clean(NotebookDocument notebook)
    {
        notebook.ClearOutputs();
        NotebookDocument clean = NotebookDocument.Create();
        var ids = new HashSet<string>(notebook.Cells.Where(HasStableId).Select(c => c.Id));
        foreach (NotebookCell cell in notebook.Cells)
        {
            string id = HasStableId(cell) ? cell.Id : Unique(Words(cell), ids);
            NotebookCell copy = cell.IsCode ? clean.InsertCode(clean.Cells.Count, id, cell.Source) : clean.InsertMarkdown(clean.Cells.Count, id, cell.Source);
            copy.Json["cell_type"] = cell.Type;
            if (cell.Json["attachments"] is { } attachments) copy.Json["attachments"] = attachments.DeepClone();
            foreach (string key in new[] { "kit", "tags" })
                if (cell.IsCode && cell.Json["metadata"]?[key] is { } kept) copy.Metadata[key] = kept.DeepClone();
        }
        return clean;
    }

    private static IEnumerable<string> Of(NotebookCell cell)
    {
        if (!cell.HasId) yield return "has no id; kit notebooks clean gives it one";
        else if (!HasStableId(cell)) yield return "the id is none of words (a-z, 0-9, '-'); one that an editor drew at random changes with every copy";
        string[] unknown = [.. (cell.Json["metadata"] as JsonObject ?? []).Select(m => m.Key).Except(cell.IsCode ? CodeMetadata : [])];
        if (unknown.Length > 0) yield return $"metadata {string.Join(", ", unknown)}; a code cell has {string.Join(", ", CodeMetadata)} only, another cell none";
        if (!cell.IsCode)
        {
            foreach (Match image in Image().Matches(Fence().Replace(cell.Source, "")))
            {
                if (image.Groups["alt"].Value.Trim().Length == 0) yield return $"the image {image.Groups["file"].Value} has no alternative text";
                if (!image.Groups["caption"].Success) yield return $"the image {image.Groups["file"].Value} has no caption: a line of its own below, in *asterisks*";
            }
            yield break;
        }
        if (cell.Json["outputs"] is not JsonArray { Count: 0 }) yield return "has outputs";
        if (!cell.Json.ContainsKey("execution_count") || cell.Json["execution_count"] is not null) yield return "execution_count is not null";
        if (cell.Language != "csharp") yield return $"is for the kernel '{cell.Language}'; cells are in csharp";
        int lines = cell.Source.TrimEnd().Split('\n').Length;
        if (lines >= LineLimit) yield return $"{lines} lines; a code cell has fewer than {LineLimit}, the rest belongs in the library";
        if (Foreign().Match(cell.Source) is { Success: true } foreign) yield return $"'{foreign.Value.Trim()}' does not run in every host";
        // A figure of the library refuses an empty caption; an image shown past it has none.
        if (Bare().Match(cell.Source) is { Success: true } bare) yield return $"'{bare.Value}' shows an image without caption, alternative text and data; show a Figure";
    }

    private static JsonNode Canonical() => NotebookDocument.Create().Root["metadata"]!;

    private static bool HasStableId(NotebookCell cell) => cell.HasId && IsStable(cell.Id);

    private static bool IsStable(string id) => Stable().IsMatch(id) && !Drawn().IsMatch(id);

    private static string Words(NotebookCell cell)
    {
        string[] words = [.. Word().Matches(cell.Source.ToLowerInvariant()).Select(m => m.Value).Take(3)];
        return words.Length == 0 ? cell.Type : string.Join('-', words) is var id && IsStable(id) ? id : $"{cell.Type}-{id[..Math.Min(id.Length, 40)]}";
    }

    private static string Unique(string id, HashSet<string> taken)
    {
        string unique = id;
        for (int n = 2; !taken.Add(unique); n++) unique = $"{id}-{n}";
        return unique;
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{1,63}$")]
    private static partial Regex Stable();

    [GeneratedRegex("^[0-9a-f]{8}(-|$)|^[0-9a-f]{12,}$")]
    private static partial Regex Drawn();

    [GeneratedRegex("[a-z0-9]{2,16}")]
    private static partial Regex Word();

    [GeneratedRegex("^```[\\s\\S]*?^```", RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("^# ", RegexOptions.Multiline)]
    private static partial Regex Title();

    [GeneratedRegex(@"!\[(?<alt>[^\]]*)\]\((?<file>[^)]*)\)(?<caption>\s*\n\s*\n?\*[^*\n]+\*)?")]
    private static partial Regex Image();

    [GeneratedRegex("^(?:#!|#r \"nuget:|namespace )", RegexOptions.Multiline)]
    private static partial Regex Foreign();

    [GeneratedRegex("<img|<svg|data:image", RegexOptions.IgnoreCase)]
    private static partial Regex Bare();
}
