namespace DermKit.Notebooks;

internal static class NotebookFiles
{
    // First name after the paper's four stages.
    private const string FirstAfterStages = "05";

    // Full paths of files, or of notebooks/ by the beginnings of their names.
    internal static string[] Find(string root, IReadOnlyList<string> names)
    {
        string[] known = Known(root);
        return [.. names.Select(n => Find(n, root, known)).Distinct()];
    }

    internal static string[] Default(string root, bool all)
    {
        string[] chosen = [.. Known(root)
            .Where(k => all || string.CompareOrdinal(Path.GetFileName(k), FirstAfterStages) < 0)];
        return chosen.Length > 0 ? chosen
            : throw new KitException($"{Path.Combine(root, "notebooks")}: expected notebooks (*.ipynb), found none; "
                + "name a notebook file to run.");
    }

    internal static string[] All(string root) => [
        .. Directory.GetFiles(Path.Combine(root, "notebooks"), "*.ipynb", SearchOption.AllDirectories)
            .Where(f => !f.Contains(".ipynb_checkpoints", Ordinal)).Order(StringComparer.Ordinal)];

    private static string[] Known(string root)
    {
        string folder = Path.Combine(root, "notebooks");
        return Directory.Exists(folder)
            ? [.. Directory.GetFiles(folder, "*.ipynb").Order(StringComparer.Ordinal)] : [];
    }

    private static string Find(string name, string root, string[] known)
    {
        foreach (string path in new[] { Path.GetFullPath(name), Path.GetFullPath(name, root) })
            if (File.Exists(path)) return path;
        string stem = name.EndsWith(".ipynb", Ordinal) ? name[..^6] : name;
        string[] stems = [.. known.Select(k => Path.GetFileNameWithoutExtension(k))];
        string[] matches = stems.Contains(stem) ? [stem]
            : [.. stems.Where(s => s.StartsWith(stem, OrdinalIgnoreCase))];
        if (matches.Length == 1) return known[Array.IndexOf(stems, matches[0])];
        if (matches.Length > 1)
            throw new KitException($"'{name}' fits {string.Join(", ", matches)}; name one of them.");
        string nearest = known.Length == 0 ? ""
            : $"; did you mean {KitException.Nearest(stem, stems)}? Known: {string.Join(", ", stems)}";
        throw new KitException($"No notebook '{name}'{nearest}.");
    }
}
