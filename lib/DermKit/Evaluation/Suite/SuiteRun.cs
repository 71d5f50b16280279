using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using System.Diagnostics;

namespace DermKit.Evaluation;

/// <summary>One feature extraction; the seed is 0 for weights from a file, and FeaturesHash the SHA-256 of all
/// features.</summary>
public sealed record Extraction(string Model, int Seed, int Images, double Seconds, string WeightsHash,
    string Stamp = "", string FeaturesHash = "");

/// <summary>Results of every chosen model on every chosen task (as limited by the plan), an extraction for each model
/// and seed of its weights, and the unreadable images, which are in no score.</summary>
public sealed record SuiteRun(IReadOnlyList<TaskResult> Results, IReadOnlyList<ProbeTask> Tasks,
    IReadOnlyList<Extraction> Extractions, IReadOnlyList<Quarantined> Quarantine)
{
    /// <summary>Joint stamp of the run's tasks and models.</summary>
    public string Stamp => Stamps.Join([.. Tasks.Select(t => t.Definition.Stamp), .. Extractions.Select(e => e.Stamp)]);

    /// <summary>Opens the tasks of a plan.</summary>
    /// <exception cref="KitException">A task is unknown, not valid or without data, drawn and real tasks are mixed, or
    /// a split separates rows of a patient or lesion.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, SuitePlan plan)
    {
        TaskDefinition[] present = [.. suite.Tasks.Where(t => TaskSuite.Missing(t, settings) is null)];
        TaskDefinition[] real = TaskSuite.Wholes([.. present.Where(t => t.Stamp.Length == 0)]);
        TaskDefinition[] chosen = [.. plan.Tasks?.Select(name => suite[name]) ?? (real.Length > 0 ? real : present)];
        if (chosen.DistinctBy(t => (t.Stamp, t.DataSets.Keys.Any(set => DataSetCatalog.IsFixture(settings, set))))
            .Count() > 1)
            throw new KitException($"Tasks {Names.Listed(chosen.Select(t => t.Name))}: drawn and real images share no "
                + "table; run the synthetic ones and fixtures by themselves.");
        // In means, the images of a part and of its whole would count twice.
        TaskDefinition Marked(TaskDefinition task) => chosen.FirstOrDefault(task.IsPartOf) is not { } whole ? task
            : task with { InMeans = false, Note = $"{task.Note} Part of {whole.Name}: in no mean.".TrimStart() };
        return [.. chosen.Select(task => Limit(TaskSuite.Open(Marked(task), settings, plan.Version), plan))];
    }

    // Draws the split of every seed on all images first, so that every mode refuses leaks before it decodes.
    internal static ProbeTask Limit(ProbeTask task, SuitePlan plan)
    {
        foreach (int seed in plan.Seeds) task.SplitFor(seed);
        return task.Limit(plan.MostTrain, plan.MostTest);
    }

    /// <summary>The models of a plan.</summary>
    /// <exception cref="KitException">A named model is unknown or has no weights, or the baseline is not in the
    /// plan.</exception>
    public static IReadOnlyList<ModelDefinition> Choose(ModelRegistry models, SuitePlan plan)
    {
        ModelDefinition[] chosen = [.. models.Of(plan)];
        if (chosen.FirstOrDefault(m => !m.IsPresent) is { } absent)
            throw new KitException($"Model '{absent.Name}': {absent.Missing}");
        if (plan.Baselines.FirstOrDefault(name => !chosen.Contains(models[name])) is { } other)
            throw new KitException($"Baseline '{other}' is not among the models of this run "
                + $"({Names.Listed(chosen.Select(m => m.Name))}); name one of them.");
        return chosen;
    }

    /// <summary>Runs tasks from <see cref="Open"/> and models from <see cref="Choose"/>. Reads stored features and
    /// results for the same inputs: an interrupted run continues. progress gets (what, done, all).</summary>
    /// <exception cref="KitException">A weights file differs from its definition, or a task cannot be
    /// probed.</exception>
    public static SuiteRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuitePlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        Results? folder = plan.IsFresh ? null : new(Path.Combine(settings.CacheDir, "results"));
        var results = new List<TaskResult>();
        var components = new Dictionary<string, Pca>();
        tasks = Bring(settings, tasks, plan, progress, cancellation);
        return Visit(settings, tasks, models, plan, null, v => results.AddRange(Probing.Run(v.Features, v.Source,
            v.Task, v.Seed, plan.Probing, folder, v.RowOf, components)), progress, cancellation) with
        { Results = results };
    }

    // Resizes the images to the plan's size, as Visit requires.
    internal static IReadOnlyList<ProbeTask> Bring(KitSettings settings, IReadOnlyList<ProbeTask> tasks, SuitePlan plan,
        Action<string, int, int>? progress, CancellationToken cancellation)
    {
        // Fails before the images are read.
        settings.TorchDevice();
        if (plan.Geometry is not var (width, height)) return tasks;
        return [.. tasks.Select(t => t.Geometry == plan.ImageSize ? t : t.Brought(
            OneGeometry.Bring(settings.CacheDir, t.Table.Paths, width, height,
                (done, all) => progress?.Invoke($"to one size: {t.Definition.Name}", done, all), cancellation),
            width, height))];
    }

    // Extracts features of each model and seed, and calls use for each task and counts it as "what" (null: not). The
    // run has no results.
    internal static SuiteRun Visit(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuitePlan plan, string? what, Action<TaskFeatures> use,
        Action<string, int, int>? progress, CancellationToken cancellation)
    {
        if (plan.Geometry is not null && tasks.FirstOrDefault(t => t.Geometry != plan.ImageSize) is { } unchanged)
            throw new InvalidOperationException($"Task '{unchanged.Definition.Name}': the plan says {plan.ImageSize}, "
                + "and its images were not resized to it.");
        Device device = settings.TorchDevice();
        string[] paths = TaskImages.PathsOf(tasks);
        var store = new FeatureStore(plan.IsFresh ? null : settings.CacheDir);
        var extractions = new List<Extraction>();
        var quarantine = new Dictionary<string, Quarantined>(StringComparer.Ordinal);
        int done = 0, visits = tasks.Count * models.Count * plan.Seeds.Count;
        foreach (IGrouping<EvalTransform, ModelDefinition> group in models.GroupBy(m => m.Transform))
        {
#pragma warning disable CA2000 // The rule does not see the using in nested loops.
            using ImageCache cache = ImageCache.Build(settings.CacheDir, paths, group.Key,
                (done, all) => progress?.Invoke("decoding", done, all), cancellation);
#pragma warning restore CA2000
            foreach (Quarantined broken in cache.Quarantine) quarantine.TryAdd(broken.Path, broken);
            var rowsOf = TaskImages.RowsOf(tasks, paths, cache);
            FeatureSet Extract(ModelDefinition model, int seed)
            {
                var clock = Stopwatch.StartNew();
                using Backbone backbone = model.Create(seed, device);
                Precision type = model.IsOnnx ? Precision.Fp32 : plan.Precision;
                string title = model.Title + (seed > 0 ? $", seed {seed}" : "");
                FeatureSet features = store.Extract(
                    backbone, cache, new() { Variant = model.Features, Precision = type }, device,
                    progress: (done, all) => progress?.Invoke(title, done, all), cancellation: cancellation);
                extractions.Add(new(model.Name, seed, cache.Count,
                    clock.Elapsed.TotalSeconds, features.WeightsHash, model.Stamp,
                    FeatureStore.Checksum(features.Values)));
                return features;
            }
            foreach (ModelDefinition model in group)
            {
                FeatureSet? features = null;
                bool isDrawnOnce = model.Seeds.Length == 1;
                foreach (int seed in plan.Seeds)
                {
                    if (features is null || !isDrawnOnce)
                        features = Extract(model, isDrawnOnce ? model.Seeds[0] : seed);
                    using Tensor values = features.ToTensor(device);
                    foreach (ProbeTask task in tasks)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        use(new(values, FeatureSource.Of(features, model), model, task, seed, rowsOf[task]));
                        done++;
                        if (what is not null) progress?.Invoke(what, done, visits);
                    }
                }
            }
        }
        return new([], tasks, extractions, [.. quarantine.Values]);
    }
}

/// <summary>Features [n, D] of a model and seed for a task. RowOf maps table rows to feature rows, -1 if
/// unreadable.</summary>
internal sealed record TaskFeatures(Tensor Features, FeatureSource Source, ModelDefinition Model, ProbeTask Task,
    int Seed, int[] RowOf)
{
    public int[] Read(IEnumerable<int> rows) => [.. rows.Where(r => RowOf[r] >= 0)];

    public int[] Labels(int[] rows) => Array.ConvertAll(rows, r => Task.Labels[r]);
}

internal static class TaskImages
{
    public static string[] PathsOf(IReadOnlyList<ProbeTask> tasks) =>
        [.. tasks.SelectMany(t => t.Table.Paths).Distinct(StringComparer.Ordinal)];

    // The cache row of each table row; -1 where unreadable.
    public static Dictionary<ProbeTask, int[]> RowsOf(IReadOnlyList<ProbeTask> tasks, string[] paths, ImageCache cache)
    {
        var rowOf = paths.Zip(cache.RowOf).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal);
        return tasks.ToDictionary(t => t, t => Array.ConvertAll(t.Table.Paths, path => rowOf[path]));
    }
}
