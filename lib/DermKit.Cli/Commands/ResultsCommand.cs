using DermKit.Studies;

namespace DermKit.Cli;

internal static class ResultsCommand
{
    internal static Command Create() => new Command("results",
        "Writes data/results/README.md, and the tables of README.md, from the JSON files of data/results")
        .Runs((_, _) =>
        {
            foreach (string path in ResultsPage.Write(KitSettings.FromEnvironment())) Console.WriteLine(path);
        });
}
