using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>What made the features.</summary>
/// <param name="Model">Name of the model, as files and tables show it.</param>
/// <param name="Features">Feature variant, for example cls4.</param>
/// <param name="WeightsHash">Hash of the weights.</param>
/// <param name="Key">Key of the features: weights, preprocessing, variant and images.</param>
/// <param name="Stamp">That of the model (<see cref="ModelDefinition.Stamp"/>).</param>
/// <param name="PretrainedOn">That of the model (<see cref="ModelDefinition.PretrainedOn"/>).</param>
public sealed record FeatureSource(string Model, string Features, string WeightsHash, string Key, string Stamp = "", IReadOnlyList<string>? PretrainedOn = null)
{
    /// <summary>Collections that models were pre-trained on, and the kit's data sets that lie in them.</summary>
    private static readonly Dictionary<string, string[]> Collections = new() { ["isic"] = ["isic2017", "ham10000"], ["sd-260"] = ["sd-128"] };

    /// <summary>Extracted features of a model of the registry.</summary>
    internal static FeatureSource Of(FeatureSet features, ModelDefinition model) =>
        new(model.Name, $"{JsonSerializer.Serialize(model.Features).Trim('"')}{(features.Precision == "fp32" ? "" : $"-{features.Precision}")}", features.WeightsHash, features.Key, model.Stamp, model.PretrainedOn);

    /// <summary>True when training images of a task are in the kit's pre-training data or in this model's.</summary>
    internal bool HasSeen(TaskDefinition task) => task.InPretraining || (PretrainedOn ?? []).Any(seen => task.DataSets.Keys.Any(set => set == seen || (Collections.GetValueOrDefault(seen)?.Contains(set) ?? false)));
}

/// <summary>Settings of <see cref="Probing"/>.</summary>
public sealed record ProbingOptions
{
    /// <summary>Probes to run, of knn and linear.</summary>
    public string[] Probes { get; init; } = ["knn", "linear"];

    /// <summary>kNN protocol.</summary>
    public KnnOptions Knn { get; init; } = new();

    /// <summary>Linear protocol.</summary>
    public LinearOptions Linear { get; init; } = new();

    /// <summary>Bootstrap resamples behind each interval.</summary>
    public int Resamples { get; init; } = 1000;

    /// <summary>Principal components that the probes get in place of the features, learned from the training rows of the task alone (<see cref="Pca"/>); null for the features as they are.</summary>
    public int? Width { get; init; }
}

/// <summary>Probes the features of a task and keeps the results.</summary>
public static class Probing
{
    /// <summary>Goes up whenever a probe, a metric or the bootstrap gives another number for the same inputs: kept results are then made again.</summary>
    public const int Protocol = 3;

    /// <summary>The same for extracted features of a model of the registry.</summary>
    /// <inheritdoc cref="Run(Tensor, FeatureSource, ProbeTask, int, ProbingOptions?, Results?, int[], Dictionary{string, Pca}?)"/>
    public static IReadOnlyList<TaskResult> Run(FeatureSet features, ModelDefinition model, ProbeTask task, int seed, ProbingOptions? options = null, Results? results = null, int[]? rowOf = null, Device? device = null, Dictionary<string, Pca>? fits = null)
    {
        using Tensor values = features.ToTensor(device);
        return Run(values, FeatureSource.Of(features, model), task, seed, options, results, rowOf, fits);
    }

