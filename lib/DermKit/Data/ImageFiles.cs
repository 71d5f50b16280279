namespace DermKit.Data;

/// <summary>The photographs under a folder, found by name without suffix, so that one reader takes every layout the archives come in.</summary>
internal static class ImageFiles
{
    private static readonly HashSet<string> Suffixes = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".bmp" };

    /// <summary>The first of the files that is in the folder, or null.</summary>
    internal static string? First(string folder, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (Path.Combine(folder, name) is var path && File.Exists(path)) return path;
        return null;
    }

    internal static IEnumerable<FileInfo> Under(string folder) => new DirectoryInfo(folder)
        .EnumerateFiles("*", UnfinishedFolder.Visible(recurse: true))
        .Where(f => Suffixes.Contains(f.Extension));

    /// <summary>Makes the columns "image" and "image_id" for the rows whose photograph is there; the rest goes to <see cref="ImageTable.Absent"/>.</summary>
    internal static ImageTable Table(string name, string folder, string[] ids, params (string Name, string?[] Values)[] columns)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (FileInfo file in Under(folder))
            if (!files.TryAdd(Path.GetFileNameWithoutExtension(file.Name), file.FullName))
                throw new KitException($"{file.FullName}: the same image is also at {files[Path.GetFileNameWithoutExtension(file.Name)]}; keep one of them.");
        return Table(name, ids, [.. ids.Select(id => files.GetValueOrDefault(id))], columns);
    }

    /// <summary>The same where the label file gives a path for each row.</summary>
    /// <param name="name">Name of the set.</param>
    /// <param name="ids">Id of each row.</param>
    /// <param name="paths">Photograph of each row; null where it is not there.</param>
    /// <param name="columns">Values of each row.</param>
    internal static ImageTable Table(string name, string[] ids, string?[] paths, params (string Name, string?[] Values)[] columns)
    {
        int[] there = [.. Enumerable.Range(0, ids.Length).Where(i => paths[i] is not null)];
        return new ImageTable(name,
        [
            ("image", there.Select(i => paths[i])),
            ("image_id", there.Select(i => ids[i])),
            ("source", there.Select(_ => name)),
            .. columns.Select(c => (c.Name, there.Select(i => Known(c.Values[i])))),
        ])
        { Absent = [.. ids.Where((_, i) => paths[i] is null)] };
    }

    /// <summary>A set that is nothing but a folder of photographs for each class, in ordinal order of "class/file", which is the id; diagnosis is the class, and further columns are made from it.</summary>
    /// <exception cref="KitException">There is no photograph.</exception>
    internal static ImageTable Classes(string name, string root, string modality, params (string Name, Func<string, string> Of)[] more)
    {
        EnumerationOptions visible = UnfinishedFolder.Visible(recurse: false);
        FileInfo[] files = [.. new DirectoryInfo(root).EnumerateDirectories("*", visible)
            .SelectMany(d => d.EnumerateFiles("*", visible)).Where(f => Suffixes.Contains(f.Extension))
            .OrderBy(f => $"{f.Directory!.Name}/{f.Name}", StringComparer.Ordinal)];
        if (files.Length == 0) throw new KitException($"{root}: expected a folder of photographs for each class, found none.");
        return Table(name, [.. files.Select(f => $"{f.Directory!.Name}/{f.Name}")], [.. files.Select(f => f.FullName)],
            [("diagnosis", [.. files.Select(f => f.Directory!.Name)]), ("modality", [.. files.Select(_ => modality)]), .. more.Select(m => (m.Name, files.Select(f => (string?)m.Of(f.Directory!.Name)).ToArray()))]);
    }

    private static string? Known(string? value) => value is "" or "unknown" ? null : value;
}
