using System.Diagnostics;
using System.Reflection;
using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Settings of <see cref="Probing"/>.</summary>
public sealed record ProbingOptions
{
    /// <summary>Probes, each by name or with options: <c>["knn", new LinearProbe(C: 10)]</c>.</summary>
    public IReadOnlyList<Probe> Probes { get; init; } = Probe.All;

    /// <summary>Metrics of a result.</summary>
    public IReadOnlyList<Metric> Metrics { get; init; } = Metric.All;

    /// <summary>Bootstrap resamples for each interval.</summary>
    public int Resamples { get; init; } = 1000;

    /// <summary>Number of principal components, learned from the task's training rows, that replace the features; null
    /// keeps the features.</summary>
    public int? Width { get; init; }
}

internal static class Probing
{
    // Increase when the same input gives other numbers: stored results are then computed again.
    private const int Protocol = 3;

    // Version of the library with its commit.
    public static string Kit => typeof(Probing).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
        ?.InformationalVersion ?? "";

    // One result for each probe; a stored one for the same inputs is read. rowOf has the row of features [n, D] of each
    // table row, -1 where unreadable (null: the same rows). Tasks with the same training rows share components.
    public static IReadOnlyList<TaskResult> Run(Tensor features, FeatureSource source, ProbeTask task, int seed,
        ProbingOptions? options = null, Results? results = null, int[]? rowOf = null,
        Dictionary<string, Pca>? components = null)
    {
        using var all = NewDisposeScope();
        options ??= new();
        (rowOf, int[] train, int[] test, string dataHash, string unread) = Parts(features, source, task, seed, rowOf);
        Tensor? probed = options.Width is null ? features : null;
        Reduction? reduced = null;
        if (options.Width is { } width) source = source with { Features = $"{source.Features}-pca{width}" };
        List<string> settings = [$"{options.Resamples}"];
        if (options.Width is not null) settings.Add($"pca {options.Width}");
        if (options.Metrics != Metric.All)
            settings.Add($"metrics {string.Join(',', options.Metrics.Select(m => m.Name))}");
        var made = new List<TaskResult>();
        foreach (Probe probe in options.Probes)
        {
            string key = Key(source, task, dataHash, seed, probe.Name, probe, [.. settings]);
            TaskResult? result =
                results?.Find(task.Definition.Name, source.Model, source.Features, probe.Name, seed, key);
            if (result is null)
            {
                var clock = Stopwatch.StartNew();
                if (probed is null)
                {
                    Pca pca = Fitted(features, source, Array.ConvertAll(train, r => rowOf[r]),
                        options.Width!.Value, components ?? []);
                    probed = pca.Project(features);
                    reduced = pca.Kept;
                }
                using var scope = NewDisposeScope();
                ProbeOutcome outcome = probe.Run(ProbeInput.Rows(probed, train, rowOf),
                    Array.ConvertAll(train, r => task.Labels[r]), ProbeInput.Rows(probed, test, rowOf),
                    task.ClassNames.Length, seed);
                result = Score(outcome, source, task, train, test, probe.Name, seed, options, unread) with
                {
                    Key = key,
                    DataHash = dataHash,
                    Seconds = clock.Elapsed.TotalSeconds,
                    Pca = reduced
                };
                results?.Save(result);
            }
            made.Add(result);
        }
        return made;
    }

    private static Pca Fitted(Tensor features, FeatureSource source, int[] rows, int width,
        Dictionary<string, Pca> components)
    {
        string key = Hash([source.Key, source.WeightsHash, $"{width}", .. rows.Select(r => $"{r}")]);
        if (components.TryGetValue(key, out Pca? known)) return known;
        using Tensor train = ProbeInput.Rows(features, rows);
        return components[key] = Pca.Fit(train, width);
    }

    // Table rows of both parts that have features, and their hash.
    public static (int[] RowOf, int[] Train, int[] Test, string DataHash, string Unread) Parts(Tensor features,
        FeatureSource source, ProbeTask task, int seed, int[]? rowOf)
    {
        int images = task.Labels.Length;
        if (rowOf is null ? features.shape[0] != images
            : rowOf.Length != images || rowOf.Any(r => r >= features.shape[0]))
            throw new KitException($"Task '{task.Definition.Name}', model '{source.Model}': {features.shape[0]} "
                + $"feature rows{(rowOf is null ? "" : $" and {rowOf.Length} row numbers")} for {images} images; "
                + "extract the features of this task's table.");
        rowOf ??= [.. Enumerable.Range(0, images)];
        Split split = task.SplitFor(seed);
        int[] train = [.. split.Train.Where(r => rowOf[r] >= 0)], test = [.. split.Test.Where(r => rowOf[r] >= 0)];
        int lost = rowOf.Count(r => r < 0);
        return (rowOf, train, test, DataHash(task, train, test),
            lost == 0 ? "" : $"{lost} images could not be read and are left out.");
    }

