using DermKit;
using DermKit.Cli;
using System.CommandLine;

TerminalWriter.Install();

// One file under Commands/ for each command. Exit codes: 0, 1 for a notebook or check that failed, 2 for wrong use or input, 130 when cancelled.
var root = new RootCommand("DermKit: self-supervised learning for dermatology, in notebooks")
{
    RunCommand.Create(),
    PretrainCommand.Create(),
    CompareCommand.Create(),
    EvaluateCommand.Create(),
    WeightsCommand.Create(),
    NotebooksCommand.Create(),
    JupyterCommand.Create(),
    DataCommand.Create(),
    DoctorCommand.Create(),
    SessionCommand.Create(),
    NativeOperations.Create(),
};
root.Description += "\nFor research and teaching; not a medical device.";

try
{
    // A cancelled run still asks its child to stop and writes the report of what ran. To a kernel Ctrl-C is no end: it takes the signal itself.
    ParseResult parsed = root.Parse(args);
    // Training ends with its step, which on a cpu may take a minute, and with a checkpoint.
    TimeSpan? patience = args switch { ["jupyter", "run", ..] => null, ["pretrain" or "compare", ..] => TimeSpan.FromMinutes(10), _ => TimeSpan.FromSeconds(30) };
    int code = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = patience });
    return parsed.Errors.Count > 0 ? 2 : code;
}
catch (KitException e)
{
    await Console.Error.WriteLineAsync($"kit: {Printable.Line(e.Message)}");
    return 2;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync(
        $"kit: {Printable.Line(e.Message)} What was finished is kept: give the same command again once the file can be written.");
    return 2;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("kit: cancelled");
    return 130;
}
