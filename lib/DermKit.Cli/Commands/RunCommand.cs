using DermKit.Studies;
using DermKit.Notebooks;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit run: notebooks to HTML reports.</summary>
internal static class RunCommand
{
    internal static Command Create()
    {
        var notebooks = new Argument<string[]>("notebooks") { Description = "Files, or names in notebooks/ or their beginnings (02); all of notebooks/*.ipynb when none is given", Arity = ArgumentArity.ZeroOrMore };
        var mode = new Option<string?>("--mode") { Description = "quick, workshop or full (default: KIT_MODE, else quick)" };
        mode.AcceptOnlyFromAmong("quick", "workshop", "full");
        var device = new Option<string?>("--device") { Description = "cpu, cuda or cuda:N (default: KIT_DEVICE, else cpu)" };
        var set = new Option<string[]>("--set") { Description = "name=value: a new value for a parameter of the notebooks; may be repeated", Arity = ArgumentArity.ZeroOrMore };
        var output = new Option<string>("--out") { Description = "Folder of the reports (default: reports/ of the kit)" };
        var timeout = new Option<double?>("--timeout") { Description = "Time limit of a cell in seconds; 0 for none (default: 900 in quick mode, else none)" };
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } given and not (>= 0 and <= NotebookRunner.MostSeconds)) result.AddError($"--timeout: expected seconds from 0 to {NotebookRunner.MostSeconds}, found {given}.");
        });
        var command = new Command("run", "Runs notebooks and writes self-contained HTML reports with an index page") { notebooks, mode, device, set, output, timeout };
        command.SetAction(async (parsed, cancellation) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string chosen = parsed.GetValue(mode) ?? settings.Mode.ToString().ToLowerInvariant();
            double seconds = parsed.GetValue(timeout) ?? (chosen == "quick" ? 900 : 0);
            var options = new RunOptions
            {
                Root = settings.Root,
                Mode = chosen,
                Device = parsed.GetValue(device) ?? settings.Device,
                Set = Pairs(parsed.GetValue(set) ?? []),
                Timeout = seconds > 0 ? TimeSpan.FromSeconds(seconds) : null,
                // The child works in the notebook's folder, where a relative path would name another place.
                Environment = new Dictionary<string, string?> { ["KIT_DATA_DIR"] = settings.DataDir, ["KIT_CACHE_DIR"] = settings.CacheDir },
            };
            return await Reports.WriteAsync(NotebookFiles.Find(settings.Root, parsed.GetValue(notebooks) ?? []), options, parsed.GetValue(output) ?? Path.Combine(settings.Root, "reports"), cancellation);
        });
        return command;
    }

    internal static Dictionary<string, string> Pairs(string[] set)
    {
        var pairs = new Dictionary<string, string>();
        foreach (string pair in set)
        {
            int at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0) throw new KitException($"--set {pair}: expected name=value.");
            pairs[pair[..at].Trim()] = pair[(at + 1)..];
        }
        return pairs;
    }
}
