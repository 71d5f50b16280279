using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using System.Diagnostics;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>One arm, task and seed. A frozen probe has no epochs and best 0. Seconds are training, validation and test,
/// or fitting the probe, without decoding and extraction.</summary>
public sealed record TunedResult(string Arm, TaskResult Result, IReadOnlyList<TuningEpoch> Epochs, int Best,
    int ValidationImages, double Seconds);

/// <summary>Linear probe, then full fine-tuning (LP-FT, arXiv 2202.10054), against the frozen probe on the same test
/// units. Fine-tuning trains on 85 % of the training units and chooses the epoch on the rest; the frozen probe gets
/// all.</summary>
public sealed record FineTuningRun(IReadOnlyList<TunedResult> Results, FineTuningPlan Plan, SuiteRun Suite)
{
    // Increase when training gives other numbers for the same options: kept results are then made again.
    internal const int Protocol = 2;

    /// <summary>Opens the plan's tasks, else the diagnoses of the available real sets, else the drawn set's.</summary>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, FineTuningPlan plan) =>
        StudyPlans.Open(settings, suite, plan.Suite, ["isic2017-diagnosis", "pad-diagnosis", "ham10000-diagnosis"],
            "synthetic-diagnosis");

    /// <summary>Runs the plan; reuses results for the same inputs, so an interrupted run continues.</summary>
    /// <exception cref="KitException">A missing model, an option out of range, a class without training image, or a
    /// loss that is not finite.</exception>
    public static FineTuningRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, ModelRegistry registry,
        FineTuningPlan plan, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        plan.Options.Check();
        SuitePlan suite = plan.Suite with
        {
            Models = [.. plan.Arms.Select(a => a.Model).Distinct()],
            Baseline = plan.Model,
            Probing = plan.Suite.Probing with { Probes = ["linear"] },
        };
        ModelDefinition[] models =
            [.. SuiteRun.Choose(registry, suite).Select(m => m with { Side = plan.Options.Side })];
        if (Array.Find(models, m => m.IsOnnx) is { } frozen) throw OnnxEncoder.Frozen($"Model '{frozen.Name}'");
        var found = new List<TunedResult>();
        var parts = new List<SuiteRun>();
        tasks = SuiteRun.Bring(settings, tasks, suite, progress, cancellation);
        foreach (ProbeTask task in tasks)
        {
            // One task at a time, so that results do not depend on the other tasks.
            string[] paths = [.. task.Table.Paths.Distinct(StringComparer.Ordinal)];
            string decoding = $"decoding for crops: {task.Definition.Name}";
            using ImageCache source = ImageCache.Build(settings.CacheDir, paths, plan.Options.Source,
                (done, all) => progress?.Invoke(decoding, done, all), cancellation);
            parts.Add(SuiteRun.Visit(settings, [task], models, suite, null, visit =>
            {
                using ImageCache seen = ImageCache.Build(settings.CacheDir, paths, visit.Model.Transform,
                    cancellation: cancellation);
                if (!source.ContentHashes.SequenceEqual(seen.ContentHashes))
                    throw new KitException($"Task '{task.Definition.Name}': images were changed while this ran; run "
                        + "again.");
                foreach (TuningArm arm in plan.Arms.Where(a => a.Model == visit.Model.Name))
                    found.Add(Run(settings, visit, source, seen, arm, suite.Probing, progress, cancellation));
            }, progress, cancellation));
        }
        return new(found, plan, new([.. found.Select(f => f.Result)], tasks,
            [.. parts.SelectMany(p => p.Extractions)],
            [.. parts.SelectMany(p => p.Quarantine).DistinctBy(q => q.Path)]));
    }

    // Features and both caches hold the task's images, row by row.
    private static TunedResult Run(KitSettings settings, TaskFeatures visit, ImageCache source, ImageCache seen,
        TuningArm arm, ProbingOptions probing, Action<string, int, int>? progress, CancellationToken cancellation)
    {
        ProbeTask task = visit.Task;
        int seed = visit.Seed;
        Results Folder(string name) => new(Path.Combine(settings.CacheDir, name));
        if (arm.Options is not { } options)
        {
            TaskResult probed = Probing.Run(visit.Features, visit.Source, task, seed, probing, Folder("results"),
                visit.RowOf)[0];
            return new(arm.Name, probed, [], 0, 0, probed.Seconds);
        }
        (_, int[] train, int[] test, string dataHash, string unread) =
            Probing.Parts(visit.Features, visit.Source, task, seed, visit.RowOf);
        LinearProbe linear = probing.Probes.OfType<LinearProbe>().First();
        string probe = arm.How.Replace(' ', '-');
        string key = Probing.Key(visit.Source, task, dataHash, seed, probe, options, $"{Protocol}",
            source.Transform.PixelKey, $"{probing.Resamples}", JsonSerializer.Serialize(linear));
        string path = Folder("fine-tuning")
            .PathOf(task.Definition.Name, visit.Model.Name, visit.Source.Features, probe, seed, key);
        if (Evaluation.Results.TryRead<TunedResult>(path) is { } known && known.Result.Key == key)
            return known with { Arm = arm.Name };

        Split inner = task.Redraw(seed);
        TuningPart Part(int[] rows)
        {
            int[] read = visit.Read(rows);
            return new(Array.ConvertAll(read, r => visit.RowOf[r]), visit.Labels(read));
        }
        TuningPart fit = Part(inner.Train);
        TuningPart validation = Part(inner.Test);
        string where = $"Fine-tuning, task '{task.Definition.Name}', seed {seed}";
        int[] counts = ProbeInput.CountClasses(fit.Labels, task.ClassNames.Length);
        if (Array.IndexOf(counts, 0) is var empty and >= 0)
            throw new KitException($"{where}: class '{task.ClassNames[empty]}' has no training image besides "
                + "validation; take more training images, or leave the class out of the task.");
        if (validation.Rows.Length == 0)
            throw new KitException($"{where}: no validation image could be read; look at the list of unreadable "
                + "images.");
        var clock = Stopwatch.StartNew();
        Device device = settings.TorchDevice();
        using var scope = NewDisposeScope();
        using var network = new TunedNetwork((visit.Model with { DropPath = options.DropPath }).Create(seed, device),
            visit.Model.Features, counts.Length, device);
        if (options.HeadFromProbe)
        {
            Tensor features = visit.Features.index_select(0, ProbeInput.ToTensor(fit.Rows, device));
            network.SetHead(linear.Fit(features, fit.Labels, counts.Length));
        }
        using var tuner = new FineTuner(network, options, counts, device);
        string what = $"{task.Definition.Name}: {arm.Name}, seed {seed}";
        (double[,] probabilities, IReadOnlyList<TuningEpoch> epochs, int best) = tuner.Run(
            new(source, seen, fit, validation, Part(test), counts.Length), seed, what,
            (done, all) => progress?.Invoke(what, done, all), cancellation);
        var outcome = new ProbeOutcome(probabilities)
        {
            Note = $"Epoch {best} of {options.Epochs}, chosen on {validation.Rows.Length} validation images.",
        };
        TaskResult result = Probing.Score(outcome, visit.Source, task, visit.Read(inner.Train), test, probe, seed,
            probing, unread);
        double seconds = clock.Elapsed.TotalSeconds;
        result = result with { Key = key, DataHash = dataHash, Seconds = seconds };
        var tuned = new TunedResult(arm.Name, result, epochs, best, validation.Rows.Length, seconds);
        Evaluation.Results.Write(path, tuned);
        return tuned;
    }
}
