namespace DermKit.Notebooks;

/// <summary>Which notebooks a command names.</summary>
internal static class NotebookFiles
{
    /// <summary>Full paths: files as given, else names or beginnings of names in notebooks/; every notebook there when none is given.</summary>
    /// <exception cref="KitException">There are none, or a name is unknown or fits several.</exception>
    internal static string[] Find(string root, IReadOnlyList<string> names)
    {
        string folder = Path.Combine(root, "notebooks");
        string[] known = Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "*.ipynb").Order(StringComparer.Ordinal)] : [];
        if (names.Count > 0) return [.. names.Select(n => Find(n, root, known)).Distinct()];
        return known.Length > 0 ? known : throw new KitException($"{folder}: expected notebooks (*.ipynb), found none; name a notebook file to run.");
    }

    /// <summary>Every notebook under notebooks/, exercises and solutions among them.</summary>
    internal static string[] All(string root) => [.. Directory.GetFiles(Path.Combine(root, "notebooks"), "*.ipynb", SearchOption.AllDirectories)
        .Where(f => !f.Contains(".ipynb_checkpoints", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static string Find(string name, string root, string[] known)
    {
        foreach (string path in new[] { Path.GetFullPath(name), Path.GetFullPath(name, root) })
            if (File.Exists(path)) return path;
        string stem = name.EndsWith(".ipynb", StringComparison.Ordinal) ? name[..^6] : name;
        string[] matches = [.. known.Where(k => Path.GetFileNameWithoutExtension(k) == stem)];
        if (matches.Length == 0) matches = [.. known.Where(k => Path.GetFileName(k).StartsWith(stem, StringComparison.OrdinalIgnoreCase))];
        if (matches.Length == 1) return matches[0];
        string[] stems = [.. known.Select(k => Path.GetFileNameWithoutExtension(k))];
        throw new KitException(matches.Length > 1
            ? $"'{name}' fits {string.Join(", ", matches.Select(m => Path.GetFileNameWithoutExtension(m)))}; name one of them."
            : $"No notebook '{name}'{(known.Length == 0 ? "" : $"; did you mean {KitException.Nearest(stem, stems)}? Known: {string.Join(", ", stems)}")}.");
    }
}
