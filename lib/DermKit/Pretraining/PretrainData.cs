using DermKit.Data;
using DermKit.Imaging;
using System.Collections;
using System.Security.Cryptography;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>One data set of a pre-training run.</summary>
/// <param name="Set">Name of the set.</param>
/// <param name="Images">All its pictures.</param>
/// <param name="Frozen">Of these the frozen test images, which training never sees.</param>
/// <param name="Used">Pictures that this run trains on, those that cannot be read among them.</param>
public sealed record PretrainingSet(string Set, int Images, int Frozen, int Used);

/// <summary>The pictures of a run: those of its sets without the frozen test images, scaled to one short side and mapped from one file.</summary>
public sealed class PretrainData : IDisposable
{
    private readonly ImageCache cache;
    private string[] files = [], hashes = [];

    private PretrainData(ImageCache cache, IReadOnlyList<PretrainingSet> sources) => (this.cache, Sources) = (cache, sources);

    /// <summary>Sets whose pictures may be in weights that are given on.</summary>
    private static readonly string[] Free = [DermKit.Data.DataSets.Isic2017.Name, DermKit.Data.DataSets.PadUfes20.Name];

    /// <summary>Number of pictures.</summary>
    public int Count => cache.Count;

    /// <summary>The sets of the run.</summary>
    public IReadOnlyList<PretrainingSet> Sources { get; }

    /// <summary>SYNTHETIC when the pictures are drawn, else empty.</summary>
    public string Stamp => Sources.Any(s => s.Set == Data.Synthetic.SyntheticDataSet.Name) ? "SYNTHETIC" : "";

    /// <summary>Files that cannot be read; nothing is trained on them.</summary>
    public IReadOnlyList<Quarantined> Quarantine => cache.Quarantine;

    /// <summary>Names the pixels, their order and the number in use: a resumed run must find the same.</summary>
    public string Key => $"{cache.Key[..32]}-{Count}";

    /// <summary>
    /// Opens the sets of the options; decodes into the cache first where that has not been done. A start that finds folders, label files and
    /// a sample of the pictures as the last one left them reads no more than those, whatever the number of pictures.
    /// </summary>
    /// <param name="settings">Folders.</param>
    /// <param name="options">Sets, number of pictures, their size, seed.</param>
    /// <param name="progress">Called with (done, all) while pictures are decoded.</param>
    /// <param name="cancellation">Stops the decoding.</param>
    /// <exception cref="KitException">A set is not here or a fixture, or fewer pictures are left than a batch needs.</exception>
    public static PretrainData Open(KitSettings settings, PretrainOptions options, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        string[] sets = options.Sets.Length > 0 ? options.Sets : [.. Free.Where(set => DataSetCatalog.Folder(settings, set) is not null && !DataSetCatalog.IsFixture(settings, set))];
        if (sets.FirstOrDefault(set => DataSetCatalog.IsFixture(settings, set)) is { } standIn)
            throw new KitException($"Data set '{standIn}' in {DataSetCatalog.Folder(settings, standIn)} is a fixture, with drawn pictures under a real set's names; name the set 'synthetic', or bring the real one.");
        if (sets.Length == 0) sets = [Data.Synthetic.SyntheticDataSet.Name];
        EvalTransform transform = Kept(options);
        bool original = options.CropSource == "original";
        if (!original && PretrainIndex.Find(settings, options, sets) is { } index && ImageCache.Reopen(settings.CacheDir, index.CacheKey, index.Files, transform, index.Quarantine) is { } known)
            return Enough(new(known, index.Sources), options, sets);
        var found = new List<(string Set, int Images, string[] Free)>();
        foreach (string set in sets)
        {
            ImageTable table = DataSetCatalog.Load(settings, set);
            bool[] frozen = FrozenTest.Mask(settings, table);
            found.Add((set, table.Count, [.. table.Paths.Where((_, i) => !frozen[i])]));
        }
        string[] all = [.. found.SelectMany(f => f.Free)], paths = all;
        if (options.MostImages > 0 && options.MostImages < paths.Length)
        {
            string[] shuffled = [.. all];
            new SplitMix64((ulong)options.Seed).Shuffle(shuffled.AsSpan());
            paths = [.. shuffled[..options.MostImages].Order(StringComparer.Ordinal)];
        }
        var used = paths.ToHashSet(StringComparer.Ordinal);
        PretrainingSet[] sources = [.. found.Select(f => new PretrainingSet(f.Set, f.Images, f.Images - f.Free.Length, f.Free.Count(used.Contains)))];
        ImageCache cache = ImageCache.Build(settings.CacheDir, paths, transform, progress, cancellation);
        PretrainIndex.Save(settings, options, sets, cache, paths, all, sources);
        return Enough(new(cache, sources) { files = original ? [.. paths.Where((_, i) => cache.RowOf[i] >= 0)] : [], hashes = original ? [.. cache.ContentHashes.Where(h => h.Length > 0)] : [] }, options, sets);
    }