    // Of ids, labels, units and parts.
    public static string DataHash(ProbeTask task, int[] train, int[] test) => Hash([string.Join(',', task.ClassNames),
        .. train.Select(r => $"train {task.Table.Ids[r]} {task.Labels[r]}"),
        .. test.Select(r => $"test {task.Table.Ids[r]} {task.Labels[r]} {task.Patients?[r]}")]);

    // Hash of all that a score depends on; settings has them as properties.
    public static string Key(FeatureSource source, ProbeTask task, string dataHash, int seed, string probe,
        object settings, params string[] more)
    {
        TaskDefinition definition = task.Definition;
        string meaning = JsonSerializer.Serialize(new
        {
            Protocol = Protocol + (settings is Probe { Version: var version } ? version : 0),
            Split = task.Version,
            task.Geometry,
            definition.Name,
            definition.Version,
            definition.DataSets,
            InPretraining = source.HasSeen(definition),
            definition.InMeans,
            definition.Stamp
        });
        return Hash([meaning, source.Key, source.WeightsHash, dataHash, probe, JsonSerializer.Serialize(settings),
            $"{seed}", .. more]);
    }

    // The caller sets key, data hash and seconds.
    public static TaskResult Score(ProbeOutcome outcome, FeatureSource source, ProbeTask task, int[] train,
        int[] test, string probe, int seed, ProbingOptions options, string unread)
    {
        TaskDefinition definition = task.Definition;
        int classes = task.ClassNames.Length;
        int[] truth = Array.ConvertAll(test, r => task.Labels[r]);
        string[] units = Array.ConvertAll(test, task.UnitOf);
        var rows = new ScoredRows(truth, outcome.Predicted, outcome.Probabilities);
        Metric[] metrics = [.. options.Metrics.Where(m => !m.IsBinary || classes == 2)];
        string[] absent = [.. task.ClassNames.Where((_, c) => !truth.Contains(c))];
        HashSet<int> trained = [.. train.Select(r => task.Labels[r])];
        IEnumerable<string> notes =
        [
            outcome.Note,
            absent.Length == 0 ? "" : $"No test image of {Names.Listed(absent)}: AUROC is not defined.",
            .. truth.Where(c => !trained.Contains(c)).CountBy(c => c).OrderBy(c => c.Key).Select(c =>
                $"No training image of {task.ClassNames[c.Key]}: its {c.Value} test images count as wrong."),
            unread
        ];
        return new(
            Task: definition.Name,
            TaskVersion: definition.Version,
            Model: source.Model,
            Features: source.Features,
            Probe: probe,
            Seed: seed,
            Key: "",
            WeightsHash: source.WeightsHash,
            DataHash: "",
            DataSet: string.Join(" + ", definition.DataSets.Keys),
            InPretraining: source.HasSeen(definition),
            InMeans: definition.InMeans,
            Stamp: definition.Stamp,
            ClassNames: task.ClassNames,
            TrainRows: train.Length,
            Ids: Array.ConvertAll(test, r => task.Table.Ids[r]),
            Units: units,
            Truth: truth,
            Predicted: outcome.Predicted,
            Metrics: new(metrics.ToDictionary(m => m.Name, m => m.Of(rows)), StringComparer.Ordinal),
            Intervals: new(Metric.Intervals(metrics, rows, units, options.Resamples, seed), StringComparer.Ordinal),
            Confusion: Metrics.ConfusionMatrix(truth, outcome.Predicted, classes),
            K: outcome.K,
            Converged: outcome.Converged,
            Iterations: outcome.Iterations,
            GradientNorm: outcome.GradientNorm,
            Note: string.Join(" ", notes.Where(n => n.Length > 0)),
            Kit: Kit,
            Seconds: 0,
            ModelStamp: source.Stamp,
            Split: task.Version == SplitVersion.Original ? "original" : "strict",
            Geometry: task.Geometry);
    }

    private static string Hash(IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..32];
}
