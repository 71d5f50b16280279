namespace DermKit.Notebooks;

/// <summary>Checks notebooks before they are committed: no outputs, random ids or editor's metadata.</summary>
internal static class NotebookHygiene
{
    internal const int LineLimit = 15;
    private const int ColumnLimit = 120;

    private static readonly string[] CodeMetadata = ["dotnet_interactive", "kit", "polyglot_notebook", "tags"];

    internal static IReadOnlyList<string> Problems(NotebookDocument notebook, string text)
    {
        var problems = new List<string>();
        if (text != notebook.ToJson() || !text.StartsWith("{\n \"cells\"", Ordinal) || !text.EndsWith('\n'))
            problems.Add("the file does not have nbformat's layout: cells first, one space for each level, line feeds, "
                + "one at the end");
        if (!JsonNode.DeepEquals(notebook.Root["metadata"], NotebookDocument.Create().Root["metadata"]))
            problems.Add("an editor has changed the metadata; expected what kit notebooks clean writes");
        if (!notebook.HasIds)
            problems.Add("nbformat is older than 4.5, which gives each cell an id; kit notebooks clean converts it");
        int titles = notebook.Cells.Where(c => c.IsMarkdown).Sum(c => Title.Count(Fence.Replace(c.Source, "")));
        if (titles != 1) problems.Add($"{titles} headings of level 1; expected one, the title");
        foreach (NotebookCell cell in notebook.Cells)
            problems.AddRange(Problems(cell).Select(p => $"cell '{cell.Id}': {p}"));
        return problems;
    }

    // Removes outputs, run numbers, metadata and random ids; saving repairs the layout.
    internal static NotebookDocument Clean(NotebookDocument notebook)
    {
        NotebookDocument clean = NotebookDocument.Create();
        var ids = new HashSet<string>(notebook.Cells.Where(HasStableId).Select(c => c.Id));
        foreach (NotebookCell cell in notebook.Cells)
        {
            string id = HasStableId(cell) ? cell.Id : Unique(Words(cell), ids);
            NotebookCell copy = cell.IsCode ? clean.InsertCode(clean.Cells.Count, id, cell.Source)
                : clean.InsertMarkdown(clean.Cells.Count, id, cell.Source);
            copy.Json["cell_type"] = cell.Type;
            if (cell.Json["attachments"] is { } attachments) copy.Json["attachments"] = attachments.DeepClone();
            foreach (string key in new[] { "kit", "tags" })
                if (cell.IsCode && cell.Json["metadata"]?[key] is { } kept) copy.Metadata[key] = kept.DeepClone();
        }
        return clean;
    }

    private static IEnumerable<string> Problems(NotebookCell cell)
    {
        if (!cell.HasId) yield return "has no id; kit notebooks clean adds one";
        else if (!HasStableId(cell))
            yield return "the id does not consist of words (a-z, 0-9, '-'); a random one changes with every copy";
        string unknown = string.Join(", ", (cell.Json["metadata"] as JsonObject ?? []).Select(m => m.Key)
            .Except(cell.IsCode ? CodeMetadata : []));
        if (unknown != "")
            yield return $"metadata {unknown}; a code cell has {string.Join(", ", CodeMetadata)} only, another none";
        foreach (string problem in cell.IsCode ? CodeProblems(cell) : ImageProblems(cell)) yield return problem;
    }

    private static IEnumerable<string> ImageProblems(NotebookCell cell)
    {
        foreach (Match image in Image.Matches(Fence.Replace(cell.Source, "")))
        {
            string file = image.Groups["file"].Value;
            if (image.Groups["alt"].Value.Trim().Length == 0) yield return $"the image {file} has no alternative text";
            if (!image.Groups["caption"].Success)
                yield return $"the image {file} has no caption: a separate line below, in *asterisks*";
        }
    }

    private static IEnumerable<string> CodeProblems(NotebookCell cell)
    {
        if (cell.Json["outputs"] is not JsonArray { Count: 0 }) yield return "has outputs";
        if (!cell.Json.ContainsKey("execution_count") || cell.Json["execution_count"] is not null)
            yield return "execution_count is not null";
        if (cell.Language != "csharp") yield return $"is for the kernel '{cell.Language}'; cells are in csharp";
        string[] lines = cell.Source.TrimEnd().Split('\n');
        if (lines.Length >= LineLimit)
            yield return $"{lines.Length} lines; a code cell has fewer than {LineLimit}, the rest belongs in the "
                + "library";
        if (lines.Max(l => l.Length) is var widest and > ColumnLimit)
            yield return $"a line of {widest} columns; expected at most {ColumnLimit}";
        if (Foreign.Match(cell.Source) is { Success: true } foreign)
            yield return $"'{foreign.Value.Trim()}' does not run in every host";
        // A figure of the library refuses an empty caption; an image shown without one has none.
        if (Bare.Match(cell.Source) is { Success: true } bare)
            yield return $"'{bare.Value}' shows an image without caption, alternative text and data; show a Figure";
    }

    private static bool HasStableId(NotebookCell cell) => cell.HasId && Stable.IsMatch(cell.Id);

    private static string Words(NotebookCell cell)
    {
        string id = string.Join('-', Word.Matches(cell.Source.ToLowerInvariant()).Select(m => m.Value).Take(3));
        return Stable.IsMatch(id) ? id : $"{cell.Type}-{id[..Math.Min(id.Length, 40)]}".TrimEnd('-');
    }

    private static string Unique(string id, HashSet<string> taken) =>
        Enumerable.Range(1, int.MaxValue).Select(n => n == 1 ? id : $"{id}-{n}").First(taken.Add);

    // Words; an id that was drawn begins with eight hexadecimal digits, or consists of them.
    private static readonly Regex Stable = new("^(?![0-9a-f]{8}(-|$)|[0-9a-f]{12,}$)[a-z0-9][a-z0-9-]{1,63}$");
    private static readonly Regex Word = new("[a-z0-9]{2,16}");
    private static readonly Regex Fence = new("^```[\\s\\S]*?^```", RegexOptions.Multiline);
    private static readonly Regex Title = new("^# ", RegexOptions.Multiline);
    private static readonly Regex Image =
        new(@"!\[(?<alt>[^\]]*)\]\((?<file>[^)]*)\)(?<caption>\s*\n\s*\n?\*[^*\n]+\*)?");
    private static readonly Regex Foreign = new("^(?:#!|#r \"nuget:|namespace )", RegexOptions.Multiline);
    private static readonly Regex Bare = new("<img|<svg|data:image", RegexOptions.IgnoreCase);
}
