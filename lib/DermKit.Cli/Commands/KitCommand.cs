namespace DermKit.Cli;

internal static class KitCommand
{
    internal static RootCommand Create() =>
        new($"DermKit: self-supervised learning for dermatology, in notebooks.\n{HtmlReport.Disclaimer}")
    {
        RunCommand.Create(),
        PretrainCommand.Create(),
        CompareCommand.Create(),
        EvaluateCommand.Create(),
        VerifyCommand.Create(),
        ResultsCommand.Create(),
        SpeedrunCommand.Create(),
        WeightsCommand.Create(),
        NotebooksCommand.Create(),
        JupyterCommand.Create(),
        DataCommand.Create(),
        DoctorCommand.Create(),
        SessionCommand.Create(),
        NativeCommand.Create(),
    };
}
