using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Models;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace DermKit.Cli;

/// <summary>Compares the native operations that the kit uses with float64 in a child process, which a bad one can end.</summary>
internal static class NativeOperations
{
    /// <summary>After so many operations that end the process the rest is left untried.</summary>
    private const int MostEnds = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>kit native: what the doctor starts; it prints each operation's number before it, and its error after it.</summary>
    internal static Command Create()
    {
        var first = new Option<int>("--first") { Description = "Number of the first operation" };
        var command = new Command("native", "Compares native operations with float64 (internal)") { first };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            IReadOnlyList<NativeCheck> checks = All;
            for (int i = parsed.GetValue(first); i < checks.Count; i++)
            {
                Console.WriteLine($"start {i}");
                Console.WriteLine($"error {i} {checks[i].Error().ToString("R", CultureInfo.InvariantCulture)}");
            }
            return 0;
        });
        return command;
    }

    /// <summary>A line for each operation that fails, or one that says that none does.</summary>
    internal static IEnumerable<Check> Checks() =>
        Checks(All, first => new ProcessStartInfo(Notebooks.SessionClient.Dotnet(), ["exec", typeof(NativeOperations).Assembly.Location, "native", "--first", $"{first}"]));

    /// <summary>The same with another child, for tests.</summary>
    /// <param name="all">The operations behind the child's numbers.</param>
    /// <param name="child">Starts at an operation.</param>
    internal static IEnumerable<Check> Checks(IReadOnlyList<NativeCheck> all, Func<int, ProcessStartInfo> child)
    {
        int first = 0, bad = 0, ends = 0;
        while (first < all.Count && ends < MostEnds)
        {
            (int reached, List<(int Number, double Error)> errors, string? end) = Run(child(first));
            foreach ((int number, double error) in errors.Where(e => !(e.Error <= all[e.Number].Bound)))
            {
                bad++;
                yield return Failed(all[number], double.IsFinite(error)
                    ? string.Create(CultureInfo.InvariantCulture, $"off by {error:g2} of the largest value, {all[number].Bound:g2} allowed")
                    : "a result that is not finite");
            }
            if (end is null) break;
            bad++;
            ends++;
            if (reached < first)
            {
                yield return new(CheckStatus.Fail, "native", $"the process that tries native operations {end}", "build again: dotnet build Kit.sln -c Release");
                yield break;
            }
            yield return Failed(all[reached], end);
            first = reached + 1;
        }
        if (bad == 0) yield return new(CheckStatus.Pass, "native", $"{all.Count} native operations equal float64 within rounding, with their gradients");
        else if (ends == MostEnds && first < all.Count) yield return new(CheckStatus.Warn, "native", $"operations from number {first + 1} of {all.Count} on were not tried", "mend the lines above first");
    }

    private static IReadOnlyList<NativeCheck> All { get; } = [.. NativeCheck.Small, .. NativeCheck.OfOthers];

    private static Check Failed(NativeCheck check, string how) => NativeCheck.OfOthers.Contains(check)
        ? new(CheckStatus.Warn, "native", $"{check}: {how}; the kit does not use it", "write it as a linear layer in modules of your own")
        : new(CheckStatus.Fail, "native", $"{check}: {how}",
            "libtorch's libraries fail on this processor: take another machine or --device cuda, trust no number made here, and report this line");

    /// <summary>The last operation begun, the errors of those that ended, and how the process ended if it did not end well.</summary>
    private static (int Reached, List<(int Number, double Error)> Errors, string? End) Run(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // A signal that ends the child is what is looked for; a dump of its memory is not.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        using var limit = new Timer(_ => process.Kill(entireProcessTree: true), null, Patience, Timeout.InfiniteTimeSpan);
        var clock = Stopwatch.StartNew();
        int reached = -1;
        var errors = new List<(int, double)>();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split(' ') is not [var word, var text, ..] parts || !int.TryParse(text, CultureInfo.InvariantCulture, out int number)) continue;
            if (word == "start") reached = number;
            else if (word == "error" && double.TryParse(parts[^1], CultureInfo.InvariantCulture, out double error)) errors.Add((number, error));
        }
        process.WaitForExit();
        if (process.ExitCode == 0) return (reached, errors, null);
        string end = clock.Elapsed >= Patience ? $"did not end within {Patience.TotalMinutes} minutes" : ProcessEnd.Describe(process.ExitCode);
        return (reached, errors, end);
    }
}
