using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>How much of the suite to run. A mode changes these numbers and nothing else.</summary>
public sealed record SuitePlan
{
    /// <summary>Names of the tasks; null for every real task whose data is here and that is no part of another one, and the synthetic ones where there is none.</summary>
    public string[]? Tasks { get; init; }

    /// <summary>Which version of each task.</summary>
    public SplitVersion Version { get; init; }

    /// <summary>Names of the models; null for every model that can be made.</summary>
    public string[]? Models { get; init; }

    /// <summary>Seeds of splits, probes and random weights; the paper's five.</summary>
    public IReadOnlyList<int> Seeds { get; init; } = TaskSuite.Seeds;

    /// <summary>Most training images of a task.</summary>
    public int MostTrain { get; init; } = int.MaxValue;

    /// <summary>Most test images of a task.</summary>
    public int MostTest { get; init; } = int.MaxValue;

    /// <summary><see cref="MostTrain"/> and <see cref="MostTest"/> in words.</summary>
    public string Most => MostTrain == int.MaxValue && MostTest == int.MaxValue ? "all" : $"{InWords(MostTrain)} and {InWords(MostTest)}";

    /// <summary>Size in pixels that every image is brought to first (<see cref="OneGeometry"/>); null leaves them as they are.</summary>
    public (int Width, int Height)? Geometry { get; init; }

    /// <summary><see cref="Geometry"/> in words.</summary>
    public string ImageSize => Geometry is var (width, height) ? FormattableString.Invariant($"{width}x{height}") : "as they come";

    /// <summary>Reads a <see cref="Geometry"/> such as 200x150; an empty text is null.</summary>
    /// <exception cref="KitException">The text is no size from 1x1 to 4096x4096.</exception>
    public static (int Width, int Height)? GeometryOf(string text) => text.Length == 0 ? null
        : text.Split('x') is [var w, var h] && int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int width) && int.TryParse(h, NumberStyles.None, CultureInfo.InvariantCulture, out int height) && width is > 0 and <= 4096 && height is > 0 and <= 4096
            ? (width, height) : throw new KitException($"Geometry: expected width x height in pixels, such as 200x150, found '{text}'.");

    /// <summary>Of feature extraction (<see cref="FeatureOptions.Precision"/>): fp32, or bf16.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>Model that the others are compared with.</summary>
    public string Baseline { get; init; } = "vit-tiny-random";

    /// <summary>Most parameters of a model that is taken without being named.</summary>
    public long MostParameters { get; init; } = long.MaxValue;

    /// <summary>The probes.</summary>
    public ProbingOptions Probing { get; init; } = new();

    /// <summary>The numbers of a mode: quick and workshop take models up to 10 million parameters, quick at most 400 training and 400 test images of a task, and two of the seeds.</summary>
    public static SuitePlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new() { MostTrain = 400, MostTest = 400, MostParameters = 10_000_000, Seeds = [1, 9] },
        RunMode.Workshop => new() { MostParameters = 10_000_000 },
        _ => new(),
    };

    private static string InWords(int most) => most == int.MaxValue ? "all" : $"{most}";
}

/// <summary>What was extracted for one model: how long it took and with which weights.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Seed">Seed of its weights; 0 for weights from a file.</param>
/// <param name="Images">Images.</param>
/// <param name="Seconds">Time; near zero when the features were in the store.</param>
/// <param name="WeightsHash">Hash of the weights.</param>
/// <param name="Stamp">That of the model (<see cref="ModelDefinition.Stamp"/>).</param>
/// <param name="FeaturesHash">SHA-256 of all its features, bit for bit.</param>
public sealed record Extraction(string Model, int Seed, int Images, double Seconds, string WeightsHash, string Stamp = "", string FeaturesHash = "");

