using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace DermKit.Data;

/// <summary>Data sets by name: the built-in adapters, and for every other name a folder with labels.csv (<see cref="GenericCsv"/>).</summary>
public static class DataSetCatalog
{
    private static readonly Dictionary<string, (Func<string, bool> IsIn, Func<string, ImageTable> Load)> Adapters = new()
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

    /// <summary>The real sets that the kit has an adapter for.</summary>
    public static IReadOnlyList<string> RealSets { get; } = [.. Adapters.Keys];

    /// <summary>The folder of a set: under KIT_DATA_DIR, else under the kit's data/; of the synthetic set under the cache. Null when it is not there (yet).</summary>
    public static string? Folder(KitSettings settings, string name) => name == SyntheticDataSet.Name
        ? SyntheticDataSet.Folder(settings.CacheDir) is var drawn && Directory.Exists(drawn) ? drawn : null
        : new[] { Path.Combine(settings.DataDir, name), Path.Combine(settings.Root, "data", name) }.FirstOrDefault(folder => Directory.Exists(folder)
            && (Adapters.TryGetValue(name, out var adapter) ? adapter.IsIn(folder) : File.Exists(Path.Combine(folder, GenericCsv.FileName))));

    /// <summary>True for a folder that <see cref="FixtureSets"/> drew: real file names and headers over drawn pixels and invented labels. No manifest is about it, and whatever rests on it says FIXTURE.</summary>
    public static bool IsFixture(KitSettings settings, string name) => Folder(settings, name) is { } folder && File.Exists(Path.Combine(folder, FixtureSets.Mark));

    /// <summary>
    /// True when the set can be opened, with as many image files as the named manifest counts, or without a name the
    /// smallest manifest of the set; of <see cref="DataSetManifest.Part"/>
    /// with any; the synthetic set and fixtures always. Cheap: reads no image.
    /// </summary>
    /// <exception cref="KitException">The set has no manifest of that name.</exception>
    public static bool IsPresent(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return true;
        DataSetManifest? expected = Expected(settings, name, manifest)?[^1];
        if (Folder(settings, name) is not { } folder) return false;
        // A CSV of the user's own may name images anywhere.
        if (!Adapters.ContainsKey(name)) return true;
        int needed = IsFixture(settings, name) || manifest == DataSetManifest.Part || expected is null ? 1
            : expected.Files ?? expected.Images;
        return ImageFiles.Under(folder).Skip(needed - 1).Any();
    }

    /// <summary>
    /// Image files below the folder of a set that lie there, and those that its largest manifest counts (null without
    /// one): says how much a part is. Reads no image.
    /// </summary>
    /// <param name="settings">Folders.</param>
    /// <param name="name">Name of the set.</param>
    public static (int Here, int? All) Files(KitSettings settings, string name)
    {
        DataSetManifest? whole = Expected(settings, name, null)?[0];
        return (Folder(settings, name) is { } folder ? ImageFiles.Under(folder).Count() : 0, whole?.Files
            ?? whole?.Images);
    }

    /// <summary>
    /// Opens a set and checks it against the manifest of that name; the synthetic set is drawn when it is not there. Without a name the manifest nearest in size is asserted;
    /// a set of the user's own has none. <see cref="DataSetManifest.Part"/> takes what is here of the largest manifest,
    /// and <see cref="ImageTable.Part"/> then says how much that is.
    /// </summary>
    /// <exception cref="KitException">The set is not there, cannot be read, or is not what the manifest says.</exception>
    public static ImageTable Load(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return SyntheticDataSet.Load(SyntheticDataSet.Ensure(settings.CacheDir));
        string folder = Folder(settings, name) ?? throw new KitException(
            $"Data set '{name}' is not here: looked for {name}/ in {settings.DataDir}. data/sources.json says where to get it; KIT_DATA_DIR names another folder.");
        string dataRoot = Path.Combine(settings.Root, "data");
        DataSetManifest[]? expected = Expected(settings, name, manifest);
        ImageTable table = Read(folder, name);
        if (IsFixture(settings, name) || expected is null) return table;
        if (manifest == DataSetManifest.Part)
        {
            table.Part = expected[0].PartOf(table);
            return table;
        }
        return expected.MinBy(m => Math.Abs(m.Images - table.Count))!.Check(dataRoot, table);
    }

    /// <summary>What lies in the folder of a set, whatever its manifest says.</summary>
    /// <exception cref="KitException">The set cannot be read.</exception>
    internal static ImageTable Read(string folder, string name) =>
        Adapters.TryGetValue(name, out var adapter) ? adapter.Load(folder)
            : GenericCsv.Load(Path.Combine(folder, GenericCsv.FileName), name);

    /// <summary>SHA-256 (hex) over the label files' bytes and the sorted names and sizes of the images: says which copy a result came from, without reading every image.</summary>
    public static string Hash(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string[] texts = [.. ImageFiles.Under(folder, LabelFiles).Select(f => f.FullName)
            .Order(StringComparer.Ordinal)];
        ILookup<bool, string> atTop = texts
            .ToLookup(f => Path.GetExtension(f).Equals(".csv", StringComparison.OrdinalIgnoreCase)
            && Path.GetDirectoryName(f) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        foreach (string csv in atTop[true].Concat(atTop[false]))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(folder, csv).Replace('\\', '/') + "\n"));
            hash.AppendData(File.ReadAllBytes(csv));
        }
        foreach (string line in ImageFiles.Under(folder).Select(f => string.Create(CultureInfo.InvariantCulture,
            $"{Path.GetRelativePath(folder, f.FullName).Replace('\\', '/')} {f.Length}\n")).Order(StringComparer.Ordinal))
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static readonly HashSet<string> LabelFiles = new(StringComparer.OrdinalIgnoreCase)
    {
        ".csv", ".txt", ".tab",
    };

    /// <summary>
    /// The manifest of that name, or all of the set, the largest first, without a name and for <see
    /// cref="DataSetManifest.Part"/>; null where the set has none.
    /// </summary>
    private static DataSetManifest[]? Expected(KitSettings settings, string name, string? manifest)
    {
        DataSetManifest[] all = DataSetManifest.All(Path.Combine(settings.Root, "data"), name);
        if (manifest is null or DataSetManifest.Part) return all.Length == 0 ? null : all;
        return all.FirstOrDefault(m => m.Name == manifest) is { } one ? [one]
            : throw new KitException($"data/manifests: '{name}' has no manifest '{manifest}'; there are: {Names.Listed(all.Select(m => m.Name))}.");
    }
}
