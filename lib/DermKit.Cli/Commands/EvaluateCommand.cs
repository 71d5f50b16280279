using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Evaluation;
using DermKit.Reporting;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit evaluate: the suite without a notebook, resumable, with a leaderboard.</summary>
internal static class EvaluateCommand
{
    internal static Command Create()
    {
        var tasks = new Option<string[]>("--tasks") { Description = "Names in data/tasks (default: every real task whose data is here, else the synthetic ones)", AllowMultipleArgumentsPerToken = true };
        var models = new Option<string[]>("--models") { Description = "Names in data/models, names of files in data/weights, or paths of weights files (default: every one that can be made here, within the mode's size)", AllowMultipleArgumentsPerToken = true };
        var baseline = new Option<string?>("--baseline") { Description = "Model that the others are compared with (default: vit-tiny-random)" };
        var mode = new Option<string?>("--mode") { Description = "quick, workshop or full (default: KIT_MODE, else quick)" };
        mode.AcceptOnlyFromAmong("quick", "workshop", "full");
        var split = new Option<string?>("--split") { Description = "strict (patients and lesions apart, the kit's) or original (the authors' own split) (default: strict)" };
        split.AcceptOnlyFromAmong("strict", "original");
        var geometry = new Option<string?>("--geometry") { Description = "Width x height in pixels that every image is brought to first, antialiased, such as 200x150 (default: as they come)" };
        var precision = new Option<string?>("--precision") { Description = "fp32, or bf16: features in bfloat16 matrix products, up to twice as fast where the processor multiplies them natively; named cls4-bf16 (default: fp32)" };
        precision.AcceptOnlyFromAmong("fp32", "bf16");
        var device = new Option<string?>("--device") { Description = "cpu, cuda or cuda:N (default: KIT_DEVICE, else cpu)" };
        var output = new Option<string?>("--out") { Description = "Folder of results.csv and leaderboard.csv (default: reports/evaluation of the kit)" };
        var command = new Command("evaluate", "Probes frozen models on tasks; what is finished is kept, and the same command goes on") { tasks, models, baseline, split, geometry, precision, mode, device, output };
        // In a task of its own: Ctrl-C and SIGTERM are listened to only once the action has handed its task over.
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            settings = settings with { Device = parsed.GetValue(device) ?? settings.Device, Mode = parsed.GetValue(mode) is { } named ? Enum.Parse<RunMode>(named, ignoreCase: true) : settings.Mode };
            SuitePlan plan = SuitePlan.For(settings.Mode);
            string[]? Named(Option<string[]> option) => parsed.GetValue(option) is { Length: > 0 } names ? names : null;
            plan = plan with { Tasks = Named(tasks), Models = Named(models), Baseline = parsed.GetValue(baseline) ?? plan.Baseline, Version = parsed.GetValue(split) is { } kind ? Enum.Parse<SplitVersion>(kind, ignoreCase: true) : plan.Version, Geometry = SuitePlan.GeometryOf(parsed.GetValue(geometry) ?? ""), Precision = parsed.GetValue(precision) ?? plan.Precision };
            TaskSuite suite = Tasks(settings);
            IReadOnlyList<ProbeTask> opened = SuiteRun.Open(settings, suite, plan);
            IReadOnlyList<ModelDefinition> chosen = SuiteRun.Choose(ModelRegistry.Load(Path.Combine(settings.Root, "data")), plan);
            Console.WriteLine($"{opened.Count} tasks ({string.Join(", ", opened.Select(t => t.Definition.Name))}), {chosen.Count} models ({string.Join(", ", chosen.Select(m => m.Name))}), seeds {string.Join(", ", plan.Seeds)}");
            string last = "";
            SuiteRun run = SuiteRun.Run(settings, opened, chosen, plan, (what, done, all) =>
            {
                if (what != last || done == all) Console.WriteLine($"{what}: {done} of {all} images");
                last = what;
            }, cancellation);
            IReadOnlyList<ComparisonRow> rows = Comparison.MeansAndTable(run.Results, plan.Baseline);
            Console.WriteLine(ProbingReport.Scores("Leaderboard", rows));
            Console.WriteLine(ProbingReport.Ranks(run.Results, plan.Baseline));
            Console.WriteLine(ProbingReport.Remarks(run));
            if (run.Quarantine.Count > 0) Console.WriteLine(ProbingReport.Quarantine(run));
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.Root, "reports", "evaluation");
            Leaderboard.Save(Leaderboard.Results(run.Results), Path.Combine(folder, "results.csv"));
            Leaderboard.Save(Leaderboard.Rows(rows), Path.Combine(folder, "leaderboard.csv"));
            Console.WriteLine($"{run.Results.Count} results in {Path.Combine(settings.CacheDir, "results")}; {Path.Combine(folder, "results.csv")}; {Path.Combine(folder, "leaderboard.csv")}");
            return 0;
        }));
        return command;
    }

    /// <summary>
    /// The tasks of data/tasks; says on the error stream which files are not valid, and goes on with the others.
    /// </summary>
    internal static TaskSuite Tasks(KitSettings settings)
    {
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        foreach (string fault in suite.Broken.Values)
            Console.Error.WriteLine($"kit: {fault} The other tasks are not concerned.");
        return suite;
    }
}
