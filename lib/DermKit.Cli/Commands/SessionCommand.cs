using DermKit.Studies;
using DermKit.Notebooks;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit session: the child process of a notebook run; started by kit run and kit jupyter run, not by hand.</summary>
internal static class SessionCommand
{
    internal static Command Create()
    {
        var pipe = new Argument<string>("pipe") { Description = "Name of the parent's pipe" };
        var folder = new Argument<string>("folder") { Description = "The notebook's folder" };
        var live = new Option<bool>("--live") { Description = "Figures carry their own style and scripts" };
        var command = new Command("session", "Runs the cells of one notebook (internal)") { pipe, folder, live };
        command.Hidden = true;
        command.SetAction((parsed, _) => SessionServer.RunAsync(parsed.GetRequiredValue(pipe), parsed.GetRequiredValue(folder), parsed.GetValue(live)));
        return command;
    }
}
