namespace DermKit.Cli;

internal enum CheckStatus
{
    Pass,

    // The kit runs, with limits.
    Warn,

    // The kit does not run.
    Fail,
}

/// <summary>A line of the doctor.</summary>
internal sealed record Check(CheckStatus Status, string Name, string Found, string Remedy = "")
{
    internal static Check Pass(string name, string found) => new(CheckStatus.Pass, name, found);

    internal static Check Warn(string name, string found, string remedy) => new(CheckStatus.Warn, name, found, remedy);

    internal static Check Fail(string name, string found, string remedy) => new(CheckStatus.Fail, name, found, remedy);

    public override string ToString() =>
        $"{Status.ToString().ToUpperInvariant()}  {Name,-12} {Found}{(Remedy.Length > 0 ? $"  ->  {Remedy}" : "")}";
}
