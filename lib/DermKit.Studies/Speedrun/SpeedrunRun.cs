using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using static System.FormattableString;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Trains a plan within its minutes, probes the backbone and writes the entry.</summary>
internal sealed class SpeedrunRun(KitSettings settings, SpeedrunPlan asked, Action<string> say)
{
    private static readonly ProbingOptions Probes = new()
    {
        Probes = [.. Probe.All, .. Probe.All.Select(p => new PermutedLabels(p))],
        Metrics = [.. Metric.All.Where(m => m.Name == "f1")],
        // Intervals are those of means.
        Resamples = 0,
    };

    private readonly SpeedrunPlan plan = asked.Checked(settings, SpeedrunPlan.Threads);

    // Of the budget.
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    // Changes a task before it is probed, such as to fewer images.
    public Func<ProbeTask, ProbeTask> Limit { get; init; } = task => task;

    private string Weights => Path.Combine(settings.CacheDir, "speedrun", plan.Name + ".safetensors");

    // With final, an entry of the same name and settings is scored on the frozen test images without training.
    public SpeedrunEntry Run(bool final, CancellationToken cancellation = default)
    {
        var ledger = new SpeedrunLedger(settings, plan.IsDrawn);
        IReadOnlyList<SpeedrunEntry> entries = ledger.Entries();
        SpeedrunEntry? entry = entries.FirstOrDefault(e => e.Name == plan.Name);
        if (entry is not null) CheckAgain(entry, final);
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        ProbeTask[] tasks = [.. plan.Tasks.Select(name => Limit(TaskSuite.Open(suite[name], settings)))];
        if (entry is null)
        {
            entry = Enter(tasks, cancellation);
            ledger.Write(entry);
        }
        if (!final) return entry;
        if (entries.FirstOrDefault(e => e.Test is not null && e.Weights == entry.Weights) is { } twin)
            throw new KitException($"Entry '{plan.Name}' has the weights of '{twin.Name}', which are scored on the "
                + "frozen test images already; this is done once.");
        entry = entry with { Test = Scores(tasks, () => { }, cancellation) };
        ledger.Write(entry);
        return entry;
    }

    private void CheckAgain(SpeedrunEntry entry, bool final)
    {
        if (entry.Test is not null)
            throw new KitException($"Entry '{entry.Name}' is scored on the frozen test images, which is done once.");
        if (!final)
            throw new KitException($"Entry '{entry.Name}' is in the ledger: --final scores it on the frozen test "
                + "images, another --name makes another entry.");
        string made = Settings(entry.Config, entry.Seed, entry.Minutes);
        string found = Settings(plan.Config(), plan.Options.Seed, plan.Minutes);
        if (made != found)
            throw new KitException($"Entry '{entry.Name}' was made with {made}; found {found}. Give another --name.");
        if (!File.Exists(Weights) || WeightLoader.FileHash(Weights) != entry.Weights)
            throw new KitException($"{Weights}: expected the entry's weights, SHA-256 {entry.Weights}; bring them back "
                + "or train under another --name.");

        static string Settings(object config, int seed, double minutes) =>
            Invariant($"seed {seed}, {minutes} minutes and {JsonSerializer.Serialize(config)}");
    }

    private SpeedrunEntry Enter(ProbeTask[] tasks, CancellationToken cancellation)
    {
        PretrainOptions options = plan.Options;
        using PretrainData data = PretrainData.Open(settings, options, Display.Progress("decoding").Report,
            cancellation);
        if (data.Unreadable.Length > 0) say(data.Unreadable);
        using var trainer = new Pretrainer(options, data, CPU) { Clock = Clock };
        string hash = "";
        SpeedrunScores scores = Scores([.. tasks.Select(t => t.WithinTraining())], () =>
        {
            TrainingProgress progress = Display.Training(plan.Name);
            trainer.RunWithin(TimeSpan.FromMinutes(plan.Minutes), progress.Report, cancellation);
            progress.Close();
            // No provenance in the file: the same weights have the same hash.
            hash = BackboneExport.Write(Path.GetDirectoryName(Weights)!, plan.Name, trainer, options, data,
                new Dictionary<string, string>());
        }, cancellation);
        var provenance = Provenance.Machine().Append(new("threads", Invariant($"{SpeedrunPlan.Threads}")));
        return new()
        {
            Name = plan.Name,
            Stamp = data.Stamp,
            Minutes = plan.Minutes,
            MinutesTrained = Math.Round(trainer.Elapsed.TotalMinutes, 3),
            Seed = options.Seed,
            Config = plan.Config(),
            Steps = trainer.Done,
            StepsOfConfig = trainer.Steps,
            ImagesPerSecond = Math.Round(trainer.Done * options.Batch / trainer.Elapsed.TotalSeconds, 1),
            Weights = hash,
            Validation = scores,
            Provenance = new(provenance.ToDictionary(), StringComparer.Ordinal),
        };
    }

    // The untrained backbone comes first: what stops a probe is found before the training.
    private SpeedrunScores Scores(IReadOnlyList<ProbeTask> tasks, Action train, CancellationToken cancellation)
    {
        using PretrainMethod method = plan.Options.Create(CPU);
        KeptMean untrained = Probe("untrained").Own;
        train();
        WeightLoader.LoadStrict(method.Backbone, Weights);
        (KeptMean own, KeptMean permuted) = Probe(plan.Name);
        return new() { Trained = own, Permuted = permuted, Untrained = untrained };

        (KeptMean Own, KeptMean Permuted) Probe(string name)
        {
            var results = BackboneProbing.Run(settings, method.Backbone, name, tasks, TaskSuite.Seeds, Probes,
                Display.Progress($"features, {name}").Report, cancellation)
                .ToLookup(r => r.Probe.EndsWith(PermutedLabels.Suffix, StringComparison.Ordinal));
            return (KeptMean.Of([.. results[false]]), KeptMean.Of([.. results[true]]));
        }
    }
}
