namespace DermKit.Notebooks;

/// <summary>Memory of a process and of the machine in bytes; null where unknown.</summary>
internal sealed record MemoryReading(long Resident, long? Free, long? Total)
{
    private const double Gibibyte = 1L << 30;

    internal static MemoryReading Of(Process process)
    {
        process.Refresh();
        Dictionary<string, long> machine = OperatingSystem.IsLinux() ? Machine() : [];
        long? Bytes(string key) => machine.TryGetValue(key, out long kibibytes) ? kibibytes << 10 : null;
        return new(process.WorkingSet64, Bytes("MemAvailable:"), Bytes("MemTotal:"));
    }

    public override string ToString()
    {
        string machine = Free is null || Total is null ? "."
            : Invariant($", and {Free / Gibibyte:0.0} of the machine's {Total / Gibibyte:0.0} GiB were free.");
        return Invariant($"When last looked at, its memory was {Resident / Gibibyte:0.0} GiB{machine}");
    }

    private static Dictionary<string, long> Machine()
    {
        var values = new Dictionary<string, long>();
        foreach (string line in File.ReadLines("/proc/meminfo"))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var key, var value, ..]
                && long.TryParse(value, CultureInfo.InvariantCulture, out long number))
                values[key] = number;
        }
        return values;
    }
}
