namespace DermKit.Notebooks;

internal static class ProcessEnd
{
    private const string Remedy = "kit doctor tries the native operations that the kit uses, one by one.";

    // Signals from number 1 on.
    private static readonly string[] Signals = (OperatingSystem.IsMacOS()
        ? "HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM"
        : "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM").Split(' ');

    // Memory of a process and of the machine.
    internal static string Memory(Process process)
    {
        string own = Invariant($"When last looked at, its memory was {process.WorkingSet64 / 1073741824.0:0.0} GiB");
        if (!OperatingSystem.IsLinux()) return $"{own}.";
        string machine = File.ReadAllText("/proc/meminfo");
        double? Gibibytes(string key) => Regex.Match(machine, key + @":\s+(\d+)") is { Success: true } match
            ? long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) / 1048576.0 : null;
        return Gibibytes("MemAvailable") is { } free && Gibibytes("MemTotal") is { } total
            ? Invariant($"{own}, and {free:0.0} of the machine's {total:0.0} GiB were free.") : $"{own}.";
    }

    // For example "ended with code 136 (SIGFPE)".
    internal static string Describe(int exitCode) =>
        $"ended with code {exitCode}{(Signal(exitCode) is { } name ? $" (SIG{name})" : "")}";

    // Remedy for a fault's signal, as a sentence after another; empty for none.
    internal static string Advice(int exitCode, string? memory) => Signal(exitCode) switch
    {
        "KILL" => $". {memory ?? "Its memory is not known."} {Remedy}",
        "FPE" or "SEGV" or "ILL" or "ABRT" or "BUS" or "TRAP" => $". {Remedy}",
        _ => "",
    };

    private static string? Signal(int exitCode) =>
        OperatingSystem.IsWindows() ? null : Signals.ElementAtOrDefault(exitCode - 129);
}
