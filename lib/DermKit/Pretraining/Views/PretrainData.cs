using DermKit.Data;
using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>A data set of a run: all images, its frozen test images (never trained on) and the images in use.</summary>
public sealed record PretrainingSet(string Set, int Images, int Frozen, int Used);

/// <summary>A run's images without frozen test images, scaled to one short side, in one mapped file.</summary>
public sealed class PretrainData : IDisposable
{
    // Sets whose images may be in published weights.
    private static readonly string[] Free = [DermKit.Data.Isic2017.Name, DermKit.Data.PadUfes20.Name];

    private readonly ImageCache cache;
    private readonly OriginalFile[] originals;

    private PretrainData(ImageCache cache, PretrainIndex index)
    {
        this.cache = cache;
        Sources = index.Sources;
        originals = index.Originals;
    }

    /// <summary>Number of images.</summary>
    public int Count => cache.Count;

    /// <summary>The sets of the run.</summary>
    public IReadOnlyList<PretrainingSet> Sources { get; }

    /// <summary>SYNTHETIC when the images are drawn, else empty.</summary>
    public string Stamp => Sources.Any(s => s.Set == Data.SyntheticDataSet.Name) ? "SYNTHETIC" : "";

    /// <summary>Files that cannot be read and are left out.</summary>
    public IReadOnlyList<Quarantined> Quarantine => cache.Quarantine;

    /// <summary>Identifies pixels, order and number of images: a resumed run must find the same.</summary>
    public string Key => $"{cache.Key[..32]}-{Count}";

    /// <summary>Number of unreadable files and the reason for the first; else empty.</summary>
    public string Unreadable
    {
        get
        {
            if (Quarantine.Count == 0) return "";
            (string path, string reason) = Quarantine[0];
            reason = reason.Replace(path, "it", Ordinal).TrimEnd('.');
            return $"{Quarantine.Count} of {Count + Quarantine.Count} images cannot be read and are left out; the "
                + $"first: {path}: {reason}";
        }
    }

    /// <summary>Opens the options' sets; decodes their images into the cache the first time, with progress (done, all).
    /// Later starts read only folders, label files and a sample of the images if unchanged.</summary>
    /// <exception cref="KitException">A set is missing or a fixture, or fewer images are left than a batch.</exception>
    public static PretrainData Open(
        KitSettings settings, PretrainOptions options, Action<int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        bool IsReal(string set) =>
            DataSetCatalog.Folder(settings, set) is not null && !DataSetCatalog.IsFixture(settings, set);
        string[] sets = options.Sets.Length > 0 ? options.Sets : [.. Free.Where(IsReal)];
        if (sets.FirstOrDefault(set => DataSetCatalog.IsFixture(settings, set)) is { } standIn)
            throw new KitException($"Data set '{standIn}' in {DataSetCatalog.Folder(settings, standIn)} is a fixture, "
                + "with drawn images under a real set's names; name the set 'synthetic', or bring the real one.");
        if (sets.Length == 0) sets = [Data.SyntheticDataSet.Name];
        EvalTransform transform = Kept(options);
        PretrainData? data = Known(settings, options, sets, transform);
        if (data is null)
        {
            Index(settings, options, sets, transform, progress, cancellation);
            // The lists of the first start would stay in the heap for the whole run.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            data = Known(settings, options, sets, transform)
                ?? throw new KitException($"The images under {settings.DataDir} or the cache in {settings.CacheDir} "
                    + "changed while they were read; start again.");
        }
        CheckCount(data, options, sets);
        return data;
    }

    /// <summary>Image numbers of each step of an epoch, [Count / batch][batch]; drops a partial batch.</summary>
    public IReadOnlyList<int[]> Order(int batch, long seed, int epoch)
    {
        int[] order = [.. Enumerable.Range(0, Count)];
        new SplitMix64((ulong)RandomStream.SeedOf(seed, RandomPurpose.Order, epoch)).Shuffle(order.AsSpan());
        return [.. order.Chunk(batch).Take(Count / batch)];
    }

    /// <summary>Images uint8 [B, 3, H, W], each in the upper left corner (<see cref="ImageCache.Batch"/>).</summary>
    public Tensor Batch(int[] numbers, Device device) => cache.Batch(numbers, device);

    /// <summary>Sizes of images.</summary>
    public ImageSize[] Sizes(int[] numbers) =>
        Array.ConvertAll(numbers, n => new ImageSize(cache.OriginalSize(n), cache.Size(n)));

    /// <summary>One cached image.</summary>
    public RgbImage Image(int number) => cache.Image(number);

    /// <inheritdoc/>
    public void Dispose() => cache.Dispose();

