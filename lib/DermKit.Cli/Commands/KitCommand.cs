namespace DermKit.Cli;

internal static class KitCommand
{
    internal static RootCommand Create() => new("DermKit: self-supervised learning for dermatology, in "
        + "notebooks.\nFor research and teaching; not a medical device.")
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
        NativeCommand.Create(),
    };
}