    /// <summary>One result for each probe. A result that the folder holds for the same inputs is read, not made again.</summary>
    /// <param name="features">[n, D] on the device to work on.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="task">Labels, classes, units and split.</param>
    /// <param name="seed">Of the split and of the probe's validation part.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <param name="results">Folder to keep results in; null keeps none.</param>
    /// <param name="rowOf">Feature row of each row of the task's table, -1 where the image could not be read (as an image cache says it); null: the same rows.</param>
    /// <param name="fits">Components that earlier calls learned, for tasks that share their training rows; added to. Null keeps none.</param>
    /// <exception cref="KitException">Features do not fit the table or are not finite, an unknown probe is asked for, or the split is not usable.</exception>
    public static IReadOnlyList<TaskResult> Run(Tensor features, FeatureSource source, ProbeTask task, int seed, ProbingOptions? options = null, Results? results = null, int[]? rowOf = null, Dictionary<string, Pca>? fits = null)
    {
        using var all = NewDisposeScope();
        options ??= new();
        CheckProbes(options.Probes);
        (rowOf, int[] train, int[] test, string dataHash, string unread) = Parts(features, source, task, seed, rowOf);
        TaskDefinition definition = task.Definition;
        Tensor? probed = options.Width is null ? features : null;
        Reduction? reduced = null;
        if (options.Width is { } width) source = source with { Features = $"{source.Features}-pca{width}" };
        var made = new List<TaskResult>();
        foreach (string probe in options.Probes)
        {
            string key = Key(source, task, dataHash, seed, probe, probe == "knn" ? options.Knn : options.Linear, [$"{options.Resamples}", .. options.Width is null ? [] : new[] { $"pca {options.Width}" }]);
            TaskResult? result = results?.Find(definition.Name, source.Model, source.Features, probe, seed, key);
            if (result is null)
            {
                var clock = Stopwatch.StartNew();
                if (probed is null)
                {
                    Pca pca = Fitted(features, source, [.. train.Select(r => rowOf[r])], options.Width!.Value, fits ?? []);
                    (probed, reduced) = (pca.Project(features), pca.Kept);
                }
                using var scope = NewDisposeScope();
                Tensor Part(int[] tableRows) => ProbeInput.Rows(probed, tableRows, rowOf);
                int[] trainLabels = Array.ConvertAll(train, r => task.Labels[r]);
                ProbeOutcome outcome = probe == "knn"
                    ? KnnProbe.Run(Part(train), trainLabels, Part(test), task.ClassNames.Length, seed, options.Knn)
                    : LinearProbe.Run(Part(train), trainLabels, Part(test), task.ClassNames.Length, options.Linear);
                result = Score(outcome, source, task, train, test, probe, seed, options.Resamples, unread) with { Key = key, DataHash = dataHash, Seconds = clock.Elapsed.TotalSeconds, Pca = reduced };
                results?.Save(result);
            }
            made.Add(result);
        }
        return made;
    }

    private static Pca Fitted(Tensor features, FeatureSource source, int[] rows, int width, Dictionary<string, Pca> fits)
    {
        string key = Hash([source.Key, source.WeightsHash, $"{width}", .. rows.Select(r => $"{r}")]);
        if (fits.TryGetValue(key, out Pca? known)) return known;
        using var scope = NewDisposeScope();
        return fits[key] = Pca.Fit(features.index_select(0, ProbeInput.ToTensor(rows, features.device)), width);
    }

    /// <summary>The table rows of both parts that have features, and what a key says about them.</summary>
    /// <exception cref="KitException">Features do not fit the table, or the split is not usable.</exception>
    internal static (int[] RowOf, int[] Train, int[] Test, string DataHash, string Unread) Parts(Tensor features, FeatureSource source, ProbeTask task, int seed, int[]? rowOf)
    {
        int images = task.Labels.Length;
        if (rowOf is null ? features.shape[0] != images : rowOf.Length != images || rowOf.Any(r => r >= features.shape[0]))
            throw new KitException($"Task '{task.Definition.Name}', model '{source.Model}': {features.shape[0]} feature rows{(rowOf is null ? "" : $" and {rowOf.Length} row numbers")} for {images} images; extract the features of this task's table.");
        rowOf ??= [.. Enumerable.Range(0, images)];
        Split split = task.SplitFor(seed);
        int[] train = [.. split.Train.Where(r => rowOf[r] >= 0)], test = [.. split.Test.Where(r => rowOf[r] >= 0)];
        int lost = rowOf.Count(r => r < 0);
        string dataHash = Hash([string.Join(',', task.ClassNames), .. train.Select(r => $"train {task.Table.Ids[r]} {task.Labels[r]}"), .. test.Select(r => $"test {task.Table.Ids[r]} {task.Labels[r]} {task.Patients?[r]}")]);
        return (rowOf, train, test, dataHash, lost == 0 ? "" : $"{lost} images could not be read and are left out.");
    }

