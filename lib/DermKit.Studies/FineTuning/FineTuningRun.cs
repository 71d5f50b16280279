using DermKit.Reporting;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using System.Diagnostics;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>One arm on one task with one seed.</summary>
/// <param name="Arm">Name of the arm.</param>
/// <param name="Result">Predictions and scores on the test images.</param>
/// <param name="Epochs">How training went; empty for a frozen probe.</param>
/// <param name="Best">Epoch whose weights were scored; 0 for a frozen probe.</param>
/// <param name="ValidationImages">Training images that chose the epoch and were not trained on.</param>
/// <param name="Seconds">Training, validation and test, or fitting the probe; without decoding and extracting.</param>
public sealed record TunedResult(string Arm, TaskResult Result, IReadOnlyList<TuningEpoch> Epochs, int Best, int ValidationImages, double Seconds);

/// <summary>
/// Linear probe, then full fine-tuning (LP-FT, Kumar et al. 2022, arXiv 2202.10054), against the frozen probe on the same test units. Fine-tuning is trained on 85 % of the training patients (lesions, images);
/// the others choose the epoch. The frozen probe, which chooses nothing, gets all.
/// </summary>
/// <param name="Results">For each task, arm and seed.</param>
/// <param name="Plan">What was run.</param>
/// <param name="Suite">Tasks, results, extraction and unreadable images behind them.</param>
public sealed record FineTuningRun(IReadOnlyList<TunedResult> Results, FineTuningPlan Plan, SuiteRun Suite)
{
    /// <summary>Goes up whenever the training gives other numbers for the same options: kept results are then made again.</summary>
    public const int Protocol = 2;

    private static readonly string[] Real = ["isic2017-diagnosis", "pad-diagnosis", "ham10000-diagnosis"];

    /// <summary>The tasks that the plan means: those it names, else the diagnoses of the three sets as far as they are here, else the drawn set's.</summary>
    /// <exception cref="KitException">As <see cref="SuiteRun.Open"/>.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, FineTuningPlan plan)
    {
        string[] here = plan.Suite.Tasks ?? [.. Real.Where(name => TaskSuite.Missing(suite[name], settings) is null)];
        return SuiteRun.Open(settings, suite, plan.Suite with { Tasks = here.Length > 0 ? here : ["synthetic-diagnosis"] });
    }

