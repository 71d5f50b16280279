namespace DermKit.Notebooks;

internal sealed record NotebookRun(NotebookDocument Executed, string Name, string Mode, string Device,
    TimeSpan Duration, IReadOnlyDictionary<string, string> Provenance, string? Error, string Command);
