using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Studies;

namespace DermKit.Cli;

internal static class EvaluateCommand
{
    internal static Command Create()
    {
        Option<string[]> tasks = ListOption("--tasks",
            "Names in data/tasks (default: every real task whose data is here, else the synthetic ones)");
        Option<string[]> models = ListOption("--models",
            "Names in data/models, names of files in data/weights, or paths of weights files (default: every one that "
            + "can be created here, within the mode's size)");
        var baseline = Option<string?>("--baseline",
            "Model that the others are compared with (default: vit-tiny-random)");
        var split = Option<string?>("--split",
            "strict (no patient or lesion on both sides) or original (the authors' own split) (default: strict)");
        split.AcceptOnlyFromAmong("strict", "original");
        var geometry = Option<string?>("--geometry",
            "Width x height in pixels to which every image is resized first, antialiased, such as 200x150 (default: "
            + "not resized)");
        var precision = Option<string?>("--precision",
            "fp32, or bf16: features in bfloat16 matrix products, up to twice as fast where the processor multiplies "
            + "them natively; named cls4-bf16 (default: fp32)");
        precision.AcceptOnlyFromAmong("fp32", "bf16");
        Option<string?> mode = Mode();
        Option<string?> device = Device();
        var output = Option<string?>("--out",
            "Folder of results.csv and leaderboard.csv (default: reports/evaluation of the kit)");
        var publish = Option<string?>("--publish",
            "Writes the numbers, and what it takes to verify them, to a file of this name in data/results, or to a "
            + "path that ends in .json; the prose of a file that is there stays");
        var title = Option<string?>("--title", "With --publish: the title on the page");
        return new Command("evaluate",
            "Probes frozen models on tasks; repeating the command continues after the finished parts")
        {
            tasks, models, baseline, split, geometry, precision, mode, device, output, publish, title
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = parsed.Settings(mode, device);
            SuitePlan plan = SuitePlan.For(settings.Mode);
            plan = plan with
            {
                Tasks = parsed.Named(tasks),
                Models = parsed.Named(models),
                Baseline = parsed.GetValue(baseline) ?? plan.Baseline,
                Version = parsed.GetValue(split) is { } kind ? Enum.Parse<SplitVersion>(kind, ignoreCase: true)
                    : plan.Version,
                Geometry = SuitePlan.GeometryOf(parsed.GetValue(geometry) ?? ""),
                Precision = parsed.GetValue(precision) is { } type ? Enum.Parse<Precision>(type, ignoreCase: true)
                    : plan.Precision,
            };
            string? name = parsed.GetValue(publish);
            // Fails before the run.
            if (name is not null) PublishedFile.PathOf(PublishedFile.Folder(settings), name);
            // The commit is that of the build that runs, not of edits meanwhile.
            var machine = Provenance.Machine();
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.Root, "reports", "evaluation");
            var (opened, chosen, run, rows) = Run(settings, plan, folder, cancellation);
            if (name is null) return;
            Publication made = Publisher.Of(settings, plan, opened, chosen, run, rows,
                [new("command", CommandLine(parsed, settings, run.Stamp)), .. machine], cancellation);
            string path = PublishedRuns.Publish(PublishedFile.Folder(settings), name, parsed.GetValue(title), made);
            Console.WriteLine($"{path}: finding, test and limits are prose by hand; read them again, then run kit "
                + "results.");
        });
    }

    // Reports and skips invalid files.
    internal static TaskSuite Tasks(KitSettings settings)
    {
        TaskSuite suite = TaskSuite.Load(settings.Data());
        foreach (string fault in suite.Broken.Values)
            Console.Error.WriteLine($"kit: {fault} The other tasks are not concerned.");
        return suite;
    }

    // As one can type it, with what the environment sets.
    private static string CommandLine(ParseResult parsed, KitSettings settings, string stamp)
    {
        string words = $"{parsed.Words("--out", "--title")} ";
        string mode = words.Contains(" --mode ") ? "" : $" --mode {settings.Mode.ToString().ToLowerInvariant()}";
        string device = words.Contains(" --device ") || settings.Device == "cpu" ? "" : $" --device {settings.Device}";
        string data = stamp.Contains(Stamps.Synthetic) ? "" : "KIT_DATA_DIR=... ";
        return $"{data}dotnet run --project lib/DermKit.Cli -c Release -- {words.Trim()}{mode}{device}";
    }

    private static (IReadOnlyList<ProbeTask>, IReadOnlyList<ModelDefinition>, SuiteRun, IReadOnlyList<ComparisonRow>)
        Run(KitSettings settings, SuitePlan plan, string folder, CancellationToken cancellation)
    {
        IReadOnlyList<ProbeTask> tasks = SuiteRun.Open(settings, Tasks(settings), plan);
        IReadOnlyList<ModelDefinition> models = SuiteRun.Choose(ModelRegistry.Load(settings.Data()), plan);
        Console.WriteLine($"{tasks.Count} tasks ({string.Join(", ", tasks.Select(t => t.Definition.Name))}), "
            + $"{models.Count} models ({string.Join(", ", models.Select(m => m.Name))}), seeds "
            + $"{string.Join(", ", plan.Seeds)}");
        string last = "";
        SuiteRun run = SuiteRun.Run(settings, tasks, models, plan, (what, done, all) =>
        {
            if (what != last || done == all) Console.WriteLine($"{what}: {done} of {all} images");
            last = what;
        }, cancellation);
        IReadOnlyList<ComparisonRow> rows = Comparison.MeansAndTable(run.Results, plan.Baseline);
        Console.WriteLine(ProbingReport.Scores("Leaderboard", rows));
        Console.WriteLine(ProbingReport.Ranks(run.Results, plan.Baseline));
        Console.WriteLine(ProbingReport.Remarks(run));
        if (run.Quarantine.Count > 0) Console.WriteLine(ProbingReport.Quarantine(run));
        string results = Path.Combine(folder, "results.csv");
        string leaderboard = Path.Combine(folder, "leaderboard.csv");
        TableFiles.WriteCsv(Leaderboard.Results(run.Results).ToDataFrame(), results);
        TableFiles.WriteCsv(Leaderboard.Rows(rows).ToDataFrame(), leaderboard);
        Console.WriteLine($"{run.Results.Count} results in {Path.Combine(settings.CacheDir, "results")}; {results}; "
            + leaderboard);
        return (tasks, models, run, rows);
    }
}
