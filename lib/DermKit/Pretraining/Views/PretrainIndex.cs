using DermKit.Data;
using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>What the last start found, so that the next reads no list: the pixel file and the state of all that leads
/// to it (folders, label files, frozen lists, some images evenly spread). Any change reads the lists again. Originals
/// are for runs that crop from them.</summary>
internal sealed record PretrainIndex(
    string CacheKey, int Files, PretrainingSet[] Sources, Quarantined[] Quarantine, PretrainIndex.State[] Watched,
    PretrainIndex.State[] Sample, OriginalFile[] Originals)
{
    private const int SampleSize = 256;

    // -1 bytes for a folder, -2 for a missing one.
    public sealed record State(string Path, long Bytes, long Ticks)
    {
        public static State Of(string path)
        {
            if (Directory.Exists(path)) return new(path, -1, Directory.GetLastWriteTimeUtc(path).Ticks);
            var file = new FileInfo(path);
            return file.Exists ? new(path, file.Length, file.LastWriteTimeUtc.Ticks) : new(path, -2, 0);
        }
    }

    // Null when there was no such start or something has changed.
    public static PretrainIndex? Find(KitSettings settings, PretrainOptions options, string[] sets)
    {
        string path = PathOf(settings, options, sets);
        if (!File.Exists(path)) return null;
        try
        {
            PretrainIndex? index = JsonSerializer.Deserialize<PretrainIndex>(File.ReadAllBytes(path));
            return index is not null && index.Watched.Concat(index.Sample).All(s => State.Of(s.Path) == s)
                ? index : null;
        }
        catch (JsonException)
        {
            // Damaged or of another version: the lists hold the same.
            return null;
        }
    }

    public static void Save(
        KitSettings settings, PretrainOptions options, string[] sets, ImageCache cache, string[] paths,
        IEnumerable<string> allPaths, PretrainingSet[] sources)
    {
        string splits = FrozenTest.Lists(settings);
        List<string> folders = [.. sets.Select(set => DataSetCatalog.Folder(settings, set)!)];
        if (Directory.Exists(splits)) folders.Add(splits);
        IEnumerable<string> tables = folders.SelectMany(f => Directory.GetFiles(f, "*.csv"));
        HashSet<string> watched = [.. folders, .. tables, .. allPaths.Select(p => Path.GetDirectoryName(p)!)];
        int step = Math.Max(1, paths.Length / SampleSize);
        OriginalFile[] originals = [];
        if (options.CropSource == CropSource.Original)
        {
            IEnumerable<int> readable = Enumerable.Range(0, paths.Length).Where(i => cache.RowOf[i] >= 0);
            originals = [.. readable.Select(i => new OriginalFile(paths[i], cache.ContentHashes[i]))];
        }
        var index = new PretrainIndex(
            cache.Key, paths.Length, sources, [.. cache.Quarantine], [.. watched.Select(State.Of)],
            [.. paths.Where((_, i) => i % step == 0).Select(State.Of)], originals);
        AtomicFile.WriteAllText(PathOf(settings, options, sets), JsonSerializer.Serialize(index));
    }

    private static string PathOf(KitSettings settings, PretrainOptions options, string[] sets)
    {
        string means = JsonSerializer.Serialize(new
        {
            sets,
            options.MostImages,
            seed = options.MostImages > 0 ? options.Seed : 0,
            options.SourceSize,
            options.CropSource,
            settings.DataDir,
            settings.Root,
            guard = FrozenTest.SetsAtHand(settings),
            // Another build may read the lists differently.
            build = typeof(PretrainIndex).Module.ModuleVersionId,
        });
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(means)));
        return Path.Combine(settings.CacheDir, "pretraining", hash[..32] + ".json");
    }
}

// SHA-256 in lower-case hex.
internal sealed record OriginalFile(string Path, string Hash);
