namespace DermKit.Notebooks;

internal sealed record RunOptions
{
    internal required string Root { get; init; }

    internal string Mode { get; init; } = "quick";

    internal string Device { get; init; } = "cpu";

    internal IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();

    // Limit of a cell; kit.timeout (seconds) in its metadata overrides it.
    internal TimeSpan? Timeout { get; init; }

    // Time that a cell has to stop before its process is ended.
    internal TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(10);

    // Variables for the child; null removes one.
    internal IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    internal string Command { get; init; } = "";
}

/// <summary>A code cell, numbered from 1, starts (elapsed is null) or ends.</summary>
internal sealed record CellProgress(int Cell, int Cells, string Title, TimeSpan? Elapsed, bool Failed);
