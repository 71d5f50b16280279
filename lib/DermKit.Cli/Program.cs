using DermKit;
using DermKit.Cli;

TerminalWriter.Install();

// Exit codes: 0, 1 for a failed notebook or check, 2 for wrong use or input, 130 when cancelled.
try
{
    ParseResult parsed = KitCommand.Create().Parse(args);
    // Time after Ctrl-C for a run to write its report and for training to write a checkpoint. A kernel handles Ctrl-C.
    TimeSpan? patience = args switch
    {
        ["jupyter", "run", ..] => null,
        ["pretrain" or "compare", ..] => TimeSpan.FromMinutes(10),
        _ => TimeSpan.FromSeconds(30),
    };
    int code = await parsed.InvokeAsync(
        new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = patience });
    return parsed.Errors.Count > 0 ? 2 : code;
}
catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
{
    string kept = e is KitException ? ""
        : " Finished parts are kept: repeat the command once the file is writable.";
    await Console.Error.WriteLineAsync($"kit: {Printable.Line(e.Message)}{kept}");
    return 2;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("kit: cancelled");
    return 130;
}