/// <summary>The whole suite: every chosen model on every chosen task, features extracted once for each image.</summary>
/// <param name="Results">One for each task, model, probe and seed.</param>
/// <param name="Tasks">The tasks as they were run, limited to the plan's numbers.</param>
/// <param name="Extractions">One for each model and seed of its weights.</param>
/// <param name="Quarantine">Images that could not be read, and why; they are in no score.</param>
public sealed record SuiteRun(IReadOnlyList<TaskResult> Results, IReadOnlyList<ProbeTask> Tasks, IReadOnlyList<Extraction> Extractions, IReadOnlyList<Quarantined> Quarantine)
{
    /// <summary>What everything that rests on all tasks and models of the run is stamped with.</summary>
    public string Stamp => Stamps.Join([.. Tasks.Select(t => t.Definition.Stamp), .. Extractions.Select(e => e.Stamp)]);

    /// <summary>The tasks that a plan means, data present: those it names, else the real ones but for parts of others, else the synthetic ones.</summary>
    /// <exception cref="KitException">A named task is unknown or its file not valid, its data is not here, drawn and
    /// real tasks are mixed, or a patient or lesion is on both sides of a split.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, SuitePlan plan)
    {
        TaskDefinition[] here = [.. suite.Tasks.Where(t => TaskSuite.Missing(t, settings) is null)];
        TaskDefinition[] real = TaskSuite.Wholes([.. here.Where(t => t.Stamp.Length == 0)]);
        TaskDefinition[] chosen = [.. plan.Tasks?.Select(name => suite[name]) ?? (real.Length > 0 ? real : here)];
        if (chosen.DistinctBy(t => (t.Stamp, t.DataSets.Keys.Any(set => DataSetCatalog.IsFixture(settings, set)))).Count() > 1)
            throw new KitException($"Tasks {Names.Listed(chosen.Select(t => t.Name))}: drawn and real images share no table; run the synthetic ones and fixtures by themselves.");
        // A part that is named beside its whole is scored, and stays outside of means: the same images would count twice.
        TaskDefinition Marked(TaskDefinition task) => chosen.FirstOrDefault(task.IsPartOf) is not { } whole ? task
            : task with { InMeans = false, Note = $"{task.Note} Part of {whole.Name}: in no mean.".TrimStart() };
        return [.. chosen.Select(task => Limit(TaskSuite.Open(Marked(task), settings, plan.Version), plan))];
    }

    /// <summary>
    /// The task limited to the plan's numbers, after the split of every seed was drawn on all its images: what
    /// leaks is refused before an image is decoded, in every mode.
    /// </summary>
    /// <exception cref="KitException">As <see cref="ProbeTask.SplitFor"/>.</exception>
    internal static ProbeTask Limit(ProbeTask task, SuitePlan plan)
    {
        foreach (int seed in plan.Seeds) task.SplitFor(seed);
        return task.Limit(plan.MostTrain, plan.MostTest);
    }

    /// <summary>The models that a plan means: those it names, else every one that can be made here, within its limit.</summary>
    /// <exception cref="KitException">A named model is unknown, its weights are not here, or the baseline is not among them.</exception>
    public static IReadOnlyList<ModelDefinition> Choose(ModelRegistry models, SuitePlan plan)
    {
        ModelDefinition[] chosen = [.. plan.Models?.Select(name => models[name]) ?? models.Present.Where(m => m.Parameters <= plan.MostParameters)];
        if (chosen.FirstOrDefault(m => !m.IsPresent) is { } absent) throw new KitException($"Model '{absent.Name}': {absent.Missing}");
        if (!chosen.Contains(models[plan.Baseline]))
            throw new KitException($"Baseline '{plan.Baseline}' is not among the models of this run ({Names.Listed(chosen.Select(m => m.Name))}); name one of them.");
        return chosen;
    }

