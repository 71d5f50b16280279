using DermKit.Pretraining;

namespace DermKit.Studies;

/// <summary>A <see cref="MethodStudy"/> with its runs in a folder, where they continue. Null sets are the configs'; a
/// null export writes the table to the runs' folder, without logs.</summary>
internal static class ComparisonRuns
{
    internal static MethodComparison Run(KitSettings settings, MethodPlan plan, IReadOnlyList<ProbeTask> tasks,
        string[] methods, string[]? sets, string folder, string? export, string command, Action<string> say,
        CancellationToken cancellation)
    {
        var notices = new List<string>();
        int images = 0;
        ProbeTask[] limited = [.. tasks.Select(t => t.Limit(plan.Images, plan.Images))];
        MethodStudy study = MethodStudy.Run(settings, plan, methods, limited, Train, cancellation);
        var provenance = Provenance.Machine().ToDictionary(p => p.Key, p => p.Value);
        provenance["command"] = command;
        string seeds = string.Join(", ", TaskSuite.Seeds.Take(plan.Seeds));
        string mode = settings.Mode.ToString().ToLowerInvariant();
        provenance["budget"] = FormattableString.Invariant(
            $"{plan.Epochs} epochs of {images} images, seeds {seeds}, configs of mode {mode}");
        foreach (var runs in study.Runs.Select(r => r.Options).GroupBy(o => o.Method))
            provenance[$"config {runs.Key}"] = MethodPlan.Changes(settings, [.. runs]);
        if (notices.Count > 0) provenance["resumed"] = string.Join(" ", notices);
        MethodComparison comparison = MethodComparison.Of(study.Results, provenance);
        comparison.Save(export ?? folder);
        return comparison;

        void Train(PretrainOptions options, Func<Pretrainer, TaskResult[]> probe)
        {
            options = options with { Sets = sets ?? options.Sets };
            string name = FormattableString.Invariant($"{options.Method.ToLowerInvariant()}-{options.Seed}");
            using PretrainData data = PretrainData.Open(settings, options, Display.Progress("decoding").Report,
                cancellation);
            using var trainer = new Pretrainer(options, data, settings.TorchDevice(), Path.Combine(folder, name));
            if (trainer.Notice.Length > 0)
            {
                say(trainer.Notice);
                notices.Add($"{name}: {trainer.Notice}");
            }
            images = data.Count;
            TrainingProgress progress = Display.Training($"{options.Method}, seed {options.Seed}");
            trainer.Run(progress.Report, cancellation);
            progress.Close();
            if (export is not null) TrainingLog.Write(Path.Combine(export, name + ".log.jsonl"), trainer.Log);
            IEnumerable<string> scores = probe(trainer).Select(r => $"{r.Task} {r.Probe} {r.Metrics["f1"]:0.000}");
            say($"{name}: {trainer.Steps} steps of {options.Batch} images; {string.Join(", ", scores)}");
        }
    }
}
