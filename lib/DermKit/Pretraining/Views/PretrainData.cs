using DermKit.Data;
using DermKit.Imaging;
using System.Collections;
using System.Security.Cryptography;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>One data set of a pre-training run.</summary>
/// <param name="Set">Name of the set.</param>
/// <param name="Images">All its images.</param>
/// <param name="Frozen">Of these the frozen test images, which training never sees.</param>
/// <param name="Used">Images that this run trains on.</param>
public sealed record PretrainingSet(string Set, int Images, int Frozen, int Used);

/// <summary>The images of a run: those of its sets without the frozen test images, scaled to one short side and mapped from one file.</summary>
public sealed class PretrainData : IDisposable
{
    private readonly ImageCache cache;
    private readonly OriginalFile[] originals;

    private PretrainData(ImageCache cache, IReadOnlyList<PretrainingSet> sources, OriginalFile[] originals) => (this.cache, Sources, this.originals) = (cache, sources, originals);

    /// <summary>Sets whose images may be in weights that are given on.</summary>
    private static readonly string[] Free = [DermKit.Data.Isic2017.Name, DermKit.Data.PadUfes20.Name];

    /// <summary>Number of images.</summary>
    public int Count => cache.Count;

    /// <summary>The sets of the run.</summary>
    public IReadOnlyList<PretrainingSet> Sources { get; }

    /// <summary>SYNTHETIC when the images are drawn, else empty.</summary>
    public string Stamp => Sources.Any(s => s.Set == Data.SyntheticDataSet.Name) ? "SYNTHETIC" : "";

    /// <summary>Files that cannot be read; nothing is trained on them.</summary>
    public IReadOnlyList<Quarantined> Quarantine => cache.Quarantine;

    /// <summary>Names the pixels, their order and the number in use: a resumed run must find the same.</summary>
    public string Key => $"{cache.Key[..32]}-{Count}";

    /// <summary>
    /// Opens the sets of the options; decodes into the cache first where that has not been done. A start that finds folders, label files and
    /// a sample of the images as the last one left them reads no more than those, whatever the number of images.
    /// </summary>
    /// <param name="settings">Folders.</param>
    /// <param name="options">Sets, number of images, their size, seed.</param>
    /// <param name="progress">Called with (done, all) while images are decoded.</param>
    /// <param name="cancellation">Stops the decoding.</param>
    /// <exception cref="KitException">A set is not here or a fixture, or fewer images are left than a batch needs.</exception>
    public static PretrainData Open(KitSettings settings, PretrainOptions options, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        string[] sets = options.Sets.Length > 0 ? options.Sets : [.. Free.Where(set => DataSetCatalog.Folder(settings, set) is not null && !DataSetCatalog.IsFixture(settings, set))];
        if (sets.FirstOrDefault(set => DataSetCatalog.IsFixture(settings, set)) is { } standIn)
            throw new KitException($"Data set '{standIn}' in {DataSetCatalog.Folder(settings, standIn)} is a fixture, with drawn images under a real set's names; name the set 'synthetic', or bring the real one.");
        if (sets.Length == 0) sets = [Data.SyntheticDataSet.Name];
        EvalTransform transform = Kept(options);
        if (Known(settings, options, sets, transform) is { } known) return Enough(known, options, sets);
        Index(settings, options, sets, transform, progress, cancellation);
        // The lists of the first start would stay in the heap for the whole run.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return Enough(Known(settings, options, sets, transform) ?? throw new KitException($"The images under {settings.DataDir} or the cache in {settings.CacheDir} changed while they were read; start again."), options, sets);
    }

    /// <summary>The images as the last start left them; null when there was none or something has changed.</summary>
    private static PretrainData? Known(KitSettings settings, PretrainOptions options, string[] sets, EvalTransform transform) =>
        PretrainIndex.Find(settings, options, sets) is { } index && ImageCache.Reopen(settings.CacheDir, index.CacheKey, index.Files, transform, index.Quarantine) is { } cache
            ? new(cache, index.Sources, index.Originals) : null;

