namespace DermKit.Data;

/// <summary>Data sets by name: adapters, else a folder with labels.csv (<see cref="GenericCsv"/>).</summary>
public static class DataSetCatalog
{
    private static readonly Dictionary<string, (Func<string, bool> IsIn,
        Func<string, ImageTable> Load)> Adapters = new()
        {
            [Isic2017.Name] = (Isic2017.IsIn, Isic2017.Load),
            [PadUfes20.Name] = (PadUfes20.IsIn, PadUfes20.Load),
            [Ham10000.Name] = (Ham10000.IsIn, Ham10000.Load),
            [Fitzpatrick17k.Name] = (Fitzpatrick17k.IsIn, Fitzpatrick17k.Load),
            [Ddi.Name] = (Ddi.IsIn, Ddi.Load),
            [Derm7pt.Name] = (Derm7pt.IsIn, Derm7pt.Load),
            [Ph2.Name] = (Ph2.IsIn, Ph2.Load),
            [Sd128.Name] = (Sd128.IsIn, Sd128.Load),
            [Passion.Name] = (Passion.IsIn, Passion.Load),
            [MedNode.Name] = (MedNode.IsIn, MedNode.Load),
        };

    private static readonly HashSet<string> LabelFiles =
        new(StringComparer.OrdinalIgnoreCase) { ".csv", ".txt", ".tab" };

    /// <summary>The real sets that have an adapter.</summary>
    public static IReadOnlyList<string> RealSets { get; } = [.. Adapters.Keys];

    /// <summary>Folder of a set, under KIT_DATA_DIR or data/ (the synthetic set: the cache); null if absent.</summary>
    public static string? Folder(KitSettings settings, string name)
    {
        if (name == SyntheticDataSet.Name)
            return SyntheticDataSet.Folder(settings.CacheDir) is var drawn && Directory.Exists(drawn) ? drawn : null;
        string[] folders = [Path.Combine(settings.DataDir, name), Path.Combine(settings.Root, "data", name)];
        return folders.FirstOrDefault(folder => Directory.Exists(folder)
            && (Adapters.TryGetValue(name, out var adapter) ? adapter.IsIn(folder)
                : File.Exists(Path.Combine(folder, GenericCsv.FileName))));
    }

    // The file that says so.
    internal const string FixtureMark = "FIXTURE";

    /// <summary>True for a folder of <c>kit data fixtures</c>: drawn images, invented labels, no manifest; results are
    /// stamped FIXTURE.</summary>
    public static bool IsFixture(KitSettings settings, string name) => Folder(settings, name) is { } folder
        && File.Exists(Path.Combine(folder, FixtureMark));

    /// <summary>True if the set has the image files that the named manifest counts, without a name its smallest one;
    /// for "part", any. Always true for the synthetic set and fixtures. Reads no image.</summary>
    /// <exception cref="KitException">No such manifest.</exception>
    public static bool IsPresent(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return true;
        DataSetManifest? expected = Expected(settings, name, manifest)?[^1];
        if (Folder(settings, name) is not { } folder) return false;
        // A user's own CSV may name images anywhere.
        if (!Adapters.ContainsKey(name)) return true;
        bool any = manifest == DataSetManifest.Part || expected is null || IsFixture(settings, name);
        return ImageFiles.Under(folder).Skip(any ? 0 : (expected!.Files ?? expected.Images) - 1).Any();
    }

    /// <summary>Image files present, and in the largest manifest (null without one). Reads no image.</summary>
    public static (int Here, int? All) Files(KitSettings settings, string name)
    {
        DataSetManifest? whole = Expected(settings, name, null)?[0];
        int here = Folder(settings, name) is { } folder ? ImageFiles.Under(folder).Count() : 0;
        return (here, whole?.Files ?? whole?.Images);
    }

    /// <summary>Opens a set, drawing the synthetic one if absent, and checks it against the named manifest, else the
    /// one nearest in size. "part" takes what is here of the largest (<see cref="ImageTable.Part"/>).</summary>
    /// <exception cref="KitException">The set is absent, unreadable, or differs from the manifest.</exception>
    public static ImageTable Load(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return SyntheticDataSet.Load(SyntheticDataSet.Ensure(settings.CacheDir));
        string folder = Folder(settings, name) ?? throw new KitException(
            $"Data set '{name}' is not here: looked for {name}/ in {settings.DataDir}. data/sources.json says where to "
            + "get it; KIT_DATA_DIR names another folder.");
        DataSetManifest[]? expected = Expected(settings, name, manifest);
        ImageTable table = Read(folder, name);
        if (expected is null || IsFixture(settings, name)) return table;
        if (manifest != DataSetManifest.Part)
            return expected.MinBy(m => Math.Abs(m.Images - table.Count))!.Check(DataRoot(settings), table);
        table.Part = expected[0].PartOf(table);
        return table;
    }

    internal static ImageTable Read(string folder, string name) =>
        Adapters.TryGetValue(name, out var adapter) ? adapter.Load(folder)
            : GenericCsv.Load(Path.Combine(folder, GenericCsv.FileName), name);

    /// <summary>SHA-256 (hex) over the label files and the images' names and sizes: identifies a copy without reading
    /// images.</summary>
    public static string Hash(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string Name(FileInfo file) => Path.GetRelativePath(folder, file.FullName).Replace('\\', '/');
        void Append(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
        string root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        bool IsTopCsv(FileInfo file) => file.DirectoryName == root && file.Extension.Equals(".csv", OrdinalIgnoreCase);
        foreach (FileInfo labels in ImageFiles.Under(folder, LabelFiles).OrderBy(f => !IsTopCsv(f))
            .ThenBy(f => f.FullName, StringComparer.Ordinal))
        {
            Append(Name(labels) + "\n");
            hash.AppendData(File.ReadAllBytes(labels.FullName));
        }
        foreach (string line in ImageFiles.Under(folder)
            .Select(f => string.Create(CultureInfo.InvariantCulture, $"{Name(f)} {f.Length}\n"))
            .Order(StringComparer.Ordinal))
            Append(line);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string DataRoot(KitSettings settings) => Path.Combine(settings.Root, "data");

    // The named manifest; for null and "part" all, the largest first; null if the set has none.
    private static DataSetManifest[]? Expected(KitSettings settings, string name, string? manifest)
    {
        DataSetManifest[] all = DataSetManifest.All(DataRoot(settings), name);
        if (manifest is null or DataSetManifest.Part) return all.Length == 0 ? null : all;
        return all.FirstOrDefault(m => m.Name == manifest) is { } one ? [one]
            : throw new KitException($"data/manifests: '{name}' has no manifest '{manifest}'; there "
                + $"are: {Names.Listed(all.Select(m => m.Name))}.");
    }
}
