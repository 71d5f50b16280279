namespace DermKit.Data;

/// <summary>The photographs under a folder, found by name without suffix, so that one reader takes every layout the archives come in.</summary>
internal static class ImageFiles
{
    private static readonly HashSet<string> Suffixes = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png" };

    internal static IEnumerable<FileInfo> Under(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
        .Where(f => Suffixes.Contains(f.Extension));

    /// <summary>Makes the columns "image" and "image_id" for the rows whose photograph is there; the rest goes to <see cref="ImageTable.Absent"/>.</summary>
    internal static ImageTable Table(string name, string folder, string[] ids, params (string Name, string?[] Values)[] columns)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (FileInfo file in Under(folder))
            if (!files.TryAdd(Path.GetFileNameWithoutExtension(file.Name), file.FullName))
                throw new KitException($"{file.FullName}: the same image is also at {files[Path.GetFileNameWithoutExtension(file.Name)]}; keep one of them.");
        int[] there = [.. Enumerable.Range(0, ids.Length).Where(i => files.ContainsKey(ids[i]))];
        return new ImageTable(name,
        [
            ("image", there.Select(i => files[ids[i]])),
            ("image_id", there.Select(i => ids[i])),
            ("source", there.Select(_ => name)),
            .. columns.Select(c => (c.Name, there.Select(i => Known(c.Values[i])))),
        ])
        { Absent = [.. ids.Where(i => !files.ContainsKey(i))] };
    }

    private static string? Known(string? value) => value is "" or "unknown" ? null : value;
}
