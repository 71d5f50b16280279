using Microsoft.Win32.SafeHandles;
using System.Buffers;
using System.Security.Cryptography;

namespace DermKit.Imaging;

/// <summary>Decodes and transforms files in parallel into the rows of a cache file.</summary>
internal static class ImageCacheBuilder
{
    /// <summary>Pixels being decoded at one time hold at most this many bytes, however many cores there are (a single larger image goes alone).</summary>
    private const long MemoryCap = 1L << 30;

    /// <summary>RGBA and RGB of one pixel.</summary>
    private const int BytesPerPixel = 7;

    public static void Write(FileStream stream, string key, IReadOnlyList<string> paths, string[] hashes, EvalTransform transform,
        DecodeLimits limits, Action<int, int>? progress, CancellationToken cancellation)
    {
        int done = 0;
        long end = 0;
        long[] places = new long[paths.Count];
        string?[] reasons = new string?[paths.Count];
        var gate = new MemoryGate(MemoryCap);
        object turn = new();
        SafeFileHandle handle = stream.SafeFileHandle;
        WhileFlushing(handle, () => ImageCache.InParallel(paths.Count, cancellation, i =>
        {
            reasons[i] = WriteRow(handle, length => places[i] = Interlocked.Add(ref end, length) - length, paths[i], hashes[i], transform, limits, gate);
            lock (turn) progress?.Invoke(++done, paths.Count);
        }));
        ImageCacheFile.BrokenFile[] broken = [.. reasons.Index().Where(r => r.Item is not null).Select(r => new ImageCacheFile.BrokenFile(r.Index, r.Item!))];
        new ImageCacheFile(key, paths.Count, paths.Count - broken.Length, end, broken).AppendTo(stream, [.. places.Where((_, i) => reasons[i] is null)]);
    }

    /// <summary>Returns the reason when the file cannot be read; <paramref name="place"/> gives a row of this length its place.</summary>
    private static string? WriteRow(SafeFileHandle handle, Func<int, long> place, string path, string hash, EvalTransform transform, DecodeLimits limits, MemoryGate gate)
    {
        byte[]? row = null;
        long taken = 0;
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, limits);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hash) throw new IOException($"{path} changed while it was read; run again when it is complete.");
            (int Width, int Height) stored = default;
            int length = 0;
            (int Width, int Height) original = ImageCodec.DecodePlanes(bytes, path, limits, (width, height) => gate.Enter(taken = BytesPerPixel * (long)width * height), transform, size =>
            {
                (stored, length) = (size, ImageCacheFile.HeadBytes + 3 * size.Width * size.Height);
                row = ArrayPool<byte>.Shared.Rent(length);
                return row.AsSpan(ImageCacheFile.HeadBytes, length - ImageCacheFile.HeadBytes);
            });
            ImageCacheFile.SetSizes(row, original, stored);
            RandomAccess.Write(handle, row.AsSpan(0, length), place(length));
            return null;
        }
        catch (ImageUnreadableException e)
        {
            return e.Reason;
        }
        finally
        {
            gate.Exit(taken);
            if (row is not null) ArrayPool<byte>.Shared.Return(row);
        }
    }

    /// <summary>Lets the disk write while images are decoded, so that little is left for the flush at the end. A disk reports a failure only once, so one that is met here comes out.</summary>
    private static void WhileFlushing(SafeFileHandle handle, Action work)
    {
        using var end = new ManualResetEventSlim();
        Task flushing = Task.Factory.StartNew(() =>
        {
            while (!end.Wait(TimeSpan.FromMilliseconds(20))) RandomAccess.FlushToDisk(handle);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            work();
        }
        finally
        {
            end.Set();
            Task.WaitAny(flushing);
        }
        flushing.GetAwaiter().GetResult();
    }

    /// <summary>Lets workers in while the sum of what they hold stays under the cap.</summary>
    internal sealed class MemoryGate(long cap)
    {
        private readonly object turn = new();
        private long used;

        public void Enter(long bytes)
        {
            lock (turn)
            {
                while (used > 0 && used + bytes > cap) Monitor.Wait(turn);
                used += bytes;
            }
        }

        public void Exit(long bytes)
        {
            lock (turn)
            {
                used -= bytes;
                Monitor.PulseAll(turn);
            }
        }
    }
}
