using System.Runtime.InteropServices;

namespace DermKit.Kernels;

/// <summary>
/// Keeps the pages of libtorch's tensors in the process while something trains. glibc gives large blocks back to the system as soon as they are free, and
/// fresh pages at every step cost some percent of it. Elsewhere than with glibc nothing changes.
/// </summary>
internal static partial class NativeHeap
{
    private const int TrimThreshold = -1, MmapThreshold = -3;

    private const int LargestMmapThreshold = 32 << 20;

    private static readonly Lock Gate = new();

    private static readonly bool IsGlibc = OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint libc) && NativeLibrary.TryGetExport(libc, "mallopt", out _);

    private static int users;

    /// <summary>Keeps pages until as many <see cref="Release"/> as calls of this one.</summary>
    public static void Keep()
    {
        lock (Gate)
        {
            if (++users > 1 || !IsGlibc) return;
            Option(MmapThreshold, LargestMmapThreshold);
            Option(TrimThreshold, int.MaxValue);
        }
    }

    /// <summary>Lets the last user's pages go.</summary>
    public static void Release()
    {
        lock (Gate)
        {
            if (--users > 0 || !IsGlibc) return;
            // Where glibc's own adjustment ends up with blocks of that size.
            Option(TrimThreshold, 2 * LargestMmapThreshold);
            Trim(0);
        }
    }

    /// <summary>Gives free pages back to the system.</summary>
    public static void Trim()
    {
        if (IsGlibc) Trim(0);
    }

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Option(int option, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
