using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace DermKit.Evaluation;

/// <summary>Memory of this process that no file backs: what its weights and activations take.</summary>
internal static class ProcessMemory
{
    /// <summary>Bytes now.</summary>
    public static long Now()
    {
        if (!OperatingSystem.IsLinux())
        {
            using var process = Process.GetCurrentProcess();
            return process.PrivateMemorySize64;
        }
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("RssAnon:", StringComparison.Ordinal));
        return 1024 * long.Parse(line["RssAnon:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    /// <summary>Bytes now, after garbage and what the C allocator holds in reserve went back to the system: a reserve left by one model would hide the growth of the next.</summary>
    public static long Trimmed()
    {
        // Aggressive gives the managed heap's own reserve back too, which would otherwise go at some time during the measurement.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint libc) && NativeLibrary.TryGetExport(libc, "malloc_trim", out nint trim))
            Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(0);
        return Now();
    }

    /// <summary>Most bytes at any time of some work, looked at every 2 ms and at its end.</summary>
    public static long PeakDuring(Action work)
    {
        long peak = Now();
        using var done = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            while (!done.Wait(2)) peak = Math.Max(peak, Now());
        }) { IsBackground = true };
        watch.Start();
        try
        {
            work();
        }
        finally
        {
            done.Set();
            watch.Join();
        }
        return Math.Max(peak, Now());
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int MallocTrim(nuint pad);
}