    /// <summary>Runs the plan. What is there already for the same inputs is read, so an interrupted run goes on with the training that was cut off.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="Open"/>.</param>
    /// <param name="registry">Where the plan's models are.</param>
    /// <param name="plan">How much.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and steps; finished trainings stay.</param>
    /// <exception cref="KitException">A model is not here, an option is out of its range, a class has no training image, or a loss is not finite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static FineTuningRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, ModelRegistry registry, FineTuningPlan plan, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        plan.Options.Check();
        SuitePlan suite = plan.Suite with { Models = [.. plan.Arms.Select(a => a.Model).Distinct()], Baseline = plan.Model, Probing = plan.Suite.Probing with { Probes = ["linear"] } };
        ModelDefinition[] models = [.. SuiteRun.Choose(registry, suite).Select(m => m with { Side = plan.Options.Side })];
        var (device, found, extractions, quarantine) = (settings.TorchDevice(), new List<TunedResult>(), new List<Extraction>(), new List<Quarantined>());
        tasks = SuiteRun.Bring(settings, tasks, suite, progress, cancellation);
        foreach (ProbeTask task in tasks)
        {
            // One task at a time, so that its results do not depend on what else is run.
            string[] paths = [.. task.Table.Paths.Distinct(StringComparer.Ordinal)];
            using ImageCache source = ImageCache.Build(settings.CacheDir, paths, plan.Options.Source, (done, all) => progress?.Invoke($"decoding for crops: {task.Definition.Name}", done, all), cancellation);
            var (extracted, broken) = SuiteRun.Visit(settings, [task], models, suite, (features, model, _, seed, rowOf) =>
            {
                using Tensor values = features.ToTensor(device);
                using ImageCache seen = ImageCache.Build(settings.CacheDir, paths, model.Transform, cancellation: cancellation);
                if (!source.ContentHashes.SequenceEqual(seen.ContentHashes)) throw new KitException($"Task '{task.Definition.Name}': images were changed while this ran; run again.");
                var given = new Given(values, FeatureSource.Of(features, model), model, task, seed, rowOf, source, seen);
                foreach (TuningArm arm in plan.Arms.Where(a => a.Model == model.Name)) found.Add(Run(given, arm, suite.Probing, settings.CacheDir, device, progress, cancellation));
            }, progress, cancellation);
            extractions.AddRange(extracted);
            quarantine.AddRange(broken);
        }
        return new(found, plan, new([.. found.Select(f => f.Result)], tasks, extractions, [.. quarantine.DistinctBy(q => q.Path)]));
    }

    /// <summary>What the arms of one model, task and seed share. Features and both caches are of the task's images, row by row.</summary>
    private sealed record Given(Tensor Values, FeatureSource Made, ModelDefinition Model, ProbeTask Task, int Seed, int[] RowOf, ImageCache Source, ImageCache Seen);

    private static TunedResult Run(Given given, TuningArm arm, ProbingOptions probing, string cacheDir, Device device, Action<string, int, int>? progress, CancellationToken cancellation)
    {
        (ProbeTask task, int seed, int[] rowOf) = (given.Task, given.Seed, given.RowOf);
        if (arm.Options is not { } options)
        {
            TaskResult probed = Probing.Run(given.Values, given.Made, task, seed, probing, new Evaluation.Results(Path.Combine(cacheDir, "results")), rowOf)[0];
            return new(arm.Name, probed, [], 0, 0, probed.Seconds);
        }
        (_, int[] train, int[] test, string dataHash, string unread) = Probing.Parts(given.Values, given.Made, task, seed, rowOf);
        string probe = arm.How.Replace(' ', '-'), key = Probing.Key(given.Made, task, dataHash, seed, probe, options, $"{Protocol}", given.Source.Transform.PixelKey, $"{probing.Resamples}", JsonSerializer.Serialize(probing.Linear));
        string path = new Evaluation.Results(Path.Combine(cacheDir, "fine-tuning")).PathOf(task.Definition.Name, given.Model.Name, given.Made.Features, probe, seed, key);
        if (Evaluation.Results.TryRead<TunedResult>(path) is { } known && known.Result.Key == key) return known with { Arm = arm.Name };

        Split inner = task.Redraw(seed);
        TuningPart Part(int[] rows) => new([.. rows.Where(r => rowOf[r] >= 0).Select(r => rowOf[r])], [.. rows.Where(r => rowOf[r] >= 0).Select(r => task.Labels[r])]);
        (TuningPart fit, TuningPart validation) = (Part(inner.Train), Part(inner.Test));
        int[] counts = ProbeInput.CountClasses(fit.Labels, task.ClassNames.Length);
        if (Array.IndexOf(counts, 0) is var empty and >= 0)
            throw new KitException($"Fine-tuning, task '{task.Definition.Name}', seed {seed}: class '{task.ClassNames[empty]}' has no training image besides validation; take more training images, or leave the class out of the task.");
        if (validation.Rows.Length == 0) throw new KitException($"Fine-tuning, task '{task.Definition.Name}', seed {seed}: no validation image could be read; look at the list of unreadable images.");
        var clock = Stopwatch.StartNew();
        using var scope = NewDisposeScope();
        using var network = new TunedNetwork((given.Model with { DropPath = options.DropPath }).Create(seed, device), given.Model.Features, counts.Length, device);
        if (options.HeadFromProbe) network.SetHead(LinearProbe.Fit(given.Values.index_select(0, ProbeInput.ToTensor(fit.Rows, device)), fit.Labels, counts.Length, probing.Linear));
        using var tuner = new FineTuner(network, options, counts, device);
        string what = $"{task.Definition.Name}: {arm.Name}, seed {seed}";
        (double[,] probabilities, IReadOnlyList<TuningEpoch> epochs, int best) = tuner.Run(new(given.Source, given.Seen, fit, validation, Part(test), counts.Length), seed, what, (done, all) => progress?.Invoke(what, done, all), cancellation);
        double seconds = clock.Elapsed.TotalSeconds;
        var outcome = new ProbeOutcome(Metrics.ArgMax(probabilities), probabilities) { Note = $"Epoch {best} of {options.Epochs}, chosen on {validation.Rows.Length} validation images." };
        TaskResult result = Probing.Score(outcome, given.Made, task, [.. inner.Train.Where(r => rowOf[r] >= 0)], test, probe, seed, probing.Resamples, unread) with { Key = key, DataHash = dataHash, Seconds = seconds };
        var tuned = new TunedResult(arm.Name, result, epochs, best, validation.Rows.Length, seconds);
        Evaluation.Results.Write(path, tuned);
        return tuned;
    }
}
