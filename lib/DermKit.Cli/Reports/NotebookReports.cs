using System.Diagnostics;
using DermKit.Reporting;

namespace DermKit.Cli;

/// <summary>Runs notebooks in turn, and writes a report of each and an index page.</summary>
internal sealed class NotebookReports(RunOptions options, string folder)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<NotebookRun> _runs = [];

    internal async Task<int> RunAsync(IReadOnlyList<string> paths, CancellationToken cancellation)
    {
        Parameters.CheckNames(options.Set.Keys, [.. paths.Select(NotebookDocument.Load)]);
        foreach (IGrouping<string, string> same in paths.GroupBy(Name).Where(g => g.Count() > 1))
            throw new KitException($"{string.Join(" and ", same)} would write the same report {same.Key}.html; run "
                + "them separately, with --out.");
        NotebookDocument[] notebooks = [.. paths.Select(p => NotebookRunner.Prepare(p, options.Set))];
        StartedNotebook? next = NotebookRunner.Start(paths[0], options, cancellation);
        try
        {
            for (int i = 0; next is { } started; i++)
            {
                next = null;
                Console.WriteLine($"run    {Name(paths[i])}  {options.Mode}, {options.Device}");
                RunOptions own = options with { Command = CommandLine(paths[i]) };
                NotebookRun run =
                    await NotebookRunner.RunAsync(notebooks[i], paths[i], own, Print, cancellation, started);
                // The next child process starts while this report is written.
                if (i + 1 < paths.Count && !cancellation.IsCancellationRequested)
                    next = NotebookRunner.Start(paths[i + 1], options, cancellation);
                Write(run);
            }
        }
        finally
        {
            // Started, and no report was written before its notebook.
            if (next is not null) await SessionClient.EndAsync(next.Client);
        }
        int failed = _runs.Count(r => r.Error is not null);
        Console.WriteLine(
            $"{_runs.Count - failed} of {paths.Count} notebooks ran to the end in {Text(_clock.Elapsed)}; index: "
                + $"{Shown(Path.Combine(folder, "index.html"))}");
        return cancellation.IsCancellationRequested ? 130 : failed > 0 ? 1 : 0;
    }

    private void Write(NotebookRun run)
    {
        _runs.Add(run);
        run.Executed.Save(Path.Combine(folder, run.Name + ".ipynb"));
        // The previous report gets a link to this one.
        foreach (NotebookRun changed in _runs.TakeLast(2))
            AtomicFile.WriteAllText(Path.Combine(folder, changed.Name + ".html"), HtmlReport.Render(changed, _runs));
        AtomicFile.WriteAllText(Path.Combine(folder, "index.html"), IndexPage.Render(_runs));
        Console.WriteLine($"{(run.Error is null ? "done  " : "FAILED")} {run.Name}  {Text(run.Duration)}, peak "
            + $"{run.Provenance["peak memory"]}  {Shown(Path.Combine(folder, run.Name + ".html"))} "
            + $"{Text(_clock.Elapsed)} after the start{(run.Error is null ? "" : $"\n       {run.Error}")}");
    }

    // A line for each cell; a terminal shows the running one too.
    private static void Print(CellProgress cell)
    {
        string time = cell.Elapsed is { } elapsed ? Invariant($"{elapsed.TotalSeconds:0.0} s") : "";
        string line = $"  {cell.Cell,3}/{cell.Cells,-3} {time,9}  {(cell.Failed ? "FAILED  " : "")}{cell.Title}";
        bool isLive = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("CI") is null;
        if (isLive) line = Display.Line(line, Console.WindowWidth);
        if (cell.Elapsed is not null) Console.WriteLine(line);
        else if (isLive) Console.Write(line);
    }

    private string CommandLine(string path)
    {
        string Relative(string full) => Path.GetRelativePath(options.Root, Path.GetFullPath(full)).Replace('\\', '/');
        var words = new List<string>
        {
            NotebookHosts.Kit, "run", Relative(path), "--mode", options.Mode, "--device", options.Device,
        };
        foreach ((string name, string value) in options.Set)
            words.AddRange(["--set", value.Contains(' ') ? $"\"{name}={value}\"" : $"{name}={value}"]);
        if (Relative(folder) != "reports") words.AddRange(["--out", Relative(folder)]);
        return string.Join(' ', words);
    }

    private static string Name(string path) => Path.GetFileNameWithoutExtension(path);

    private static string Shown(string path)
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, path);
        return relative.StartsWith("..", Ordinal) ? Path.GetFullPath(path) : relative;
    }

    private static string Text(TimeSpan time) =>
        Invariant($"{(int)time.TotalMinutes}:{time.Seconds:00} min");
}
