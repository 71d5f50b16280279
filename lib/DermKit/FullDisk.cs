namespace DermKit;

/// <summary>Recognises writes without space, which no retry helps.</summary>
internal static class FullDisk
{
    // Disk full or quota exhausted.
    internal static bool Is(Exception e)
    {
        if (e is not IOException) return false;
        // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED; elsewhere errno ENOSPC and EDQUOT.
        if (OperatingSystem.IsWindows()) return (e.HResult & 0xFFFF) is 39 or 112 or 1295;
        return e.HResult == 28 || e.HResult == (OperatingSystem.IsLinux() ? 122 : 69);
    }
}
