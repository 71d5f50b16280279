using DermKit;
using DermKit.Cli.Commands;
using System.CommandLine;

// One file under Commands/ for each command.
var root = new RootCommand("DermKit: self-supervised learning for dermatology, in notebooks")
{
    RunCommand.Create(),
    DoctorCommand.Create(),
    SessionCommand.Create(),
};
root.Description += "\nFor research and teaching; not a medical device.";

try
{
    // A cancelled run still asks its child to stop and writes the report of what ran.
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
}
catch (KitException e)
{
    await Console.Error.WriteLineAsync($"kit: {e.Message}");
    return 2;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("kit: cancelled");
    return 130;
}
