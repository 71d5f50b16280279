using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Studies;

namespace DermKit.Cli;

internal static class CompareCommand
{
    internal static Command Create()
    {
        Argument<string[]> methods = Arguments("methods",
            $"Of {string.Join(", ", PretrainOptions.Methods)} (default: all)");
        methods.AcceptOnlyFromAmong([.. PretrainOptions.Methods]);
        Option<string?> mode = Mode();
        var epochs = Option<int?>("--epochs", "Passes of each run over its images (default: the mode's)");
        var seeds = Option<int?>("--seeds", "Runs of each method (default: the mode's)");
        Option<string[]> sets = ListOption("--sets",
            "Data sets to train on, without their frozen test images (default: those of the configs)");
        Option<string[]> tasks = ListOption("--tasks", "Tasks to probe (default: all whose data is here)");
        Option<string?> device = Device();
        var output = Option<string?>("--out",
            "Folder of the runs; runs in it continue (default: comparison in the cache)");
        var export = Option<string?>("--export",
            "Folder for the table and the logs, which notebook 10 shows when it is data/results/four-methods");
        return new Command("compare",
            "Pre-trains with several methods at one budget and probes the backbones; a stopped run loses nothing, and "
            + "the same command continues it")
        {
            methods, mode, epochs, seeds, sets, tasks, device, output, export
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = parsed.Settings(mode, device);
            MethodPlan plan = MethodPlan.For(settings.Mode);
            plan = plan with
            {
                Epochs = parsed.GetValue(epochs) ?? plan.Epochs,
                Seeds = parsed.GetValue(seeds) ?? plan.Seeds,
            };
            if (plan.Epochs < 1 || plan.Seeds < 1 || plan.Seeds > TaskSuite.Seeds.Count)
                throw new KitException($"kit compare: expected at least one epoch and 1 to {TaskSuite.Seeds.Count} "
                    + $"seeds, found {plan.Epochs} and {plan.Seeds}.");
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.CacheDir, "comparison");
            SuitePlan suite = SuitePlan.For(settings.Mode) with { Tasks = parsed.Named(tasks) };
            string[] chosen = parsed.GetValue(methods) is { Length: > 0 } some ? some : [.. PretrainOptions.Methods];
            MethodComparison comparison = ComparisonRuns.Run(settings, plan,
                SuiteRun.Open(settings, EvaluateCommand.Tasks(settings), suite), chosen, parsed.Named(sets), folder,
                parsed.GetValue(export), $"kit {parsed.Words("--out", "--export")}", Console.WriteLine, cancellation);
            Console.WriteLine(ProbingReport.Scores("Comparison", [.. comparison.Means, .. comparison.Rows]));
            Console.WriteLine(Path.Combine(parsed.GetValue(export) ?? folder, MethodComparison.FileName));
        });
    }
}
