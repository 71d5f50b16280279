using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>A file that could not be read, and why.</summary>
/// <param name="Path">The file as it was named.</param>
/// <param name="Reason">What is wrong with it.</param>
public sealed record Quarantined(string Path, string Reason);

/// <summary>
/// Transformed images as 8-bit planes [3, H, W] in one memory-mapped file, keyed by the contents of the files and by the transform.
/// Of a transform without a crop each image has a size of its own.
/// Every path is either a row or on the quarantine list. Reading is safe from any number of threads.
/// </summary>
public sealed class ImageCache : IDisposable
{
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly nint data;
    private readonly long rowsEnd;
    private readonly string path;

    private unsafe ImageCache(ImageCacheFile content, string path, int[] rowOf, string[] hashes, IReadOnlyList<Quarantined> quarantine, EvalTransform transform, string pixelKey)
    {
        (Key, Count, Transform, PixelKey) = (content.Key, content.Rows, transform, pixelKey);
        (rowsEnd, this.path) = (content.Bytes, path);
        (RowOf, ContentHashes, Quarantine) = (rowOf, hashes, quarantine);
        file = MemoryMappedFile.CreateFromFile(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        data = (nint)pointer;
    }

    private static string PixelKeyOf(EvalTransform transform, DecodeLimits limits) => $"{ImageCacheFile.Version}\n{ImageCodec.Version}\n{transform.PixelKey}\n{limits}";

    private static string PathOf(string cacheDir, string key) => Path.Combine(cacheDir, "images", key[..32] + ".u8");

    /// <summary>
    /// Opens a cache that was built before, by its key alone, without a look at the images: <see cref="RowOf"/> and <see cref="ContentHashes"/> are empty.
    /// </summary>
    /// <param name="cacheDir">As for <see cref="Build"/>.</param>
    /// <param name="key"><see cref="Key"/> of the cache.</param>
    /// <param name="files">Number of paths it was built from.</param>
    /// <param name="transform">What it was built with.</param>
    /// <param name="quarantine">The <see cref="Quarantine"/> it had.</param>
    /// <returns>Null when it is absent, damaged or of something else.</returns>
    public static ImageCache? Reopen(string cacheDir, string key, int files, EvalTransform transform, IReadOnlyList<Quarantined> quarantine)
    {
        string path = PathOf(cacheDir, key);
        return ImageCacheFile.Open(path, key, files) is { } content
            ? new(content, path, [], [], quarantine, transform, PixelKeyOf(transform, DecodeLimits.Default)) : null;
    }

    /// <summary>SHA-256 in hex over the transform's pixels and the contents of all files in order; equal keys mean equal rows.</summary>
    public string Key { get; }

    /// <summary>Everything besides a file's contents that decides its row: code of the cache, decoder, transform and limits.</summary>
    internal string PixelKey { get; }

    /// <summary>Rows, which is the number of paths less the length of <see cref="Quarantine"/>.</summary>
    public int Count { get; }

    /// <summary>What was done to each image, and how to normalise a batch.</summary>
    public EvalTransform Transform { get; }

    /// <summary>Row of each path given to <see cref="Build"/>; -1 for a quarantined one.</summary>
    public int[] RowOf { get; }

    /// <summary>The paths given to <see cref="Build"/>; empty for a cache that was opened by its key.</summary>
    internal IReadOnlyList<string> Paths { get; private init; } = [];

    /// <summary>The files that cannot be read, in the order of the paths.</summary>
    public IReadOnlyList<Quarantined> Quarantine { get; }

    /// <summary>SHA-256 in lower-case hex of each path's file; empty for a quarantined one.</summary>
    public IReadOnlyList<string> ContentHashes { get; }

    /// <summary>
    /// Opens the cache of these files, and builds it first on all cores where it is absent, cut short or of something else.
    /// A file that cannot be read is quarantined and stops nothing. The cache appears by rename, so a cancelled or failed build leaves none.
    /// </summary>
    /// <param name="cacheDir">Folder for cache files; made when absent.</param>
    /// <param name="paths">Image files; the order decides the rows.</param>
    /// <param name="transform">What to do to each image.</param>
    /// <param name="progress">Called with (done, all) while images are decoded, one call at a time.</param>
    /// <param name="cancellation">Stops the build.</param>
    /// <param name="limits">Bounds on each file.</param>
    /// <exception cref="IOException">The cache cannot be written, or a file changed while it was read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static ImageCache Build(string cacheDir, IReadOnlyList<string> paths, EvalTransform transform,
        Action<int, int>? progress = null, CancellationToken cancellation = default, DecodeLimits? limits = null)
    {
        limits ??= DecodeLimits.Default;
        string[] hashes = HashAll(paths, limits, cancellation);
        string pixelKey = PixelKeyOf(transform, limits);
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{pixelKey}\n{string.Join('\n', hashes)}")));
        string path = PathOf(cacheDir, key);
        ImageCacheFile? content = ImageCacheFile.Open(path, key, paths.Count);
        if (content is null)
        {
            AtomicFile.Write(path, stream => ImageCacheBuilder.Write(stream, key, paths, hashes, transform, limits, progress, cancellation));
            content = ImageCacheFile.Open(path, key, paths.Count) ?? throw new IOException($"{path}: the cache was written but does not read back; the disk may be failing.");
        }
        var reasons = content.Broken.ToDictionary(b => b.Index, b => b.Reason);
        int[] rowOf = new int[paths.Count];
        for (int i = 0, row = 0; i < rowOf.Length; i++) rowOf[i] = reasons.ContainsKey(i) ? -1 : row++;
        Quarantined[] quarantine = [.. content.Broken.Select(b => new Quarantined(paths[b.Index], b.Reason))];
        string[] contents = [.. hashes.Select((hash, i) => rowOf[i] < 0 ? "" : hash)];
        return new(content, path, rowOf, contents, quarantine, transform, pixelKey) { Paths = paths };
    }

