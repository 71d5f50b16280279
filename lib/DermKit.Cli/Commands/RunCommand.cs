namespace DermKit.Cli;

internal static class RunCommand
{
    internal static Command Create()
    {
        Argument<string[]> notebooks = Arguments("notebooks",
            "Files, names in notebooks/ or beginnings of names (02); the paper's four stages, 01 to 04, when none is "
            + "given");
        var all = Option<bool>("--all", "Runs every notebook of notebooks/, not only the four stages");
        Option<string?> mode = Mode();
        Option<string?> device = Device();
        var set = Option<string[]>("--set",
            "name=value: a new value for a parameter of the notebooks; may be repeated");
        var output = Option<string?>("--out", "Folder of the reports (default: reports/ of the kit)");
        var timeout = Option<double?>("--timeout",
            "Time limit of a cell in seconds; 0 for none (default: 900 in quick mode, else none)");
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } given and not (>= 0 and <= NotebookRunner.MostSeconds))
                result.AddError($"--timeout: expected seconds from 0 to {NotebookRunner.MostSeconds}, found {given}.");
        });
        var command = new Command("run", "Runs notebooks and writes self-contained HTML reports with an index page")
        {
            notebooks, all, mode, device, set, output, timeout
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(all) && result.GetValue(notebooks) is { Length: > 0 })
                result.AddError("--all runs every notebook; name notebooks or pass --all.");
        });
        command.SetAction((parsed, cancellation) =>
        {
            KitSettings settings = parsed.Settings(mode, device);
            string folder = Path.GetFullPath(parsed.GetValue(output) ?? Path.Combine(settings.Root, "reports"));
            double seconds = parsed.GetValue(timeout) ?? (settings.Mode == RunMode.Quick ? 900 : 0);
            var options = new RunOptions
            {
                Root = settings.Root,
                Mode = settings.Mode.ToString().ToLowerInvariant(),
                Device = settings.Device,
                Set = parsed.Pairs(set),
                Timeout = seconds > 0 ? TimeSpan.FromSeconds(seconds) : null,
                // Absolute, because the child works in the notebook's folder.
                Environment = new Dictionary<string, string?>
                {
                    ["KIT_DATA_DIR"] = settings.DataDir,
                    ["KIT_CACHE_DIR"] = settings.CacheDir,
                    ["KIT_REPORTS_DIR"] = folder,
                },
            };
            string[] paths = parsed.GetValue(notebooks) is { Length: > 0 } names
                ? NotebookFiles.Find(settings.Root, names)
                : NotebookFiles.Default(settings.Root, parsed.GetValue(all));
            return new NotebookReports(options, folder).RunAsync(paths, cancellation);
        });
        return command;
    }
}
