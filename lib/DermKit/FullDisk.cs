namespace DermKit;

/// <summary>Tells a write that found no room from other failures: trying again does not help, and what was written stays.</summary>
internal static class FullDisk
{
    // errno: ENOSPC; EDQUOT has another number on each system.
    private const int NoSpace = 28, QuotaOnLinux = 122, QuotaOnMac = 69;

    // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED.
    private const int HandleFullOnWindows = 39, FullOnWindows = 112, QuotaOnWindows = 1295;

    /// <summary>True for a full disk and for a quota that is used up.</summary>
    internal static bool Is(Exception e) => e is IOException && (OperatingSystem.IsWindows()
        ? (e.HResult & 0xFFFF) is HandleFullOnWindows or FullOnWindows or QuotaOnWindows
        : e.HResult == NoSpace || e.HResult == (OperatingSystem.IsLinux() ? QuotaOnLinux : QuotaOnMac));
}
