using DermKit.Models;

namespace DermKit.Cli;

/// <summary>The doctor's child process: prints an operation's number before it runs, its error after it.</summary>
internal static class NativeCommand
{
    internal static Command Create()
    {
        var first = Option<int>("--first", "Number of the first operation");
        var command = new Command("native", "Compares native operations with float64 (internal)") { first };
        command.Hidden = true;
        return command.Runs((parsed, _) =>
        {
            IReadOnlyList<NativeCheck> checks = NativeOperations.All;
            for (int i = parsed.GetValue(first); i < checks.Count; i++)
            {
                Console.WriteLine($"start {i}");
                Console.WriteLine($"error {i} {checks[i].Error().ToString("R", CultureInfo.InvariantCulture)}");
            }
        });
    }
}