    // Decodes an original file for CropSource.Original; throws if it is missing, unreadable or changed.
    internal RgbImage Original(int number)
    {
        if (originals.Length == 0)
            throw new InvalidOperationException("These images were opened for crops from the cache.");
        (string path, string hash) = originals[number];
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, DecodeLimits.Default);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) == hash) return ImageCodec.Decode(bytes, path);
            throw new KitException($"{path} was changed while training; bring the old file back and resume from the "
                + "checkpoint, or start again in another folder.");
        }
        catch (Exception e) when (e is ImageUnreadableException or IOException)
        {
            throw new KitException(
                $"{path} cannot be read any more ({e.Message}); bring it back and resume from the checkpoint.", e);
        }
    }

    internal static EvalTransform Kept(PretrainOptions options) => new()
    {
        Resize = options.SourceSize,
        ShortSide = true,
        MaxSide = 4 * options.SourceSize,
        Crop = 0,
        Filter = ResizeFilter.Bicubic,
        ScaledDecode = true,
    };

    private static PretrainData? Known(
        KitSettings settings, PretrainOptions options, string[] sets, EvalTransform transform)
    {
        if (PretrainIndex.Find(settings, options, sets) is not { } index) return null;
#pragma warning disable CA2000 // PretrainData disposes it.
        ImageCache? cache = ImageCache.Reopen(
            settings.CacheDir, index.CacheKey, index.Files, transform, index.Quarantine);
#pragma warning restore CA2000
        return cache is null ? null : new(cache, index);
    }

    private static void Index(
        KitSettings settings, PretrainOptions options, string[] sets, EvalTransform transform,
        Action<int, int>? progress, CancellationToken cancellation)
    {
        var found = new List<SetFiles>();
        foreach (string set in sets)
        {
            ImageTable table = DataSetCatalog.Load(settings, set);
            bool[] mask = FrozenTest.Mask(settings, table);
            // Rows may share a file: it is one image, and frozen if one of them is.
            string[] frozen = [.. table.Paths.Where((_, i) => mask[i]).Distinct()];
            found.Add(new(set, [.. table.Paths.Except(frozen)], frozen));
        }
        string[] all = [.. found.SelectMany(f => f.Free).Distinct()], paths = all;
        if (options.MostImages > 0 && options.MostImages < paths.Length)
        {
            string[] shuffled = [.. all];
            long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.ImageChoice);
            new SplitMix64((ulong)seed).Shuffle(shuffled.AsSpan());
            paths = [.. shuffled[..options.MostImages].Order(StringComparer.Ordinal)];
        }
        ImageCache cache = ImageCache.Build(settings.CacheDir, paths, transform, progress, cancellation);
        try
        {
            (string[] tests, IReadOnlySet<string> copies) = Renamed(settings, found, paths, cache, cancellation);
            if (copies.Count > 0)
            {
                cache.Dispose();
                paths = [.. paths.Where(p => !copies.Contains(p))];
                cache = ImageCache.Build(settings.CacheDir, paths, transform, progress, cancellation);
            }
            var used = paths.ToHashSet();
            used.ExceptWith(cache.Quarantine.Select(q => q.Path));
            PretrainingSet Counted(SetFiles f) => new(f.Set, f.Free.Length + f.Frozen.Length,
                f.Frozen.Length + f.Free.Count(copies.Contains), f.Free.Count(used.Contains));
            PretrainIndex.Save(settings, options, sets, cache, paths, all.Concat(tests), [.. found.Select(Counted)]);
        }
        finally
        {
            cache.Dispose();
        }
    }

    // Frozen images that are here, and paths that are one of them under another name. Sets with frozen images are their
    // archives' lists, and the drawn set has no photographs; any other set may hold anything.
    private static (string[] Tests, IReadOnlySet<string> Copies) Renamed(
        KitSettings settings, List<SetFiles> found, string[] paths, ImageCache cache, CancellationToken cancellation)
    {
        bool IsSafe(SetFiles f) => f.Set == Data.SyntheticDataSet.Name
            || (f.Frozen.Length > 0 && DataSetCatalog.RealSets.Contains(f.Set));
        SetFiles[] asked = [.. found.Where(f => !IsSafe(f))];
        if (asked.Length == 0) return ([], new HashSet<string>());
        var rowOf = paths.Zip(cache.RowOf).Where(p => p.Second >= 0).ToDictionary(p => p.First, p => p.Second);
        HashSet<string> candidates = [.. asked.SelectMany(f => f.Free).Where(rowOf.ContainsKey)];
        HashSet<string> tests = [.. FrozenTest.AtHand(settings).Concat(asked.SelectMany(f => f.Frozen))];
        RgbImage Image(string path) =>
            rowOf.TryGetValue(path, out int row) ? cache.Image(row) : ImageCodec.Decode(path);
        return ([.. tests], FrozenTest.Copies([.. candidates], [.. tests], Image, cancellation));
    }

    private static void CheckCount(PretrainData data, PretrainOptions options, string[] sets)
    {
        if (data.Count >= options.Batch && data.Count > 0) return;
        int count = data.Count, frozen = data.Sources.Sum(s => s.Frozen);
        string unreadable = data.Unreadable;
        data.Dispose();
        string what = $"Pre-training on {Names.Listed(sets)}: a batch has {options.Batch} images but ";
        if (unreadable.Length > 0)
            throw new KitException($"{what}only {count} can be read. {unreadable}. Bring them again, or lower 'batch' "
                + "to at most what can be read.");
        if (count > 0) throw new KitException($"{what}only {count} are here; lower 'batch' or add images.");
        string besides = frozen > 0 ? $" besides {frozen} frozen test images" : "";
        throw new KitException($"{what}there are none{besides}; add images to a set, or name another with 'sets'.");
    }

    private sealed record SetFiles(string Set, string[] Free, string[] Frozen);
}
