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
public sealed record FeatureSource(string Model, string Features, string WeightsHash, string Key);

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
}

/// <summary>Probes the features of a task and keeps the results.</summary>
public static class Probing
{
    /// <summary>One result for each probe. A result that the folder holds for the same inputs is read, not made again.</summary>
    /// <param name="features">[n, D] on the device to work on; row i belongs to row <paramref name="rows"/>[i] of the task's table.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="task">Labels, classes, units and split.</param>
    /// <param name="seed">Of the split and of the probe's validation part.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <param name="results">Folder to keep results in; null keeps none.</param>
    /// <param name="rows">Table row of each feature row, when some images could not be read; null when all are there.</param>
    /// <exception cref="KitException">Features do not fit the table or are not finite, an unknown probe is asked for, or the split is not usable.</exception>
    public static IReadOnlyList<TaskResult> Run(Tensor features, FeatureSource source, ProbeTask task, int seed, ProbingOptions? options = null, Results? results = null, int[]? rows = null)
    {
        options ??= new();
        rows ??= [.. Enumerable.Range(0, task.Labels.Length)];
        if (features.shape[0] != rows.Length || rows.Any(r => (uint)r >= (uint)task.Labels.Length))
            throw new KitException($"Task '{task.Definition.Name}', model '{source.Model}': {features.shape[0]} feature rows for {rows.Length} of the task's {task.Labels.Length} images; extract the features of this task's table.");
        if (options.Probes.FirstOrDefault(p => p is not ("knn" or "linear")) is { } unknown)
            throw new KitException($"Probe '{unknown}' is unknown; did you mean '{KitException.Nearest(unknown, ["knn", "linear"])}'?");
        var featureRow = rows.Select((row, i) => (row, i)).ToDictionary(p => p.row, p => p.i);
        Split split = task.SplitFor(seed);
        int[] train = [.. split.Train.Where(featureRow.ContainsKey)], test = [.. split.Test.Where(featureRow.ContainsKey)];
        string unread = task.Labels.Length == rows.Length ? "" : $"{task.Labels.Length - rows.Length} images could not be read and are left out.";
        string dataHash = Hash([string.Join(',', task.ClassNames), .. train.Select(r => $"train {task.Table.Ids[r]} {task.Labels[r]}"), .. test.Select(r => $"test {task.Table.Ids[r]} {task.Labels[r]} {task.Patients?[r]}")]);
        var made = new List<TaskResult>();
        foreach (string probe in options.Probes)
        {
            string settings = probe == "knn" ? JsonSerializer.Serialize(options.Knn) : JsonSerializer.Serialize(options.Linear);
            string key = Hash([task.Definition.Name, $"{task.Definition.Version}", source.Key, source.WeightsHash, dataHash, probe, settings, $"{seed}", $"{options.Resamples}"]);
            TaskResult? result = results?.Find(task.Definition.Name, source.Model, source.Features, probe, seed, key);
            if (result is null)
            {
                var clock = Stopwatch.StartNew();
                using var scope = NewDisposeScope();
                Tensor Part(int[] tableRows) => features.index_select(0, ProbeInput.ToTensor(Array.ConvertAll(tableRows, r => featureRow[r]), features.device));
                int[] trainLabels = Array.ConvertAll(train, r => task.Labels[r]);
                ProbeOutcome outcome = probe == "knn"
                    ? KnnProbe.Run(Part(train), trainLabels, Part(test), task.ClassNames.Length, seed, options.Knn)
                    : LinearProbe.Run(Part(train), trainLabels, Part(test), task.ClassNames.Length, options.Linear);
                result = Score(outcome, source, task, train, test, probe, seed, options.Resamples, unread) with { Key = key, DataHash = dataHash, Seconds = clock.Elapsed.TotalSeconds };
                results?.Save(result);
            }
            made.Add(result);
        }
        return made;
    }

    private static TaskResult Score(ProbeOutcome outcome, FeatureSource source, ProbeTask task, int[] train, int[] test, string probe, int seed, int resamples, string unread)
    {
        TaskDefinition definition = task.Definition;
        int[] truth = Array.ConvertAll(test, r => task.Labels[r]);
        string[] ids = Array.ConvertAll(test, r => task.Table.Ids[r]), units = Array.ConvertAll(test, r => task.Patients?[r] ?? task.Table.Ids[r]);
        int[,] confusion = Metrics.ConfusionMatrix(truth, outcome.Predicted, task.ClassNames.Length);
        string[] absent = [.. task.ClassNames.Where((_, c) => !truth.Contains(c))];
        string undefined = absent.Length == 0 ? "" : $"No test image of {string.Join(", ", absent)}: AUROC is not defined.";
        return new()
        {
            Task = definition.Name,
            TaskVersion = definition.Version,
            Model = source.Model,
            Features = source.Features,
            Probe = probe,
            Seed = seed,
            Key = "",
            WeightsHash = source.WeightsHash,
            DataHash = "",
            DataSet = string.Join(" + ", definition.DataSets.Keys),
            InPretraining = definition.InPretraining,
            InMeans = definition.InMeans,
            Stamp = definition.Stamp,
            ClassNames = task.ClassNames,
            TrainRows = train.Length,
            Ids = ids,
            Units = units,
            Truth = truth,
            Predicted = outcome.Predicted,
            Metrics = Metrics.All(truth, outcome.Predicted, outcome.Probabilities),
            Intervals = Bootstrap.Intervals(truth, outcome.Predicted, outcome.Probabilities, Bootstrap.Draw(units, resamples, seed)),
            Confusion = [.. Enumerable.Range(0, task.ClassNames.Length).Select(t => Enumerable.Range(0, task.ClassNames.Length).Select(p => confusion[t, p]).ToArray())],
            K = outcome.K,
            Converged = outcome.Converged,
            Iterations = outcome.Iterations,
            GradientNorm = outcome.GradientNorm,
            Note = string.Join(" ", new[] { outcome.Note, undefined, unread }.Where(n => n.Length > 0)),
            Kit = typeof(Probing).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Seconds = 0,
        };
    }

    private static string Hash(IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..32];
}
