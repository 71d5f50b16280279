using System.Diagnostics;
using System.Runtime.InteropServices;

namespace DermKit.Evaluation;

/// <summary>Anonymous memory of this process, in bytes: weights and activations, not files.</summary>
internal static class ProcessMemory
{
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int MallocTrim(nuint pad);

    public static long Now()
    {
        if (!OperatingSystem.IsLinux())
        {
            using var process = Process.GetCurrentProcess();
            return process.PrivateMemorySize64;
        }
        const string Key = "RssAnon:";
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(Key, StringComparison.Ordinal));
        return 1024 * long.Parse(line[Key.Length..].Replace("kB", "", StringComparison.Ordinal),
            CultureInfo.InvariantCulture);
    }

    // After the garbage collector and the C allocator return their reserves, which would hide the next model's growth.
    public static long Trimmed()
    {
        for (int pass = 0; pass < 2; pass++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint libc)
            && NativeLibrary.TryGetExport(libc, "malloc_trim", out nint trim))
            Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(0);
        return Now();
    }

    // Read every 2 ms and at the end.
    public static long PeakDuring(Action work)
    {
        long peak = Now();
        using var done = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            while (!done.Wait(2)) peak = Math.Max(peak, Now());
        })
        { IsBackground = true };
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
}