    /// <summary>How pictures are kept for crops.</summary>
    internal static EvalTransform Kept(PretrainOptions options) => new() { Resize = options.SourceSize, ShortSide = true, MaxSide = 4 * options.SourceSize, Crop = 0, Filter = ResizeFilter.Bicubic, ScaledDecode = true };

    private static PretrainData Enough(PretrainData data, PretrainOptions options, string[] sets)
    {
        if (data.Count >= options.Batch) return data;
        data.Dispose();
        throw new KitException($"Pre-training on {string.Join(", ", sets)}: a batch has {options.Batch} pictures but only {data.Count} are here; lower 'batch' or add pictures.");
    }

    /// <summary>Numbers of the pictures of each step of an epoch; a rest that fills no batch is left out.</summary>
    /// <returns>[Count / batch][batch].</returns>
    public IReadOnlyList<int[]> Order(int batch, long seed, int epoch)
    {
        int[] order = new int[Count];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        new SplitMix64((ulong)seed * 0x9E3779B97F4A7C15 + (ulong)epoch).Shuffle(order.AsSpan());
        return new Batches(order, batch);
    }

    /// <summary>Cut from one array when asked for: a list of thirty thousand arrays would be most of what a run on many pictures keeps.</summary>
    private sealed class Batches(int[] order, int batch) : IReadOnlyList<int[]>
    {
        public int Count => order.Length / batch;

        public int[] this[int index] => order.AsSpan(index * batch, batch).ToArray();

        public IEnumerator<int[]> GetEnumerator() => Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>uint8 [B, 3, H, W] of the pictures of these numbers, each in the upper left corner (<see cref="ImageCache.Batch"/>).</summary>
    public Tensor Batch(int[] numbers, Device device) => cache.Batch(numbers, device);

    /// <summary>Sizes of the pictures of these numbers.</summary>
    public PictureSize[] Sizes(int[] numbers) => Array.ConvertAll(numbers, n => new PictureSize(cache.OriginalSize(n), cache.Size(n)));

    /// <summary>The original files of these numbers, decoded; only where the options ask for them.</summary>
    /// <exception cref="KitException">A file is gone, cannot be read any more or is another one than at the start.</exception>
    public RgbImage[] Originals(int[] numbers)
    {
        if (files.Length == 0) throw new InvalidOperationException("These pictures were opened for crops from the cache.");
        var pictures = new RgbImage[numbers.Length];
        ImageCache.InParallel(numbers.Length, default, i =>
        {
            string path = files[numbers[i]];
            try
            {
                byte[] bytes = ImageCodec.ReadFile(path, DecodeLimits.Default);
                if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hashes[numbers[i]]) throw new KitException($"{path} was changed while training; bring the old file back and go on from the checkpoint, or begin anew in another folder.");
                pictures[i] = ImageCodec.Decode(bytes, path);
            }
            catch (Exception e) when (e is ImageUnreadableException or IOException)
            {
                throw new KitException($"{path} cannot be read any more ({e.Message}); bring it back and go on from the checkpoint.", e);
            }
        });
        return pictures;
    }

    /// <summary>One picture as it is cropped from.</summary>
    public RgbImage Image(int number) => cache.Image(number);

    /// <inheritdoc/>
    public void Dispose() => cache.Dispose();
}
