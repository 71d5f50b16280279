using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.MemoryMappedFiles;
using System.Runtime.ExceptionServices;

namespace DermKit.Imaging;

/// <summary>A file that could not be read, with its path as given and the reason.</summary>
public sealed record Quarantined(string Path, string Reason);

/// <summary>Transformed images as 8-bit planes [3, H, W] in one memory-mapped file, keyed by file contents and
/// transform. Without a crop, sizes vary. Every path has a row or is quarantined. Reading is thread-safe.</summary>
public sealed class ImageCache : IDisposable
{
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly nint data;
    private readonly long rowsEnd;
    private readonly string path;

    private unsafe ImageCache(ImageCacheFile content, string path, int[] rowOf, string[] hashes,
        IReadOnlyList<Quarantined> quarantine, EvalTransform transform, string pixelKey)
    {
        Key = content.Key;
        Count = content.Rows;
        Transform = transform;
        PixelKey = pixelKey;
        rowsEnd = content.Bytes;
        this.path = path;
        RowOf = rowOf;
        ContentHashes = hashes;
        Quarantine = quarantine;
        using FileStream stream = ImageCacheFile.Stream(path);
        // The mapping outlives the stream.
        file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read,
            HandleInheritability.None, leaveOpen: true);
        view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        data = (nint)pointer;
    }

    private static string PixelKeyOf(EvalTransform transform, DecodeLimits limits) =>
        $"{ImageCacheFile.Version}\n{ImageCodec.Version}\n{transform.PixelKey}\n{limits}";

    private static string PathOf(string cacheDir, string key) => Path.Combine(cacheDir, "images", key[..32] + ".u8");

    // Opens by key without reading images; RowOf and ContentHashes are empty. Null if absent, damaged or different.
    internal static ImageCache? Reopen(string cacheDir, string key, int files, EvalTransform transform,
        IReadOnlyList<Quarantined> quarantine)
    {
        string path = PathOf(cacheDir, key);
        return ImageCacheFile.Open(path, key, files) is { } content
            ? new(content, path, [], [], quarantine, transform, PixelKeyOf(transform, DecodeLimits.Default)) : null;
    }

    /// <summary>SHA-256 (hex) of the transform and all file contents in order; equal keys mean equal rows.</summary>
    public string Key { get; }

    // What decides a row besides the file: cache code, decoder, transform and limits.
    internal string PixelKey { get; }

    /// <summary>Number of rows: the paths that are not quarantined.</summary>
    public int Count { get; }

    /// <summary>The transform of each image, which also normalises a batch.</summary>
    public EvalTransform Transform { get; }

    /// <summary>Row of each path of <see cref="Build"/>; -1 if quarantined.</summary>
    public int[] RowOf { get; }

    // Empty after Reopen.
    internal IReadOnlyList<string> Paths { get; private init; } = [];

    /// <summary>Unreadable files, in the order of the paths.</summary>
    public IReadOnlyList<Quarantined> Quarantine { get; }

    /// <summary>SHA-256 (lower-case hex) of each path's file; empty if quarantined.</summary>
    public IReadOnlyList<string> ContentHashes { get; }

    /// <summary>Opens the cache of these files, in this order, or builds it on all cores if absent, truncated or of
    /// other inputs. Unreadable files are quarantined. A cancelled or failed build leaves none.
    /// <paramref name="progress"/> gets (done, all), one call at a time.</summary>
    /// <exception cref="IOException">The cache cannot be written, or a file changed meanwhile.</exception>
    public static ImageCache Build(string cacheDir, IReadOnlyList<string> paths, EvalTransform transform,
        Action<int, int>? progress = null, CancellationToken cancellation = default, DecodeLimits? limits = null)
    {
        limits ??= DecodeLimits.Default;
        string[] hashes = HashAll(paths, limits, cancellation);
        string pixelKey = PixelKeyOf(transform, limits);
        string key = Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{pixelKey}\n{string.Join('\n', hashes)}")));
        string path = PathOf(cacheDir, key);
        ImageCacheFile? content = ImageCacheFile.Open(path, key, paths.Count);
        if (content is null)
        {
            AtomicFile.Write(path, stream =>
                ImageCacheBuilder.Write(stream, key, paths, hashes, transform, limits, progress, cancellation));
            content = ImageCacheFile.Open(path, key, paths.Count)
                ?? throw new IOException($"{path}: the new cache does not read back; the disk may be failing.");
        }
        var reasons = content.Broken.ToDictionary(b => b.Index, b => b.Reason);
        int[] rowOf = new int[paths.Count];
        for (int i = 0, row = 0; i < rowOf.Length; i++) rowOf[i] = reasons.ContainsKey(i) ? -1 : row++;
        Quarantined[] quarantine = [.. content.Broken.Select(b => new Quarantined(paths[b.Index], b.Reason))];
        string[] contents = [.. hashes.Select((hash, i) => rowOf[i] < 0 ? "" : hash)];
        return new(content, path, rowOf, contents, quarantine, transform, pixelKey) { Paths = paths };
    }

    /// <summary>Copies rows, in any order, to uint8 [B, 3, H, W] on a device, with H and W of the largest; a smaller
    /// image is in the upper left corner, with zeros beside it. <see cref="EvalTransform.Normalise"/> makes the model's
    /// input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such row; -1 is a quarantined file.</exception>
    /// <exception cref="IOException">The file was damaged after it was opened.</exception>
    public Tensor Batch(ReadOnlySpan<int> rows, Device device)
    {
        int width = Transform.Crop, height = Transform.Crop;
        bool equal = true;
        foreach (int row in rows)
        {
            (int Width, int Height) size = Size(row);
            equal &= size == Size(rows[0]);
            (width, height) = (Math.Max(width, size.Width), Math.Max(height, size.Height));
        }
        Tensor batch = equal ? empty([rows.Length, 3, height, width], ScalarType.Byte)
            : zeros([rows.Length, 3, height, width], ScalarType.Byte);
        Span<byte> target = rows.Length == 0 ? [] : batch.bytes;
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<byte> planes = Planes(rows[i], out (int Width, int Height) size);
            Span<byte> to = target.Slice(i * 3 * height * width, 3 * height * width);
            if (equal) planes.CopyTo(to);
            else
                for (int line = 0; line < 3 * size.Height; line++)
                    planes.Slice(line * size.Width, size.Width)
                        .CopyTo(to[(((line / size.Height * height) + (line % size.Height)) * width)..]);
        }
        if (device.type == DeviceType.CPU) return batch;
        using (batch) return batch.to(device);
    }

    /// <summary>One row as an image; throws as <see cref="Batch"/>.</summary>
    public RgbImage Image(int row)
    {
        ReadOnlySpan<byte> planes = Planes(row, out (int Width, int Height) size);
        int plane = size.Width * size.Height;
        byte[] pixels = new byte[3 * plane];
        for (int i = 0; i < plane; i++)
            (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (planes[i], planes[plane + i],
                planes[2 * plane + i]);
        return new(size.Width, size.Height, pixels);
    }

    /// <summary>Width and height before the transform, after EXIF orientation; throws as <see cref="Batch"/>.</summary>
    public (int Width, int Height) OriginalSize(int row) => ImageCacheFile.SizesOf(Row(row)).Original;

    /// <summary>Width and height of the row's planes; throws as <see cref="Batch"/>.</summary>
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

    // From the row's head to the end of all rows, or as far as a span reaches.
    private unsafe ReadOnlySpan<byte> Row(int row)
    {
        ObjectDisposedException.ThrowIf(view.SafeMemoryMappedViewHandle.IsClosed, this);
        if ((uint)row >= (uint)Count)
            throw new ArgumentOutOfRangeException(nameof(row), row,
                $"Expected a row from 0 to {Count - 1} (-1 stands for a quarantined file).");
        long place = BinaryPrimitives.ReadInt64LittleEndian(new((byte*)data + rowsEnd + (8L * row), 8));
        if (place < 0 || place > rowsEnd - ImageCacheFile.HeadBytes) throw Damaged();
        return new((byte*)data + place, (int)Math.Min(rowsEnd - place, Array.MaxLength));
    }

    private IOException Damaged() =>
        new($"{path}: the cache was damaged after it was written; delete the file and start again.");

    // SHA-256 of each file, or why it cannot be opened, without the path: the key changes with it.
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
                hashes[i] = "unreadable: " + (e is ImageUnreadableException { InnerException: null } known
                    ? known.Reason : (e.InnerException ?? e).GetType().Name);
            }
        });
        return hashes;
    }

    // A thread takes one number at a time: larger shares leave a core idle at the end. Progress gets (done, count), one
    // call at a time.
    internal static void InParallel(int count, CancellationToken cancellation, Action<int> body, int? workers = null,
        Action<int, int>? progress = null)
    {
        var numbers = Partitioner.Create(Enumerable.Range(0, count), EnumerablePartitionerOptions.NoBuffering);
        int threads = workers ?? Environment.ProcessorCount, done = 0;
        try
        {
            Parallel.ForEach(
                numbers, new() { CancellationToken = cancellation, MaxDegreeOfParallelism = threads }, i =>
                {
                    body(i);
                    lock (numbers) progress?.Invoke(++done, count);
                });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }
}