    /// <summary>Reads lists and images, and notes what was found.</summary>
    private static void Index(KitSettings settings, PretrainOptions options, string[] sets, EvalTransform transform, Action<int, int>? progress, CancellationToken cancellation)
    {
        var found = new List<(string Set, string[] Free, string[] Frozen)>();
        foreach (string set in sets)
        {
            ImageTable table = DataSetCatalog.Load(settings, set);
            bool[] mask = FrozenTest.Mask(settings, table);
            // Rows may share a file: it is one image, and frozen where one of them is.
            string[] frozen = [.. table.Paths.Where((_, i) => mask[i]).Distinct(StringComparer.Ordinal)];
            found.Add((set, [.. table.Paths.Except(frozen, StringComparer.Ordinal)], frozen));
        }
        string[] all = [.. found.SelectMany(f => f.Free).Distinct(StringComparer.Ordinal)], paths = all;
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
            var used = paths.ToHashSet(StringComparer.Ordinal);
            used.ExceptWith(cache.Quarantine.Select(q => q.Path));
            PretrainingSet[] sources = [.. found
                .Select(f => new PretrainingSet(f.Set, f.Free.Length + f.Frozen.Length,
                f.Frozen.Length + f.Free.Count(copies.Contains), f.Free.Count(used.Contains)))];
            PretrainIndex.Save(settings, options, sets, cache, paths, all.Concat(tests), sources);
        }
        finally
        {
            cache.Dispose();
        }
    }

    /// <summary>
    /// The frozen images at hand, and the paths that are one of them under another name. The sets that the kit freezes
    /// images of are their archives' own lists; every other set may hold anything,
    /// but for the drawn one, whose images are no photographs.
    /// </summary>
    private static (string[] Tests, IReadOnlySet<string> Copies) Renamed(KitSettings settings,
        IReadOnlyList<(string Set, string[] Free, string[] Frozen)> found, string[] paths, ImageCache cache,
        CancellationToken cancellation)
    {
        var asked = found.Where(f => f.Set != Data.SyntheticDataSet.Name
            && !(f.Frozen.Length > 0 && DataSetCatalog.RealSets.Contains(f.Set))).ToArray();
        if (asked.Length == 0) return ([], new HashSet<string>());
        var rowOf = paths.Zip(cache.RowOf).Where(p => p.Second >= 0)
            .ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal);
        string[] candidates = [.. asked.SelectMany(f => f.Free).Where(rowOf.ContainsKey)
            .Distinct(StringComparer.Ordinal)];
        string[] tests = [.. FrozenTest.AtHand(settings).Concat(asked.SelectMany(f => f.Frozen))
            .Distinct(StringComparer.Ordinal)];
        return (tests, FrozenTest.Copies(candidates, tests, path => rowOf.TryGetValue(path, out int row)
            ? cache.Image(row) : ImageCodec.Decode(path), cancellation));
    }

    /// <summary>How images are kept for crops.</summary>
    internal static EvalTransform Kept(PretrainOptions options) => new() { Resize = options.SourceSize, ShortSide = true, MaxSide = 4 * options.SourceSize, Crop = 0, Filter = ResizeFilter.Bicubic, ScaledDecode = true };

    /// <summary>How many files cannot be read, the first of them and why; empty when all can be.</summary>
    public string Unreadable => Quarantine.Count == 0 ? "" : $"{Quarantine.Count} of {Count + Quarantine.Count} images cannot be read and are left out; the first: {Quarantine[0].Path}: {Quarantine[0].Reason.Replace(Quarantine[0].Path, "it", StringComparison.Ordinal).TrimEnd('.')}";

    private static PretrainData Enough(PretrainData data, PretrainOptions options, string[] sets)
    {
        if (data.Count >= options.Batch && data.Count > 0) return data;
        (int count, string unreadable, int frozen) = (data.Count, data.Unreadable, data.Sources.Sum(s => s.Frozen));
        data.Dispose();
        string what = $"Pre-training on {Names.Listed(sets)}: a batch has {options.Batch} images but ";
        if (unreadable.Length > 0) throw new KitException($"{what}only {count} can be read. {unreadable}. Bring them anew, or lower 'batch' to at most what can be read.");
        if (count == 0) throw new KitException($"{what}there are none{(frozen > 0 ? $" besides {frozen} frozen test images" : "")}; add images to a set, or name another with 'sets'.");
        throw new KitException($"{what}only {count} are here; lower 'batch' or add images.");
    }

    /// <summary>Numbers of the images of each step of an epoch; a rest that fills no batch is left out.</summary>
    /// <returns>[Count / batch][batch].</returns>
    public IReadOnlyList<int[]> Order(int batch, long seed, int epoch)
    {
        int[] order = new int[Count];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        new SplitMix64((ulong)RandomStream.SeedOf(seed, RandomPurpose.Order, epoch)).Shuffle(order.AsSpan());
        return new Batches(order, batch);
    }

    /// <summary>Cut from one array when asked for: a list of thirty thousand arrays would be most of what a run on many images keeps.</summary>
    private sealed class Batches(int[] order, int batch) : IReadOnlyList<int[]>
    {
        public int Count => order.Length / batch;

        public int[] this[int index] => order.AsSpan(index * batch, batch).ToArray();

        public IEnumerator<int[]> GetEnumerator() => Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>uint8 [B, 3, H, W] of the images of these numbers, each in the upper left corner (<see cref="ImageCache.Batch"/>).</summary>
    public Tensor Batch(int[] numbers, Device device) => cache.Batch(numbers, device);

    /// <summary>Sizes of the images of these numbers.</summary>
    public ImageSize[] Sizes(int[] numbers) => Array.ConvertAll(numbers, n => new ImageSize(cache.OriginalSize(n), cache.Size(n)));

    /// <summary>The original file of a number, decoded; only where the options ask for them.</summary>
    /// <exception cref="KitException">The file is gone, cannot be read any more or is another one than at the start.</exception>
    public RgbImage Original(int number)
    {
        if (originals.Length == 0) throw new InvalidOperationException("These images were opened for crops from the cache.");
        (string path, string hash) = originals[number];
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, DecodeLimits.Default);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hash) throw new KitException($"{path} was changed while training; bring the old file back and go on from the checkpoint, or begin anew in another folder.");
            return ImageCodec.Decode(bytes, path);
        }
        catch (Exception e) when (e is ImageUnreadableException or IOException)
        {
            throw new KitException($"{path} cannot be read any more ({e.Message}); bring it back and go on from the checkpoint.", e);
        }
    }

    /// <summary>One image as it is cropped from.</summary>
    public RgbImage Image(int number) => cache.Image(number);

    /// <inheritdoc/>
    public void Dispose() => cache.Dispose();
}
