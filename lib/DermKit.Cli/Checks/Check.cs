namespace DermKit.Cli;

internal enum CheckStatus
{
    Pass,

    // The kit runs, with limits.
    Warn,

    // The kit does not run.
    Fail,
}

/// <summary>A line of the doctor, which names it.</summary>
internal sealed record Check(CheckStatus Status, string Found, string Remedy = "", string Name = "")
{
    internal static Check Pass(string found) => new(CheckStatus.Pass, found);

    internal static Check Warn(string found, string remedy) => new(CheckStatus.Warn, found, remedy);

    internal static Check Fail(string found, string remedy) => new(CheckStatus.Fail, found, remedy);

    public override string ToString() =>
        $"{Status.ToString().ToUpperInvariant()}  {Name,-12} {Found}{(Remedy.Length > 0 ? $"  ->  {Remedy}" : "")}";
}
