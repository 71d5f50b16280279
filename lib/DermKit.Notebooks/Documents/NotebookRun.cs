namespace DermKit.Notebooks;

/// <summary>What one run of a notebook left: the input of its HTML report.</summary>
/// <param name="Executed">The notebook with its outputs.</param>
/// <param name="Name">File name without suffix.</param>
/// <param name="Mode">quick, workshop or full.</param>
/// <param name="Device">As torch spells it.</param>
/// <param name="Duration">Wall clock from the start of the child process to its end.</param>
/// <param name="Provenance">Key and value of everything the results depend on, for the footer.</param>
/// <param name="Error">Null when every cell ran; else one line that names the cell and its line.</param>
/// <param name="Command">The command line that makes this report again.</param>
public sealed record NotebookRun(
    NotebookDocument Executed,
    string Name,
    string Mode,
    string Device,
    TimeSpan Duration,
    IReadOnlyDictionary<string, string> Provenance,
    string? Error,
    string Command);
