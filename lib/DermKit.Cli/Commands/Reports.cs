using DermKit.Studies;
using DermKit.Notebooks;
using Spectre.Console;
using System.Globalization;

namespace DermKit.Cli;

/// <summary>Runs notebooks one after another, shows how far they are, and writes a report of each and an index page.</summary>
internal static class Reports
{
    /// <returns>The exit code: 0, 1 when a notebook failed, 130 when the run was cancelled.</returns>
    /// <exception cref="KitException">A notebook cannot be read or a --set name is unknown; nothing was run then.</exception>
    internal static async Task<int> WriteAsync(IReadOnlyList<string> paths, RunOptions options, string folder, CancellationToken cancellation)
    {
        Parameters.CheckNames(options.Set.Keys, [.. paths.Select(NotebookDocument.Load)]);
        foreach (IGrouping<string, string> same in paths.GroupBy(p => Path.GetFileNameWithoutExtension(p)).Where(g => g.Count() > 1))
            throw new KitException($"{string.Join(" and ", same)} would write the same report {same.Key}.html; run them apart, with --out.");
        (string Path, NotebookDocument Notebook)[] prepared = [.. paths.Select(p => (p, NotebookRunner.Prepare(p, options.Set)))];
        var runs = new List<NotebookRun>();
        var terminal = new AnsiConsoleOutput(TerminalWriter.Terminal);
        AnsiConsole.Console = AnsiConsole.Create(new AnsiConsoleSettings { Out = terminal });
        bool live = AnsiConsole.Profile.Capabilities.Interactive && !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("CI") is null;
        foreach ((string path, NotebookDocument notebook) in prepared)
        {
            if (cancellation.IsCancellationRequested) break;
            string name = Path.GetFileNameWithoutExtension(path);
            RunOptions own = options with { Command = CommandLine(path, options, folder) };
            NotebookRun run = live ? await LiveAsync(name, notebook, path, own, cancellation) : await PlainAsync(name, notebook, path, own, cancellation);
            runs.Add(run);
            run.Executed.Save(Path.Combine(folder, name + ".ipynb"));
            string report = Path.Combine(folder, name + ".html");
            // The one before is written again, now with a link to this one.
            foreach (NotebookRun changed in runs.TakeLast(2)) AtomicFile.WriteAllText(Path.Combine(folder, changed.Name + ".html"), HtmlReport.Render(changed, runs));
            string memory = run.Provenance["peak memory"];
            Console.WriteLine($"{(run.Error is null ? "done  " : "FAILED")} {name}  {Text(run.Duration)}, peak {memory}  {Shown(report)}{(run.Error is null ? "" : $"\n       {run.Error}")}");
            AtomicFile.WriteAllText(Path.Combine(folder, "index.html"), IndexPage.Render(runs));
        }
        int failed = runs.Count(r => r.Error is not null);
        Console.WriteLine($"{runs.Count - failed} of {paths.Count} notebooks ran through; index: {Shown(Path.Combine(folder, "index.html"))}");
        return cancellation.IsCancellationRequested ? 130 : failed > 0 ? 1 : 0;
    }

    /// <summary>A line for each cell: for logs and terminals that cannot move the cursor.</summary>
    private static Task<NotebookRun> PlainAsync(string name, NotebookDocument notebook, string path, RunOptions options, CancellationToken cancellation)
    {
        Console.WriteLine($"run    {name}  {options.Mode}, {options.Device}");
        return NotebookRunner.RunAsync(notebook, path, options, p =>
        {
            if (p.Elapsed is { } elapsed)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {p.Cell,3}/{p.Cells,-3} {elapsed.TotalSeconds,7:0.0} s  {p.Title}{(p.Failed ? "  FAILED" : "")}"));
        }, cancellation);
    }

    private static async Task<NotebookRun> LiveAsync(string name, NotebookDocument notebook, string path, RunOptions options, CancellationToken cancellation) =>
        await AnsiConsole.Progress().AutoClear(true)
            .Columns(new SpinnerColumn(), new ProgressBarColumn(), new ElapsedTimeColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(async context =>
            {
                ProgressTask bar = context.AddTask(Markup.Escape(Printable.Of(name)));
                return await NotebookRunner.RunAsync(notebook, path, options, p =>
                {
                    bar.MaxValue = p.Cells;
                    bar.Value = p.Elapsed is null ? p.Cell - 1 : p.Cell;
                    bar.Description = Markup.Escape(Printable.Line($"{name}  {p.Cell}/{p.Cells}  {p.Title}"));
                }, cancellation);
            });

    private static string CommandLine(string path, RunOptions options, string folder)
    {
        string Relative(string full) => Path.GetRelativePath(options.Root, Path.GetFullPath(full)).Replace('\\', '/');
        var words = new List<string> { "dotnet run --project lib/DermKit.Cli -c Release -- run", Relative(path), "--mode", options.Mode, "--device", options.Device };
        foreach ((string name, string value) in options.Set) words.AddRange(["--set", value.Contains(' ') ? $"\"{name}={value}\"" : $"{name}={value}"]);
        if (Relative(folder) != "reports") words.AddRange(["--out", Relative(folder)]);
        return string.Join(' ', words);
    }

    private static string Shown(string path) =>
        Path.GetRelativePath(Environment.CurrentDirectory, path) is var relative && relative.StartsWith("..", StringComparison.Ordinal) ? Path.GetFullPath(path) : relative;

    private static string Text(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes}:{time.Seconds:00} min");
}