    /// <summary>Copies rows into one tensor.</summary>
    /// <param name="rows">Row numbers as <see cref="RowOf"/> gives them, in any order.</param>
    /// <param name="device">Where the batch shall lie.</param>
    /// <returns>uint8 [B, 3, H, W], where H and W are those of the largest; a smaller image stands in the upper left corner, with zeros beside it. <see cref="EvalTransform.Normalise"/> makes the model's input of it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; -1 means that the file is quarantined.</exception>
    /// <exception cref="IOException">The file was damaged after it was opened.</exception>
    public Tensor Batch(ReadOnlySpan<int> rows, Device device)
    {
        (int width, int height) = (Transform.Crop, Transform.Crop);
        bool equal = true;
        foreach (int row in rows)
        {
            (int Width, int Height) size = Size(row);
            equal &= size == Size(rows[0]);
            (width, height) = (Math.Max(width, size.Width), Math.Max(height, size.Height));
        }
        Tensor batch = equal ? empty([rows.Length, 3, height, width], ScalarType.Byte) : zeros([rows.Length, 3, height, width], ScalarType.Byte);
        Span<byte> target = rows.Length == 0 ? [] : batch.bytes;
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<byte> planes = Planes(rows[i], out (int Width, int Height) size);
            Span<byte> to = target.Slice(i * 3 * height * width, 3 * height * width);
            if (equal) planes.CopyTo(to);
            else
                for (int line = 0; line < 3 * size.Height; line++)
                    planes.Slice(line * size.Width, size.Width).CopyTo(to[(((line / size.Height * height) + (line % size.Height)) * width)..]);
        }
        if (device.type == DeviceType.CPU) return batch;
        using (batch) return batch.to(device);
    }

    /// <summary>One row as an image.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public RgbImage Image(int row)
    {
        ReadOnlySpan<byte> planes = Planes(row, out (int Width, int Height) size);
        int plane = size.Width * size.Height;
        byte[] pixels = new byte[3 * plane];
        for (int i = 0; i < plane; i++) (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (planes[i], planes[plane + i], planes[2 * plane + i]);
        return new(size.Width, size.Height, pixels);
    }

    /// <summary>Width and height of the image before the transform, after the EXIF orientation.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; -1 means that the file is quarantined.</exception>
    public (int Width, int Height) OriginalSize(int row) => ImageCacheFile.SizesOf(Row(row)).Original;

    /// <summary>Width and height of the row's planes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; -1 means that the file is quarantined.</exception>
    public (int Width, int Height) Size(int row) => ImageCacheFile.SizesOf(Row(row)).Stored;

    /// <summary>Unmaps the file; the cache stays on disk.</summary>
    public void Dispose()
    {
        if (view.SafeMemoryMappedViewHandle.IsClosed) return;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        file.Dispose();
    }

    private ReadOnlySpan<byte> Planes(int row, out (int Width, int Height) size)
    {
        ReadOnlySpan<byte> bytes = Row(row);
        size = ImageCacheFile.SizesOf(bytes).Stored;
        long length = 3L * size.Width * size.Height;
        if (size.Width < 1 || size.Height < 1 || length > bytes.Length - ImageCacheFile.HeadBytes) throw Damaged();
        return bytes.Slice(ImageCacheFile.HeadBytes, (int)length);
    }

    /// <summary>From the row's head to the end of all rows, or as far as a span goes.</summary>
    private unsafe ReadOnlySpan<byte> Row(int row)
    {
        ObjectDisposedException.ThrowIf(view.SafeMemoryMappedViewHandle.IsClosed, this);
        if ((uint)row >= (uint)Count) throw new ArgumentOutOfRangeException(nameof(row), row, $"Expected a row from 0 to {Count - 1} (-1 stands for a quarantined file).");
        long place = BinaryPrimitives.ReadInt64LittleEndian(new ReadOnlySpan<byte>((byte*)data + rowsEnd + (8L * row), 8));
        if (place < 0 || place > rowsEnd - ImageCacheFile.HeadBytes) throw Damaged();
        return new((byte*)data + place, (int)Math.Min(rowsEnd - place, Array.MaxLength));
    }

    private IOException Damaged() => new($"{path}: the cache was damaged after it was written; delete the file and start again.");

    /// <summary>SHA-256 of each file; of one that cannot be opened, the reason without the path, so that the key changes when it comes back or fails otherwise.</summary>
    private static string[] HashAll(IReadOnlyList<string> paths, DecodeLimits limits, CancellationToken cancellation)
    {
        string[] hashes = new string[paths.Count];
        InParallel(paths.Count, cancellation, i =>
        {
            try
            {
                using FileStream stream = ImageCodec.OpenFile(paths[i], limits);
                hashes[i] = Convert.ToHexStringLower(SHA256.HashData(stream));
            }
            catch (Exception e) when (e is ImageUnreadableException or IOException)
            {
                hashes[i] = $"unreadable: {(e is ImageUnreadableException { InnerException: null } known ? known.Reason : (e.InnerException ?? e).GetType().Name)}";
            }
        });
        return hashes;
    }

    /// <summary>Runs on all cores; the first failure comes out as itself. Each core takes one number at a time: larger shares leave a core idle at the end.</summary>
    internal static void InParallel(int count, CancellationToken cancellation, Action<int> body)
    {
        int next = -1, workers = Math.Min(count, Environment.ProcessorCount);
        try
        {
            Parallel.For(0, workers, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Math.Max(workers, 1) }, (_, state) =>
            {
                for (int i; !state.IsStopped && (i = Interlocked.Increment(ref next)) < count;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    try
                    {
                        body(i);
                    }
                    catch
                    {
                        state.Stop();
                        throw;
                    }
                }
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }
}
