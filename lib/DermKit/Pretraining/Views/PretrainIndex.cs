using DermKit.Data;
using DermKit.Imaging;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace DermKit.Pretraining;

/// <summary>
/// What the last start found, so that the next one reads no list and no image, however many there are: the file of pixels, and the
/// state of everything that would lead to another one. Folders and label files are looked at one by one, and of the images a sample
/// of fixed size; where one is not as it was, the start begins with the lists again.
/// </summary>
/// <param name="CacheKey">Of the file of pixels.</param>
/// <param name="Files">Images, those that cannot be read among them.</param>
/// <param name="Sources">The sets.</param>
/// <param name="Quarantine">Images that cannot be read.</param>
/// <param name="Watched">Folders, label files and frozen lists.</param>
/// <param name="Sample">Some of the images, evenly spread.</param>
/// <param name="Originals">The files of the rows, for a run that crops from them; else empty.</param>
internal sealed record PretrainIndex(string CacheKey, int Files, PretrainingSet[] Sources, Quarantined[] Quarantine, PretrainIndex.State[] Watched, PretrainIndex.State[] Sample, OriginalFile[] Originals)
{
    private const int SampleSize = 256;

    /// <summary>How a file or folder was found; -1 bytes for a folder.</summary>
    public sealed record State(string Path, long Bytes, long Ticks)
    {
        public static State Of(string path) => Directory.Exists(path) ? new(path, -1, Directory.GetLastWriteTimeUtc(path).Ticks) : new FileInfo(path) is { Exists: true } file ? new(path, file.Length, file.LastWriteTimeUtc.Ticks) : new(path, -2, 0);
    }

    /// <summary>The index of such a start; null when there is none or something has changed.</summary>
    public static PretrainIndex? Find(KitSettings settings, PretrainOptions options, string[] sets)
    {
        string path = PathOf(settings, options, sets);
        if (!File.Exists(path)) return null;
        try
        {
            PretrainIndex? index = JsonSerializer.Deserialize<PretrainIndex>(File.ReadAllBytes(path));
            return index is not null && index.Watched.Concat(index.Sample).All(s => State.Of(s.Path) == s) ? index : null;
        }
        catch (JsonException)
        {
            // Cut short or of another version: the lists say the same.
            return null;
        }
    }

    /// <summary>Notes a start.</summary>
    public static void Save(KitSettings settings, PretrainOptions options, string[] sets, ImageCache cache, string[] paths, IEnumerable<string> allPaths, PretrainingSet[] sources)
    {
        string splits = Path.Combine(settings.Root, "data", "splits");
        string[] folders = [.. sets.Select(set => DataSetCatalog.Folder(settings, set)!), .. Directory.Exists(splits) ? [splits] : (string[])[]];
        string[] watched = [.. folders, .. folders.SelectMany(f => Directory.GetFiles(f, "*.csv")), .. allPaths.Select(p => Path.GetDirectoryName(p)!)];
        int step = Math.Max(1, paths.Length / SampleSize);
        var index = new PretrainIndex(cache.Key, paths.Length, sources, [.. cache.Quarantine], [.. watched.Distinct(StringComparer.Ordinal).Select(State.Of)], [.. paths.Where((_, i) => i % step == 0).Select(State.Of)],
            options.CropSource == "original" ? [.. paths.Select((path, i) => new OriginalFile(path, cache.ContentHashes[i])).Where((_, i) => cache.RowOf[i] >= 0)] : []);
        AtomicFile.WriteAllText(PathOf(settings, options, sets), JsonSerializer.Serialize(index));
    }

    private static string PathOf(KitSettings settings, PretrainOptions options, string[] sets)
    {
        // The build is part of the name, because other code may read the lists in another way.
        string means = JsonSerializer.Serialize(new { sets, options.MostImages, seed = options.MostImages > 0
            ? options.Seed : 0, options.SourceSize, options.CropSource, settings.DataDir, settings.Root,
            guard = FrozenTest.SetsAtHand(settings), build = typeof(PretrainIndex).Module.ModuleVersionId });
        return Path.Combine(settings.CacheDir, "pretraining", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(means)))[..32] + ".json");
    }
}

/// <summary>An image's own file.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Hash">SHA-256 of its contents in lower-case hex.</param>
internal sealed record OriginalFile(string Path, string Hash);
