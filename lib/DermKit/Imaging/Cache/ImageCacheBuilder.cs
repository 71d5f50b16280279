using Microsoft.Win32.SafeHandles;
using System.Buffers;

namespace DermKit.Imaging;

internal static class ImageCacheBuilder
{
    // Bytes of pixels decoded at one time, on any number of cores (a larger image is decoded alone).
    private const long MemoryCap = 1L << 30;

    // RGBA and RGB.
    private const int BytesPerPixel = 7;

    public static void Write(FileStream stream, string key, IReadOnlyList<string> paths, string[] hashes,
        EvalTransform transform, DecodeLimits limits, Action<int, int>? progress, CancellationToken cancellation)
    {
        long end = 0;
        long[] places = new long[paths.Count];
        string?[] reasons = new string?[paths.Count];
        var gate = new MemoryGate(MemoryCap);
        SafeFileHandle handle = stream.SafeFileHandle;
        WhileFlushing(handle, () => ImageCache.InParallel(paths.Count, cancellation, i =>
            reasons[i] = WriteRow(handle, length => places[i] = Interlocked.Add(ref end, length) - length, paths[i],
                hashes[i], transform, limits, gate), progress: progress));
        ImageCacheFile.BrokenFile[] broken = [.. reasons.Index().Where(r => r.Item is not null)
            .Select(r => new ImageCacheFile.BrokenFile(r.Index, r.Item!))];
        new ImageCacheFile(key, paths.Count, paths.Count - broken.Length, end, broken)
            .AppendTo(stream, [.. places.Where((_, i) => reasons[i] is null)]);
    }

    // Returns why the file cannot be read, or null; place gives the position of a row of some length.
    private static string? WriteRow(SafeFileHandle handle, Func<int, long> place, string path, string hash,
        EvalTransform transform, DecodeLimits limits, MemoryGate gate)
    {
        byte[]? row = null;
        long taken = 0;
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, limits);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hash)
                throw new IOException($"{path} changed while it was read; run again when it is complete.");
            RgbImage image = ImageCodec.Decode(bytes, path, limits, transform,
                (width, height) => gate.Enter(taken = BytesPerPixel * (long)width * height),
                out (int Width, int Height) original);
            image = transform.Apply(image);
            int length = ImageCacheFile.HeadBytes + image.Pixels.Length;
            row = ArrayPool<byte>.Shared.Rent(length);
            ImageCacheFile.SetSizes(row, original, (image.Width, image.Height));
            image.ToPlanes(row.AsSpan(ImageCacheFile.HeadBytes));
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

    // Flushes meanwhile, so that little is left at the end. A disk reports a failure only once: rethrow it.
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

    // Admits workers while their bytes stay under the cap.
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
