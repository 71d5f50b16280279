using System.Diagnostics;
using Spectre.Console;

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
        AnsiConsole.Console = AnsiConsole.Create(
            new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TerminalWriter.Terminal) });
        bool live = AnsiConsole.Profile.Capabilities.Interactive && !Console.IsOutputRedirected
            && Environment.GetEnvironmentVariable("CI") is null;
        StartedNotebook? next = NotebookRunner.Start(paths[0], options, cancellation);
        for (int i = 0; next is { } started; i++)
        {
            Task<NotebookRun> Run(Action<CellProgress> progress) => NotebookRunner.RunAsync(notebooks[i], paths[i],
                options with { Command = CommandLine(paths[i]) }, progress, cancellation, started);
            NotebookRun run = live ? await ShowBarAsync(Name(paths[i]), Run)
                : await PrintLinesAsync(Name(paths[i]), Run);
            // The next child process starts while this report is written.
            bool last = i + 1 == paths.Count || cancellation.IsCancellationRequested;
            next = last ? null : NotebookRunner.Start(paths[i + 1], options, cancellation);
            Write(run);
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

    // For logs and terminals that cannot move the cursor.
    private Task<NotebookRun> PrintLinesAsync(string name, Func<Action<CellProgress>, Task<NotebookRun>> run)
    {
        Console.WriteLine($"run    {name}  {options.Mode}, {options.Device}");
        return run(p =>
        {
            if (p.Elapsed is not { } elapsed) return;
            string cell = Invariant($"  {p.Cell,3}/{p.Cells,-3} {elapsed.TotalSeconds,7:0.0} s");
            Console.WriteLine($"{cell}  {p.Title}{(p.Failed ? "  FAILED" : "")}");
        });
    }

    private static Task<NotebookRun> ShowBarAsync(string name, Func<Action<CellProgress>, Task<NotebookRun>> run)
    {
        var title = new TaskDescriptionColumn { Alignment = Justify.Left };
        return AnsiConsole.Progress().AutoClear(true)
            .Columns(new SpinnerColumn(), new ProgressBarColumn(), new ElapsedTimeColumn(), title)
            .StartAsync(context =>
            {
                ProgressTask bar = context.AddTask(Markup.Escape(Printable.Of(name)));
                return run(p =>
                {
                    bar.MaxValue = p.Cells;
                    bar.Value = p.Elapsed is null ? p.Cell - 1 : p.Cell;
                    bar.Description = Markup.Escape(Printable.Line($"{name}  {p.Cell}/{p.Cells}  {p.Title}"));
                });
            });
    }

    private string CommandLine(string path)
    {
        string Relative(string full) => Path.GetRelativePath(options.Root, Path.GetFullPath(full)).Replace('\\', '/');
        var words = new List<string>
        {
            "dotnet run --project lib/DermKit.Cli -c Release -- run", Relative(path), "--mode", options.Mode,
            "--device", options.Device,
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
