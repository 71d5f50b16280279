using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Reporting;
using System.CommandLine;
using System.Globalization;

namespace DermKit.Cli;

/// <summary>kit compare: several methods at one budget, several seeds each, and probes of what they made.</summary>
internal static class CompareCommand
{
    internal static Command Create()
    {
        var methods = new Argument<string[]>("methods") { Description = $"Of {string.Join(", ", PretrainOptions.Methods)} (default: all)", Arity = ArgumentArity.ZeroOrMore };
        methods.AcceptOnlyFromAmong([.. PretrainOptions.Methods]);
        var mode = new Option<string?>("--mode") { Description = "quick, workshop or full: which configs in data/pretraining (default: KIT_MODE, else quick)" };
        mode.AcceptOnlyFromAmong("quick", "workshop", "full");
        var epochs = new Option<int?>("--epochs") { Description = "Passes of each run over its images (default: the mode's)" };
        var seeds = new Option<int?>("--seeds") { Description = "Runs of each method (default: the mode's)" };
        var sets = new Option<string[]>("--sets") { Description = "Data sets to train on, without their frozen test images (default: those of the configs)", AllowMultipleArgumentsPerToken = true };
        var tasks = new Option<string[]>("--tasks") { Description = "Tasks to probe (default: all whose data is here)", AllowMultipleArgumentsPerToken = true };
        var device = new Option<string?>("--device") { Description = "cpu, cuda or cuda:N (default: KIT_DEVICE, else cpu)" };
        var output = new Option<string?>("--out") { Description = "Folder of the runs; those found there are taken up (default: comparison in the cache)" };
        var export = new Option<string?>("--export") { Description = "Folder for the table and the logs, which notebook 01 shows when it is data/results/four-methods" };
        var command = new Command("compare", "Pre-trains with several methods at one budget and probes what they made; stopping loses nothing, and the same command goes on") { methods, mode, epochs, seeds, sets, tasks, device, output, export };
        // In a task of its own: Ctrl-C and SIGTERM are listened to only once the action has handed its task over.
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            settings = settings with { Device = parsed.GetValue(device) ?? settings.Device, Mode = parsed.GetValue(mode) is { } named ? Enum.Parse<RunMode>(named, ignoreCase: true) : settings.Mode };
            MethodPlan plan = MethodPlan.For(settings.Mode);
            plan = plan with { Epochs = parsed.GetValue(epochs) ?? plan.Epochs, Seeds = parsed.GetValue(seeds) ?? plan.Seeds };
            if (plan.Epochs < 1 || plan.Seeds < 1 || plan.Seeds > TaskSuite.Seeds.Count) throw new KitException($"kit compare: expected at least one epoch and 1 to {TaskSuite.Seeds.Count} seeds, found {plan.Epochs} and {plan.Seeds}.");
            string[] chosen = parsed.GetValue(methods) is { Length: > 0 } some ? some : [.. PretrainOptions.Methods];
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.CacheDir, "comparison");
            string? target = parsed.GetValue(export);
            TaskSuite suite = EvaluateCommand.Tasks(settings);
            ProbeTask[] probed = [.. SuiteRun.Open(settings, suite, SuitePlan.For(settings.Mode) with { Tasks = parsed.GetValue(tasks) is { Length: > 0 } names ? names : null }).Select(t => t.Limit(plan.Images, plan.Images))];
            ModelDefinition untrained = ModelRegistry.Load(Path.Combine(settings.Root, "data"))["vit-tiny-random"];
            var results = new List<TaskResult>();
            var trained = new List<PretrainOptions>();
            var notices = new List<string>();
            int images = 0;
            foreach (int seed in TaskSuite.Seeds.Take(plan.Seeds))
            {
                using (var backbone = untrained.Create(seed, settings.TorchDevice())) results.AddRange(BackboneProbing.Run(settings, backbone, MethodComparison.Untrained, probed, seed, cancellation: cancellation));
                foreach (string method in chosen)
                {
                    PretrainOptions options = plan.Run(settings, method, seed);
                    if (parsed.GetValue(sets) is { Length: > 0 } from) options = options with { Sets = from };
                    string name = string.Create(CultureInfo.InvariantCulture, $"{method.ToLowerInvariant()}-{seed}"), run = Path.Combine(folder, name);
                    using PretrainData data = PretrainData.Open(settings, options, Display.Progress("decoding").Report, cancellation);
                    using var trainer = new Pretrainer(options, data, settings.TorchDevice(), run);
                    if (trainer.Notice.Length > 0)
                    {
                        Console.WriteLine(trainer.Notice);
                        notices.Add($"{name}: {trainer.Notice}");
                    }
                    images = data.Count;
                    trained.Add(trainer.Options);
                    TrainingProgress progress = Display.Training($"{method}, seed {seed}");
                    trainer.Run(progress.Report, cancellation);
                    progress.Close();
                    if (target is not null) TrainingLog.Write(Path.Combine(target, name + ".log.jsonl"), trainer.Log);
                    results.AddRange(BackboneProbing.Run(settings, trainer.Backbone, method, probed, seed, cancellation: cancellation));
                    Console.WriteLine($"{name}: {trainer.Steps} steps of {options.Batch} images; {string.Join(", ", results.TakeLast(probed.Length * 2).Select(r => $"{r.Task} {r.Probe} {r.Metrics["f1"]:0.000}"))}");
                }
            }
            var provenance = Provenance.Machine().ToDictionary(p => p.Key, p => p.Value);
            // Folders of this machine say nothing to a reader.
            string[] words = [.. parsed.Tokens.Select(t => t.Value)];
            provenance["command"] = "kit " + string.Join(' ', words.Where((word, i) => word is not ("--out" or "--export") && (i == 0 || words[i - 1] is not ("--out" or "--export"))));
            provenance["budget"] = string.Create(CultureInfo.InvariantCulture, $"{plan.Epochs} epochs of {images} images, seeds {string.Join(", ", TaskSuite.Seeds.Take(plan.Seeds))}, configs of mode {settings.Mode.ToString().ToLowerInvariant()}");
            foreach (var runs in trained.GroupBy(o => o.Method))
                provenance[$"config {runs.Key}"] = MethodPlan.Changes(settings, [.. runs]);
            if (notices.Count > 0) provenance["resumed"] = string.Join(" ", notices);
            MethodComparison comparison = MethodComparison.Of(results, provenance);
            comparison.Save(target ?? folder);
            foreach (ComparisonRow row in comparison.Means.Concat(comparison.Rows))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Task,-40} {row.Probe,-7} {row.Model,-10} F1 {row.Score.Value:0.000} [{row.Score.Low:0.000}, {row.Score.High:0.000}]{(row.AgainstBaseline is { Difference: var d } ? $"  minus untrained {d.Value:+0.000;-0.000} [{d.Low:+0.000;-0.000}, {d.High:+0.000;-0.000}]" : "")}"));
            Console.WriteLine(Path.Combine(target ?? folder, MethodComparison.FileName));
            return 0;
        }));
        return command;
    }
}
