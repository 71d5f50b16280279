using System.Text.Json;
using System.Text.Json.Serialization;

namespace DermKit.Evaluation;

/// <summary>One model, task, probe and seed: scores with intervals, and the predictions of every test row so that models can be paired later.</summary>
public sealed record TaskResult
{
    /// <summary>Name of the task.</summary>
    public required string Task { get; init; }

    /// <summary>Version of the task.</summary>
    public required int TaskVersion { get; init; }

    /// <summary>Name of the model.</summary>
    public required string Model { get; init; }

    /// <summary>Feature variant, for example cls4.</summary>
    public required string Features { get; init; }

    /// <summary>knn or linear.</summary>
    public required string Probe { get; init; }

    /// <summary>Seed of the split and of the probe.</summary>
    public required int Seed { get; init; }

    /// <summary>Hash of everything the scores depend on; a result with another key is not reused.</summary>
    public required string Key { get; init; }

    /// <summary>Hash of the weights.</summary>
    public required string WeightsHash { get; init; }

    /// <summary>Hash over ids, labels and parts of the images.</summary>
    public required string DataHash { get; init; }

    /// <summary>Data sets of the task, joined by " + ".</summary>
    public required string DataSet { get; init; }

    /// <summary>Whether training images of the task are in the kit's pre-training data.</summary>
    public required bool InPretraining { get; init; }

    /// <summary>False when the score stays outside every mean and rank.</summary>
    public required bool InMeans { get; init; }

    /// <summary>What figures and tables of the task are stamped with.</summary>
    public required string Stamp { get; init; }

    /// <summary>Names of the classes.</summary>
    public required string[] ClassNames { get; init; }

    /// <summary>Training rows.</summary>
    public required int TrainRows { get; init; }

    /// <summary>Id of each test row.</summary>
    public required string[] Ids { get; init; }

    /// <summary>What the intervals resample: patient or lesion of each test row, else its id.</summary>
    public required string[] Units { get; init; }

    /// <summary>True class of each test row.</summary>
    public required int[] Truth { get; init; }

    /// <summary>Predicted class of each test row.</summary>
    public required int[] Predicted { get; init; }

    /// <summary>Metrics by name (<see cref="Evaluation.Metrics.All"/>); NaN where undefined.</summary>
    public required SortedDictionary<string, double> Metrics { get; init; }

    /// <summary>95 % intervals by metric; they resample <see cref="Units"/>.</summary>
    public required SortedDictionary<string, Interval> Intervals { get; init; }

    /// <summary>[true class][predicted class].</summary>
    public required int[][] Confusion { get; init; }

    /// <summary>Neighbours used; null for other probes.</summary>
    public int? K { get; init; }

    /// <summary>Whether the optimiser converged; null for probes without one.</summary>
    public bool? Converged { get; init; }

    /// <summary>Optimiser iterations; null for probes without one.</summary>
    public int? Iterations { get; init; }

    /// <summary>Largest gradient entry at the solution; null for probes without one.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>What a reader has to know; empty when nothing.</summary>
    public string Note { get; init; } = "";

    /// <summary>Version of the library with the commit it was built from.</summary>
    public required string Kit { get; init; }

    /// <summary>Time of the probe and its intervals.</summary>
    public required double Seconds { get; init; }

    /// <summary>Number of distinct units among the test rows.</summary>
    [JsonIgnore]
    public int UnitCount => Units.Distinct(StringComparer.Ordinal).Count();

    /// <summary>The test rows, for paired comparisons.</summary>
    [JsonIgnore]
    public TestRows Rows => new(Task, DataSet, ClassNames.Length, Units, Truth, Predicted);
}

/// <summary>A folder of results: &lt;task&gt;/&lt;model&gt;.&lt;features&gt;.&lt;probe&gt;.&lt;seed&gt;.json.</summary>
/// <param name="folder">Made on the first write.</param>
public sealed class Results(string folder)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
        Converters = { new UndefinedAsNull() },
    };

    /// <summary>File of one result.</summary>
    public string PathOf(string task, string model, string features, string probe, int seed) =>
        Path.Combine(folder, task, FormattableString.Invariant($"{model}.{features}.{probe}.{seed}.json"));

    /// <summary>Writes a result whole or not at all.</summary>
    public void Save(TaskResult result) =>
        AtomicFile.WriteAllText(PathOf(result.Task, result.Model, result.Features, result.Probe, result.Seed), JsonSerializer.Serialize(result, Json));

    /// <summary>The result if it is there and was made from the same inputs (<see cref="TaskResult.Key"/>), else null.</summary>
    public TaskResult? Find(string task, string model, string features, string probe, int seed, string key)
    {
        string path = PathOf(task, model, features, probe, seed);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<TaskResult>(File.ReadAllText(path), Json) is { } result && result.Key == key ? result : null;
        }
        catch (JsonException)
        {
            // Written by another version of the kit: it is made again.
            return null;
        }
    }

    /// <summary>Every result that passes, ordered by task, model, probe and seed; none when the folder is not there.</summary>
    /// <exception cref="KitException">A file is not a result; it is named.</exception>
    public IReadOnlyList<TaskResult> Load(Func<TaskResult, bool>? filter = null)
    {
        if (!Directory.Exists(folder)) return [];
        return [.. Directory.GetFiles(folder, "*.json", SearchOption.AllDirectories).Select(Read).Where(r => filter?.Invoke(r) ?? true)
            .OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Model, StringComparer.Ordinal).ThenBy(r => r.Probe, StringComparer.Ordinal).ThenBy(r => r.Seed)];
    }

    private static TaskResult Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TaskResult>(File.ReadAllText(path), Json) ?? throw new JsonException("the file says null");
        }
        catch (JsonException e)
        {
            throw new KitException($"{path}: expected a result of this version of the kit ({e.Message}); delete the file and probe again.", e);
        }
    }

    // JSON has no NaN: an undefined metric is null.
    private sealed class UndefinedAsNull : JsonConverter<double>
    {
        public override bool HandleNull => true;

        public override double Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}