    /// <summary>Hash of everything that a score of these features with this probe depends on.</summary>
    internal static string Key(FeatureSource source, ProbeTask task, string dataHash, int seed, string probe, object settings, params string[] more)
    {
        TaskDefinition definition = task.Definition;
        string meaning = JsonSerializer.Serialize(new { Protocol, Split = task.Version, task.Geometry, definition.Name, definition.Version, definition.DataSets, InPretraining = source.HasSeen(definition), definition.InMeans, definition.Stamp });
        return Hash([meaning, source.Key, source.WeightsHash, dataHash, probe, JsonSerializer.Serialize(settings), $"{seed}", .. more]);
    }

    /// <exception cref="KitException">A probe is unknown.</exception>
    internal static void CheckProbes(IEnumerable<string> probes)
    {
        if (probes.FirstOrDefault(p => p is not ("knn" or "linear")) is { } unknown)
            throw new KitException($"Probe '{unknown}' is unknown; did you mean '{KitException.Nearest(unknown, ["knn", "linear"])}'?");
    }

    /// <summary>Version of the library with the commit it was built from.</summary>
    internal static string Kit => typeof(Probing).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    /// <summary>The result of an outcome on the test rows; key, data hash and seconds are for the caller to fill in.</summary>
    internal static TaskResult Score(ProbeOutcome outcome, FeatureSource source, ProbeTask task, int[] train, int[] test, string probe, int seed, int resamples, string unread)
    {
        TaskDefinition definition = task.Definition;
        int[] truth = Array.ConvertAll(test, r => task.Labels[r]);
        string[] ids = Array.ConvertAll(test, r => task.Table.Ids[r]), units = Array.ConvertAll(test, r => task.UnitOf(r));
        int[,] confusion = Metrics.ConfusionMatrix(truth, outcome.Predicted, task.ClassNames.Length);
        string[] absent = [.. task.ClassNames.Where((_, c) => !truth.Contains(c))];
        string undefined = absent.Length == 0 ? "" : $"No test image of {Names.Listed(absent)}: AUROC is not defined.";
        HashSet<int> trained = [.. train.Select(r => task.Labels[r])];
        string unseen = string.Join(" ", truth.Where(c => !trained.Contains(c)).CountBy(c => c).OrderBy(c => c.Key).Select(c => $"No training image of {task.ClassNames[c.Key]}: its {c.Value} test images count as wrong."));
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
            Ids: ids,
            Units: units,
            Truth: truth,
            Predicted: outcome.Predicted,
            Metrics: Metrics.All(truth, outcome.Predicted, outcome.Probabilities),
            Intervals: Bootstrap.Intervals(truth, outcome.Predicted, outcome.Probabilities, Bootstrap.Draw(units, resamples, seed)),
            Confusion: [.. Enumerable.Range(0, task.ClassNames.Length).Select(t => Enumerable.Range(0, task.ClassNames.Length).Select(p => confusion[t, p]).ToArray())],
            K: outcome.K,
            Converged: outcome.Converged,
            Iterations: outcome.Iterations,
            GradientNorm: outcome.GradientNorm,
            Note: string.Join(" ", new[] { outcome.Note, undefined, unseen, unread }.Where(n => n.Length > 0)),
            Kit: Kit,
            Seconds: 0,
            ModelStamp: source.Stamp,
            Split: task.Version == SplitVersion.Original ? "original" : "strict",
            Geometry: task.Geometry);
    }

    private static string Hash(IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..32];
}