    /// <summary>Runs the plan. Features and results that are already there for the same inputs are read, so an interrupted run goes on where it stopped.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="Open"/>.</param>
    /// <param name="models">From <see cref="Choose"/>.</param>
    /// <param name="plan">How much.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and probes; what is finished stays.</param>
    /// <exception cref="KitException">A weights file is not what its definition says, or a task cannot be probed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static SuiteRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, SuitePlan plan,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        var folder = new Results(Path.Combine(settings.CacheDir, "results"));
        var results = new List<TaskResult>();
        tasks = Bring(settings, tasks, plan, progress, cancellation);
        var fits = new Dictionary<string, Pca>();
        (var extractions, var quarantine) = Visit(settings, tasks, models, plan,
            (features, model, task, seed, rowOf) => results.AddRange(Probing.Run(features, model, task, seed, plan.Probing, folder, rowOf, device, fits)), progress, cancellation);
        return new(results, tasks, extractions, quarantine);
    }

    /// <summary>The tasks with their images brought to the plan's size; everything that extracts features does this first.</summary>
    internal static IReadOnlyList<ProbeTask> Bring(KitSettings settings, IReadOnlyList<ProbeTask> tasks, SuitePlan plan, Action<string, int, int>? progress, CancellationToken cancellation) => plan.Geometry is not var (width, height) ? tasks
        : [.. tasks.Select(t => t.Geometry == plan.ImageSize ? t : t.Brought(OneGeometry.Bring(settings.CacheDir, t.Table.Paths, width, height, (done, all) => progress?.Invoke($"to one size: {t.Definition.Name}", done, all), cancellation), width, height))];

    /// <summary>Extracts the features of every model and seed and hands them to <paramref name="use"/> once for each task, with the feature row of each row of its table.</summary>
    internal static (IReadOnlyList<Extraction>, IReadOnlyList<Quarantined>) Visit(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, SuitePlan plan,
        Action<FeatureSet, ModelDefinition, ProbeTask, int, int[]> use, Action<string, int, int>? progress, CancellationToken cancellation)
    {
        if (plan.Geometry is not null && tasks.FirstOrDefault(t => t.Geometry != plan.ImageSize) is { } asTheyCome)
            throw new InvalidOperationException($"Task '{asTheyCome.Definition.Name}': the plan says {plan.ImageSize}, and its images were not brought to it.");
        Device device = settings.TorchDevice();
        string[] paths = [.. tasks.SelectMany(t => t.Table.Paths).Distinct(StringComparer.Ordinal)];
        var store = new FeatureStore(settings.CacheDir);
        var extractions = new List<Extraction>();
        var quarantine = new Dictionary<string, Quarantined>(StringComparer.Ordinal);
        foreach (IGrouping<EvalTransform, ModelDefinition> group in models.GroupBy(m => m.Transform))
        {
            using ImageCache cache = ImageCache.Build(settings.CacheDir, paths, group.Key, (done, all) => progress?.Invoke("decoding", done, all), cancellation);
            foreach (Quarantined broken in cache.Quarantine) quarantine.TryAdd(broken.Path, broken);
            var rowOf = paths.Select((path, i) => (path, row: cache.RowOf[i])).ToDictionary(p => p.path, p => p.row, StringComparer.Ordinal);
            foreach (ModelDefinition model in group)
            {
                FeatureSet? features = null;
                foreach (int seed in plan.Seeds)
                {
                    if (features is null || model.Source == "random")
                    {
                        var clock = Stopwatch.StartNew();
                        using Backbone backbone = model.Create(seed, device);
                        features = store.Extract(backbone, cache, new FeatureOptions { Variant = model.Features, Precision = plan.Precision }, device,
                            progress: (done, all) => progress?.Invoke($"{model.Title}, seed {seed}", done, all), cancellation: cancellation);
                        extractions.Add(new(model.Name, model.Source == "random" ? seed : 0, cache.Count, clock.Elapsed.TotalSeconds, features.WeightsHash, model.Stamp, FeatureStore.Checksum(features.Values)));
                    }
                    foreach (ProbeTask task in tasks)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        use(features, model, task, seed, [.. task.Table.Paths.Select(path => rowOf[path])]);
                    }
                }
            }
        }
        return (extractions, [.. quarantine.Values]);
    }
}
