using System.Globalization;

namespace DermKit.Notebooks;

/// <summary>How a child process ended, in words.</summary>
internal static class ProcessEnd
{
    /// <summary>What to do when native code ends a process.</summary>
    internal const string Remedy = "kit doctor tries the native operations that the kit uses, one by one.";

    private const double Gibibyte = 1L << 30;

    // The numbers are the same on Linux and macOS, but for SIGBUS.
    private static readonly Dictionary<int, string> Names = new()
    {
        [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [8] = "SIGFPE", [9] = "SIGKILL",
        [11] = "SIGSEGV", [13] = "SIGPIPE", [15] = "SIGTERM", [OperatingSystem.IsMacOS() ? 10 : 7] = "SIGBUS",
    };

    /// <summary>The signal behind an exit code of 128 and more; null for a code that names none.</summary>
    internal static string? Signal(int exitCode) => OperatingSystem.IsWindows() ? null : Names.GetValueOrDefault(exitCode - 128);

    /// <summary>"ended with code 136 (SIGFPE)".</summary>
    internal static string Describe(int exitCode) => $"ended with code {exitCode}{(Signal(exitCode) is { } name ? $" ({name})" : "")}";

    /// <summary>What a user can do about an end, as a sentence; empty when the exit code names no signal of a fault.</summary>
    /// <param name="exitCode">Of the process.</param>
    /// <param name="memory">What was last known of memory.</param>
    internal static string Advice(int exitCode, MemoryReading? memory) => Signal(exitCode) switch
    {
        "SIGKILL" => $" {(memory is null ? "Its memory is not known." : memory.ToString())} {Remedy}",
        "SIGFPE" or "SIGSEGV" or "SIGILL" or "SIGABRT" or "SIGBUS" or "SIGTRAP" => $" {Remedy}",
        _ => "",
    };

    /// <summary>Memory of a process and of the machine at one moment.</summary>
    /// <param name="Resident">Bytes of the process.</param>
    /// <param name="Free">Bytes that the machine had left; null where the system does not say.</param>
    /// <param name="Total">Bytes of the machine; null likewise.</param>
    internal sealed record MemoryReading(long Resident, long? Free, long? Total)
    {
        /// <summary>Now, of a process that runs.</summary>
        internal static MemoryReading Of(System.Diagnostics.Process process)
        {
            process.Refresh();
            Dictionary<string, long> machine = OperatingSystem.IsLinux() ? Machine() : [];
            long? Bytes(string key) => machine.TryGetValue(key, out long kibibytes) ? kibibytes << 10 : null;
            return new(process.WorkingSet64, Bytes("MemAvailable:"), Bytes("MemTotal:"));
        }

        public override string ToString()
        {
            string own = string.Create(CultureInfo.InvariantCulture, $"When last looked at, its memory was {Resident / Gibibyte:0.0} GiB");
            return Free is null || Total is null ? own + "."
                : own + string.Create(CultureInfo.InvariantCulture, $", and {Free / Gibibyte:0.0} of the machine's {Total / Gibibyte:0.0} GiB were free.");
        }

        private static Dictionary<string, long> Machine()
        {
            var values = new Dictionary<string, long>();
            foreach (string line in File.ReadLines("/proc/meminfo"))
            {
                if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var key, var value, ..] && long.TryParse(value, CultureInfo.InvariantCulture, out long number))
                    values[key] = number;
            }
            return values;
        }
    }
}
