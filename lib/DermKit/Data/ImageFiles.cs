namespace DermKit.Data;

/// <summary>Finds images under a folder by name, in every layout that archives, tools and systems leave.</summary>
internal static class ImageFiles
{
    private static readonly HashSet<string> Suffixes =
        new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".bmp" };

    // Folders of archivers, network drives and operating systems.
    private static readonly HashSet<string> Foreign = new(StringComparer.OrdinalIgnoreCase)
    {
        "__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information",
    };

    internal static string? First(string folder, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (Path.Combine(folder, name) is var path && File.Exists(path)) return path;
        return null;
    }

    internal static IEnumerable<FileInfo> Under(string folder) => Under(folder, Suffixes);

    // Skips hidden files (._1.jpg) and Foreign folders. Follows links last, folders first, by name, except to something
    // found without them or to a folder around them.
    internal static IEnumerable<FileInfo> Under(string folder, IReadOnlySet<string> suffixes)
    {
        string root = Real(folder);
        var visited = new HashSet<string>();
        var open = new Stack<(DirectoryInfo Folder, string Real)>([(new DirectoryInfo(folder), root)]);
        var links = new PriorityQueue<FileSystemInfo, string>(StringComparer.Ordinal);
        while (open.Count > 0 || links.Count > 0)
        {
            if (open.Count == 0)
            {
                FileSystemInfo link = links.Dequeue();
                string target = Real(link.FullName);
                // The link leads nowhere or in a circle.
                if (!(link is DirectoryInfo ? Directory.Exists(target) : File.Exists(target))
                    || new FileInfo(target).LinkTarget is not null) continue;
                if (link is DirectoryInfo linked && !IsAround(target, root)
                    && !IsAround(target, Real(linked.Parent!.FullName)))
                    open.Push((linked, target));
                else if (link is FileInfo file
                    && !(visited.Contains(Path.GetDirectoryName(target)!) && IsOne(new FileInfo(target), suffixes)))
                    yield return file;
                continue;
            }
            (DirectoryInfo current, string real) = open.Pop();
            if (!visited.Add(real)) continue;
            foreach (FileSystemInfo entry in current.EnumerateFileSystemInfos().Where(e => IsOne(e, suffixes)))
            {
                if (entry.LinkTarget is not null)
                    links.Enqueue(entry, (entry is DirectoryInfo ? "0" : "1") + entry.FullName);
                else if (entry is FileInfo file) yield return file;
                else open.Push(((DirectoryInfo)entry, Path.Combine(real, entry.Name)));
            }
        }
    }

    // Matches names without folder and suffix, composed; a row without image is Absent. Throws if a match is ambiguous.
    internal static ImageTable Table(string name, string folder, string[] ids,
        params (string Name, string?[] Values)[] columns)
    {
        ILookup<string, string> exact = Under(folder).ToLookup(f => Stem(f.Name), f => f.FullName);
        ILookup<string, string> composed = exact.SelectMany(g => g).ToLookup(f => Letters.Composed(Stem(f)));
        var taken = new Dictionary<string, string>();
        string? Find(string id)
        {
            string stem = exact.Contains(id) ? id : Stem(id);
            string[] files = exact.Contains(stem) ? [.. exact[stem]] : [.. composed[Letters.Composed(stem)]];
            Array.Sort(files, StringComparer.Ordinal);
            if (files.Length == 0) return null;
            if (files.Length > 1)
                throw new KitException(
                    $"{files[0]}: the same image is also at {Names.Listed(files.Skip(1))}; keep one of them.");
            if (!taken.TryAdd(files[0], id) && taken[files[0]] != id)
                throw new KitException($"{files[0]}: expected the image of one row, found two rows "
                    + $"that name it, '{Printable.Of(taken[files[0]])}' and '{Printable.Of(id)}'; keep one of them.");
            return files[0];
        }
        return Table(name, ids, [.. ids.Select(Find)], columns);
    }

    internal static ImageTable Table(string name, string[] ids, string?[] paths,
        params (string Name, string?[] Values)[] columns)
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

    // The path as written, else the one file that differs only in composed letters, \ for /, or case or lack of the
    // suffix. Null if absent; throws if several fit.
    internal static string? Find(string folder, string name, Func<string, KitException> error)
    {
        if (Path.GetFullPath(name, folder) is var written && File.Exists(written)) return written;
        string path = Path.GetFullPath(name.Replace('\\', '/'), folder);
        if (File.Exists(path)) return path;
        string start = Path.GetPathRoot(path)!;
        string[] parts = path[start.Length..].Split(Path.DirectorySeparatorChar), folders = [start];
        foreach (string part in parts[..^1])
        {
            string normal = Letters.Composed(part);
            folders = [.. folders.SelectMany(f => Directory.Exists(Path.Combine(f, part)) ? [Path.Combine(f, part)]
                : Directory.EnumerateDirectories(f).Where(d => Letters.Composed(Path.GetFileName(d)) == normal))];
        }
        string last = Letters.Composed(parts[^1]);
        string[] found = [.. folders.SelectMany(Directory.EnumerateFiles)
            .Where(f => IsNamed(Letters.Composed(Path.GetFileName(f)), last)).Order(StringComparer.Ordinal)];
        return found.Length < 2 ? found.FirstOrDefault()
            : throw error($"image '{Printable.Of(name)}' is not there, and "
                + $"{found.Length} files could be meant: {Names.Listed(found)}; write the path of one.");
    }

    // A folder of images for each class, in ordinal order of the id "class/file".
    internal static ImageTable Classes(string name, string root, string modality,
        params (string Name, Func<string, string> Of)[] more)
    {
        string parent = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        FileInfo[] inClasses = [.. Under(root).Where(f => Path.GetDirectoryName(f.DirectoryName) == parent)];
        // Composed letters keep ids and labels the same on every machine.
        var files = inClasses
            .Select(f => (Class: Letters.Composed(f.Directory!.Name), Name: Letters.Composed(f.Name), f.FullName))
            .OrderBy(f => $"{f.Class}/{f.Name}", StringComparer.Ordinal).ToArray();
        if (files.Length == 0)
            throw new KitException($"{root}: expected a folder of images for each class, found none; unpack the "
                + "set there.");
        return Table(name, [.. files.Select(f => $"{f.Class}/{f.Name}")], [.. files.Select(f => f.FullName)],
        [
            ("diagnosis", [.. files.Select(f => f.Class)]),
            ("modality", [.. files.Select(_ => modality)]),
            .. more.Select(m => (m.Name, files.Select(f => (string?)m.Of(f.Class)).ToArray())),
        ]);
    }

    // Without folders (/ or \) and suffix.
    internal static string Stem(string name)
    {
        string file = name[(name.AsSpan().LastIndexOfAny('/', '\\') + 1)..];
        return Suffixes.Contains(Path.GetExtension(file)) ? Path.GetFileNameWithoutExtension(file) : file;
    }

    internal static string[] Shown(string folder, string pattern) =>
        [.. Directory.GetFiles(folder, pattern).Where(f => IsShown(new FileInfo(f)))];

    private static bool IsShown(FileSystemInfo entry) =>
        !entry.Name.StartsWith('.') && !entry.Attributes.HasFlag(FileAttributes.Hidden)
            && (entry is FileInfo || !Foreign.Contains(entry.Name));

    private static bool IsOne(FileSystemInfo entry, IReadOnlySet<string> suffixes) =>
        (entry is DirectoryInfo || suffixes.Contains(entry.Extension)) && IsShown(entry);

    private static bool IsNamed(string file, string name)
    {
        string suffix = Path.GetExtension(file), stem = Path.GetFileNameWithoutExtension(file);
        bool isSame = suffix.Equals(Path.GetExtension(name), OrdinalIgnoreCase);
        return Suffixes.Contains(suffix) && !file.StartsWith('.')
            && (stem == name || isSame && stem == Path.GetFileNameWithoutExtension(name));
    }

    private static bool IsAround(string outer, string inner) =>
        inner == outer || inner.StartsWith(Path.TrimEndingDirectorySeparator(outer) + Path.DirectorySeparatorChar,
            Ordinal);

    // The path with up to forty links followed.
    private static string Real(string path, int links = 40)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } parent) return full;
        string folder = Real(parent, links), real = Path.Combine(folder, Path.GetFileName(full));
        return links > 0 && new FileInfo(real).LinkTarget is { } target
            ? Real(Path.GetFullPath(target, folder), links - 1) : real;
    }

    private static string? Known(string? value) => value is "unknown" ? null : value;
}
