namespace DermKit.Notebooks;

internal static class ProcessEnd
{
    internal const string Remedy = "kit doctor tries the native operations that the kit uses, one by one.";

    // The same on Linux and macOS, except for SIGBUS.
    private static readonly Dictionary<int, string> Names = new()
    {
        [1] = "SIGHUP",
        [2] = "SIGINT",
        [3] = "SIGQUIT",
        [4] = "SIGILL",
        [5] = "SIGTRAP",
        [6] = "SIGABRT",
        [8] = "SIGFPE",
        [9] = "SIGKILL",
        [11] = "SIGSEGV",
        [13] = "SIGPIPE",
        [15] = "SIGTERM",
        [OperatingSystem.IsMacOS() ? 10 : 7] = "SIGBUS",
    };

    // For example "ended with code 136 (SIGFPE)".
    internal static string Describe(int exitCode) =>
        $"ended with code {exitCode}{(Signal(exitCode) is { } name ? $" ({name})" : "")}";

    // Remedy for a fault's signal; empty for none.
    internal static string Advice(int exitCode, MemoryReading? memory) => Signal(exitCode) switch
    {
        "SIGKILL" => $" {(memory is null ? "Its memory is not known." : memory.ToString())} {Remedy}",
        "SIGFPE" or "SIGSEGV" or "SIGILL" or "SIGABRT" or "SIGBUS" or "SIGTRAP" => $" {Remedy}",
        _ => "",
    };

    private static string? Signal(int exitCode) =>
        OperatingSystem.IsWindows() ? null : Names.GetValueOrDefault(exitCode - 128);
}
