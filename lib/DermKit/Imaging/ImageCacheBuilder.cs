using Microsoft.Win32.SafeHandles;
using System.Buffers;
using System.Security.Cryptography;

namespace DermKit.Imaging;

/// <summary>Decodes and transforms files in parallel into the rows of a cache file.</summary>
internal static class ImageCacheBuilder
{
    /// <summary>Pixels being decoded at one time hold at most this many bytes, however many cores there are (a single larger picture goes alone).</summary>
    private const long MemoryCap = 1L << 30;

    /// <summary>RGBA and RGB of one pixel.</summary>
    private const int BytesPerPixel = 7;

    public static void Write(FileStream stream, string key, IReadOnlyList<string> paths, string[] hashes, EvalTransform transform,
        DecodeLimits limits, Action<int, int>? progress, CancellationToken cancellation)
    {
        int rowBytes = ImageCacheFile.BytesOf(transform), done = 0;
        string?[] reasons = new string?[paths.Count];
        var gate = new MemoryGate(MemoryCap);
        object turn = new();
        SafeFileHandle handle = stream.SafeFileHandle;
        WhileFlushing(handle, () => ImageCache.InParallel(paths.Count, cancellation, i =>
        {
            reasons[i] = WriteRow(handle, (long)i * rowBytes, rowBytes, paths[i], hashes[i], transform, limits, gate);
            lock (turn) progress?.Invoke(++done, paths.Count);
        }));
        CloseGaps(handle, reasons, rowBytes, cancellation);
        ImageCacheFile.BrokenFile[] broken = [.. reasons.Select((reason, i) => (reason, i)).Where(r => r.reason is not null).Select(r => new ImageCacheFile.BrokenFile(r.i, r.reason!))];
        new ImageCacheFile(key, paths.Count, paths.Count - broken.Length, rowBytes, broken).AppendTo(stream);
    }

    /// <summary>Returns the reason when the file cannot be read.</summary>
    private static string? WriteRow(SafeFileHandle handle, long offset, int rowBytes, string path, string hash, EvalTransform transform, DecodeLimits limits, MemoryGate gate)
    {
        byte[] row = ArrayPool<byte>.Shared.Rent(rowBytes);
        long taken = 0;
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, limits);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hash) throw new IOException($"{path} changed while it was read; run again when it is complete.");
            (int Width, int Height) size = ImageCodec.DecodePlanes(bytes, path, limits, (width, height) => gate.Enter(taken = BytesPerPixel * (long)width * height), transform, row);
            ImageCacheFile.SetSize(row.AsSpan(0, rowBytes), size);
            RandomAccess.Write(handle, row.AsSpan(0, rowBytes), offset);
            return null;
        }
        catch (ImageUnreadableException e)
        {
            return e.Reason;
        }
        finally
        {
            gate.Exit(taken);
            ArrayPool<byte>.Shared.Return(row);
        }
    }

    /// <summary>Moves rows up over those that stayed empty.</summary>
    private static void CloseGaps(SafeFileHandle handle, string?[] reasons, int rowBytes, CancellationToken cancellation)
    {
        byte[] row = new byte[rowBytes];
        for (int i = 0, to = 0; i < reasons.Length; i++)
        {
            if (reasons[i] is not null) continue;
            if (to != i)
            {
                cancellation.ThrowIfCancellationRequested();
                for (int have = 0, part; have < rowBytes; have += part)
                    if ((part = RandomAccess.Read(handle, row.AsSpan(have), (long)i * rowBytes + have)) == 0) throw new EndOfStreamException("The cache file is shorter than what was written.");
                RandomAccess.Write(handle, row, (long)to * rowBytes);
            }
            to++;
        }
    }

    /// <summary>Lets the disk write while pictures are decoded, so that little is left for the flush at the end. A disk reports a failure only once, so one that is met here comes out.</summary>
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
