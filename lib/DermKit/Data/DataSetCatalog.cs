using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using DermKit.Data.DataSets;
using DermKit.Data.Synthetic;

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
    /// True when the set can be opened, with as many image files as the named manifest counts, or without a name the smallest manifest of the set; the synthetic set and fixtures always. Cheap: reads no image.
    /// </summary>
    /// <exception cref="KitException">The set has no manifest of that name.</exception>
    public static bool IsPresent(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return true;
        if (manifest is not null) Manifest(settings, name, manifest);
        if (Folder(settings, name) is not { } folder) return false;
        // A CSV of the user's own may name pictures anywhere.
        if (!Adapters.ContainsKey(name)) return true;
        int needed = IsFixture(settings, name) ? 1 : manifest is not null ? Manifest(settings, name, manifest).Images
            : DataSetManifest.All(Path.Combine(settings.Root, "data"), name).LastOrDefault()?.Images ?? 1;
        return ImageFiles.Under(folder).Skip(needed - 1).Any();
    }

    /// <summary>
    /// Opens a set and checks it against the manifest of that name; the synthetic set is drawn when it is not there. Without a name the manifest nearest in size is asserted;
    /// a set of the user's own has none.
    /// </summary>
    /// <exception cref="KitException">The set is not there, cannot be read, or is not what the manifest says.</exception>
    public static ImageTable Load(KitSettings settings, string name, string? manifest = null)
    {
        if (name == SyntheticDataSet.Name) return SyntheticDataSet.Load(SyntheticDataSet.Ensure(settings.CacheDir));
        string folder = Folder(settings, name) ?? throw new KitException(
            $"Data set '{name}' is not here: looked for {name}/ in {settings.DataDir}. data/sources.json says where to get it; KIT_DATA_DIR names another folder.");
        string dataRoot = Path.Combine(settings.Root, "data");
        if (manifest is not null) Manifest(settings, name, manifest);
        ImageTable table = Adapters.TryGetValue(name, out var adapter) ? adapter.Load(folder) : GenericCsv.Load(Path.Combine(folder, GenericCsv.FileName), name);
        if (IsFixture(settings, name)) return table;
        DataSetManifest? expected = manifest is not null ? Manifest(settings, name, manifest)
            : DataSetManifest.All(dataRoot, name).MinBy(m => Math.Abs(m.Images - table.Count));
        return expected?.Check(dataRoot, table) ?? table;
    }

    /// <summary>SHA-256 (hex) over the label files' bytes and the sorted names and sizes of the images: says which copy a result came from, without reading every image.</summary>
    public static string Hash(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string[] further = [.. Directory.GetFiles(folder, "*.*", UnfinishedFolder.Visible(recurse: true)).Where(f =>
            Path.GetExtension(f).ToLowerInvariant() is ".txt" or ".tab"
            || Path.GetExtension(f) == ".csv" && Path.GetDirectoryName(f) != folder)];
        foreach (string csv in Directory.GetFiles(folder, "*.csv").Order(StringComparer.Ordinal).Concat(further.Order(StringComparer.Ordinal)))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(folder, csv).Replace('\\', '/') + "\n"));
            hash.AppendData(File.ReadAllBytes(csv));
        }
        foreach (string line in ImageFiles.Under(folder).Select(f => string.Create(CultureInfo.InvariantCulture,
            $"{Path.GetRelativePath(folder, f.FullName).Replace('\\', '/')} {f.Length}\n")).Order(StringComparer.Ordinal))
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static DataSetManifest Manifest(KitSettings settings, string name, string manifest)
    {
        DataSetManifest[] all = DataSetManifest.All(Path.Combine(settings.Root, "data"), name);
        return all.FirstOrDefault(m => m.Name == manifest)
            ?? throw new KitException($"data/manifests: '{name}' has no manifest '{manifest}'; there are: {string.Join(", ", all.Select(m => m.Name))}.");
    }
}
