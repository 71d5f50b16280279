namespace DermKit.Cli;

/// <summary>The child process of kit run and kit jupyter run.</summary>
internal static class SessionCommand
{
    internal static Command Create()
    {
        var pipe = Argument<string>("pipe", "Name of the parent's pipe");
        var folder = Argument<string>("folder", "The notebook's folder");
        var live = Option<bool>("--live", "Figures bring their own style and scripts");
        var command = new Command("session", "Runs the cells of one notebook (internal)") { pipe, folder, live };
        command.Hidden = true;
        command.SetAction((parsed, _) => SessionServer.RunAsync(parsed.GetRequiredValue(pipe),
            parsed.GetRequiredValue(folder), parsed.GetValue(live)));
        return command;
    }
}
