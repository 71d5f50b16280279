using System.Globalization;
using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Pretraining;
using DermKit.Reporting;

namespace DermKit.Studies;

/// <summary>Pre-trains with each method and seed and probes each backbone beside an untrained one. Null sets are the
/// configs'; a null export writes the table to the runs' folder, without logs.</summary>
internal sealed class ComparisonRuns(KitSettings settings, MethodPlan plan, IReadOnlyList<ProbeTask> tasks,
    string[]? sets, string folder, string? export, Action<string> say)
{
    private readonly ProbeTask[] _tasks = [.. tasks.Select(t => t.Limit(plan.Images, plan.Images))];
    private readonly List<TaskResult> _results = [];
    private readonly List<PretrainOptions> _trained = [];
    private readonly List<string> _notices = [];
    private int _images;

    internal MethodComparison Run(string[] methods, string command, CancellationToken cancellation)
    {
        ModelDefinition untrained = ModelRegistry.Load(Path.Combine(settings.Root, "data"))["vit-tiny-random"];
        foreach (int seed in TaskSuite.Seeds.Take(plan.Seeds))
        {
            using (var backbone = untrained.Create(seed, settings.TorchDevice()))
                _results.AddRange(BackboneProbing.Run(settings, backbone, MethodComparison.Untrained, _tasks, seed,
                    cancellation: cancellation));
            foreach (string method in methods) Train(method, seed, cancellation);
        }
        var provenance = Provenance.Machine().ToDictionary(p => p.Key, p => p.Value);
        provenance["command"] = command;
        string seeds = string.Join(", ", TaskSuite.Seeds.Take(plan.Seeds));
        string mode = settings.Mode.ToString().ToLowerInvariant();
        provenance["budget"] =
            FormattableString.Invariant(
                $"{plan.Epochs} epochs of {_images} images, seeds {seeds}, configs of mode {mode}");
        foreach (var runs in _trained.GroupBy(o => o.Method))
            provenance[$"config {runs.Key}"] = MethodPlan.Changes(settings, [.. runs]);
        if (_notices.Count > 0) provenance["resumed"] = string.Join(" ", _notices);
        MethodComparison comparison = MethodComparison.Of(_results, provenance);
        comparison.Save(export ?? folder);
        return comparison;
    }

    private void Train(string method, int seed, CancellationToken cancellation)
    {
        PretrainOptions options = plan.Run(settings, method, seed);
        if (sets is not null) options = options with { Sets = sets };
        string name = FormattableString.Invariant($"{method.ToLowerInvariant()}-{seed}");
        using PretrainData data = PretrainData.Open(settings, options, Display.Progress("decoding").Report,
            cancellation);
        using var trainer = new Pretrainer(options, data, settings.TorchDevice(), Path.Combine(folder, name));
        if (trainer.Notice.Length > 0)
        {
            say(trainer.Notice);
            _notices.Add($"{name}: {trainer.Notice}");
        }
        _images = data.Count;
        _trained.Add(trainer.Options);
        TrainingProgress progress = Display.Training($"{method}, seed {seed}");
        trainer.Run(progress.Report, cancellation);
        progress.Close();
        if (export is not null) TrainingLog.Write(Path.Combine(export, name + ".log.jsonl"), trainer.Log);
        TaskResult[] results = [.. BackboneProbing.Run(settings, trainer.Backbone, method, _tasks, seed,
            cancellation: cancellation)];
        _results.AddRange(results);
        string scores = string.Join(", ", results.Select(r => $"{r.Task} {r.Probe} {r.Metrics["f1"]:0.000}"));
        say($"{name}: {trainer.Steps} steps of {options.Batch} images; {scores}");
    }
}
