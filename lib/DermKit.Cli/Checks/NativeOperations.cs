using System.Diagnostics;
using DermKit.Models;

namespace DermKit.Cli;

/// <summary>Compares the kit's native operations with float64, in a child process that a fault may end.</summary>
internal static class NativeOperations
{
    // After so many ends of the child, the other operations are not tried.
    private const int MostEnds = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    internal static IReadOnlyList<NativeCheck> All { get; } = [.. NativeCheck.Small, .. NativeCheck.OfOthers];

    internal static IEnumerable<Check> Checks() => Checks(All, first => new ProcessStartInfo(SessionClient.Dotnet(),
        ["exec", typeof(NativeOperations).Assembly.Location, "native", "--first", $"{first}"]));

    // The child starts at the given number.
    internal static IEnumerable<Check> Checks(IReadOnlyList<NativeCheck> all, Func<int, ProcessStartInfo> child)
    {
        int first = 0, bad = 0, ends = 0;
        while (first < all.Count && ends < MostEnds)
        {
            (int reached, List<(int Number, double Error)> errors, string? end) = Run(child(first));
            foreach ((int number, double error) in errors.Where(e => !(e.Error <= all[e.Number].Bound)))
            {
                bad++;
                string found = !double.IsFinite(error) ? "a result that is not finite"
                    : Invariant($"off by {error:g2} of the largest value, {all[number].Bound:g2} allowed");
                yield return Failed(all[number], found);
            }
            if (end is null) break;
            bad++;
            ends++;
            if (reached < first)
            {
                yield return Check.Fail($"the process that tries native operations {end}",
                    "build again: dotnet build Kit.sln -c Release");
                yield break;
            }
            yield return Failed(all[reached], end);
            first = reached + 1;
        }
        if (bad == 0)
            yield return Check.Pass(
                $"{all.Count} native operations equal float64 within rounding, with their gradients");
        else if (ends == MostEnds && first < all.Count)
            yield return Check.Warn($"operations from number {first + 1} of {all.Count} on were not tried",
                "solve the problems above first");
    }

    private static Check Failed(NativeCheck check, string how) => NativeCheck.OfOthers.Contains(check)
        ? Check.Warn($"{check.Name}: {how}; the kit does not use it",
            "in your own modules write 1x1 as a linear layer, and give larger kernels their input channels last")
        : Check.Fail($"{check.Name}: {how}",
            "libtorch's libraries fail on this processor: use another machine or --device cuda, trust no number from "
            + "here, and report this line");

    // The last operation that started, the errors, and how a failed process ended.
    private static (int Reached, List<(int Number, double Error)> Errors, string? End) Run(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // A signal may end the child; no memory dump is needed.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process process = Process.Start(start)!;
        process.BeginErrorReadLine();
        using var limit = new Timer(_ => process.Kill(entireProcessTree: true), null, Patience,
            Timeout.InfiniteTimeSpan);
        var clock = Stopwatch.StartNew();
        int reached = -1;
        var errors = new List<(int, double)>();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split(' ') is not [var word, var text, ..] parts
                || !int.TryParse(text, CultureInfo.InvariantCulture, out int number)) continue;
            if (word == "start") reached = number;
            else if (word == "error" && double.TryParse(parts[^1], CultureInfo.InvariantCulture, out double error))
                errors.Add((number, error));
        }
        process.WaitForExit();
        if (process.ExitCode == 0) return (reached, errors, null);
        string end = clock.Elapsed >= Patience ? $"did not end within {Patience.TotalMinutes} minutes"
            : ProcessEnd.Describe(process.ExitCode);
        return (reached, errors, end);
    }
}
