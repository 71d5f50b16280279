using DermKit.Cli.Notebooks;
using System.CommandLine;

namespace DermKit.Cli.Commands;

/// <summary>kit session: the child process of a notebook run; started by kit run, not by hand.</summary>
internal static class SessionCommand
{
    internal static Command Create()
    {
        var pipe = new Argument<string>("pipe") { Description = "Name of the parent's pipe" };
        var folder = new Argument<string>("folder") { Description = "The notebook's folder" };
        var command = new Command("session", "Runs the cells of one notebook (internal)") { pipe, folder };
        command.Hidden = true;
        command.SetAction((parsed, _) => SessionServer.RunAsync(parsed.GetRequiredValue(pipe), parsed.GetRequiredValue(folder)));
        return command;
    }
}
