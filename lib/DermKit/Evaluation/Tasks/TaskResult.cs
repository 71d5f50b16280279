using System.Text.Json;
using System.Text.Json.Serialization;

namespace DermKit.Evaluation;

/// <summary>One model, task, probe and seed: scores with intervals, and the predictions of every test row so that models can be paired later.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="TaskVersion">Version of the task.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Features">Feature variant, for example cls4.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Seed">Seed of the split and of the probe.</param>
/// <param name="Key">Hash of everything the scores depend on; a result with another key is not reused.</param>
/// <param name="WeightsHash">Hash of the weights.</param>
/// <param name="DataHash">Hash over ids, labels and parts of the images.</param>
/// <param name="DataSet">Data sets of the task, joined by " + ".</param>
/// <param name="InPretraining">Whether training images of the task are in the pre-training data of the kit or of the model.</param>
/// <param name="InMeans">False when the score stays outside every mean and rank.</param>
/// <param name="Stamp">What figures and tables of the task are stamped with.</param>
/// <param name="ClassNames">Names of the classes.</param>
/// <param name="TrainRows">Training rows.</param>
/// <param name="Ids">Id of each test row.</param>
/// <param name="Units">What the intervals resample: patient or lesion of each test row, else its id.</param>
/// <param name="Truth">True class of each test row.</param>
/// <param name="Predicted">Predicted class of each test row.</param>
/// <param name="Metrics">Metrics by name (<see cref="Evaluation.Metrics.All"/>); NaN where undefined.</param>
/// <param name="Intervals">95 % intervals by metric; they resample <paramref name="Units"/>.</param>
/// <param name="Confusion">[true class][predicted class].</param>
/// <param name="K">Neighbours used; null for other probes.</param>
/// <param name="Converged">Whether the optimiser converged; null for probes without one.</param>
/// <param name="Iterations">Optimiser iterations; null for probes without one.</param>
/// <param name="GradientNorm">Largest gradient entry at the solution; null for probes without one.</param>
/// <param name="Note">What a reader has to know; empty when nothing.</param>
/// <param name="Kit">Version of the library with the commit it was built from.</param>
/// <param name="Seconds">Time of the probe and its intervals.</param>
/// <param name="Split">strict or original: which version of the task's split.</param>
/// <param name="Geometry">Size in pixels that every image was brought to before the model's own transform, for example 200x150; empty for images as they come.</param>
/// <param name="ModelStamp">FIXTURE where the model's weights are random numbers in a real model's format.</param>
/// <param name="Pca">What the principal components kept that were probed; null where the features were.</param>
[TypeFormatterSource(typeof(TaskResultFormatterSource), PreferredMimeTypes = ["text/html", "text/plain"])]
public sealed record TaskResult(
    string Task, int TaskVersion, string Model, string Features, string Probe, int Seed, string Key, string WeightsHash,
    string DataHash, string DataSet, bool InPretraining, bool InMeans, string Stamp, string[] ClassNames, int TrainRows,
    string[] Ids, string[] Units, int[] Truth, int[] Predicted,
    SortedDictionary<string, double> Metrics, SortedDictionary<string, Interval> Intervals, int[][] Confusion, string Kit, double Seconds, int? K = null,
    bool? Converged = null, int? Iterations = null, double? GradientNorm = null, string Note = "", string ModelStamp = "", string Split = "strict", string Geometry = "", Reduction? Pca = null)
{
    /// <summary>Number of distinct units among the test rows.</summary>
    [JsonIgnore]
    public int UnitCount => Units.Distinct(StringComparer.Ordinal).Count();

    /// <summary>The stamps of task and model together.</summary>
    [JsonIgnore]
    public string BothStamps => Stamps.Join([Stamp, ModelStamp]);

    /// <summary>The test rows, for paired comparisons.</summary>
    [JsonIgnore]
    public TestRows Rows => new(Task, DataSet, ClassNames.Length, Units, Truth, Predicted);
}

/// <summary>A folder of results: &lt;task&gt;/&lt;model&gt;.&lt;features&gt;.&lt;probe&gt;.&lt;seed&gt;.&lt;head of the key&gt;.json, so that results of other inputs (another mode) stand side by side.</summary>
/// <param name="folder">Made on the first write.</param>
public sealed class Results(string folder)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
        RespectRequiredConstructorParameters = true,
        Converters = { new UndefinedAsNull() },
    };

    /// <summary>File of one result.</summary>
    public string PathOf(string task, string model, string features, string probe, int seed, string key) =>
        Path.Combine(folder, task, FormattableString.Invariant($"{model}.{features}.{probe}.{seed}.{key[..Math.Min(8, key.Length)]}.json"));

    /// <summary>Writes a result whole or not at all.</summary>
    public void Save(TaskResult result) =>
        Write(PathOf(result.Task, result.Model, result.Features, result.Probe, result.Seed, result.Key), result);

    /// <summary>The result if it is there and was made from the same inputs (<see cref="TaskResult.Key"/>), else null.</summary>
    public TaskResult? Find(string task, string model, string features, string probe, int seed, string key) =>
        TryRead<TaskResult>(PathOf(task, model, features, probe, seed, key)) is { } result && result.Key == key ? result : null;

    /// <summary>Writes one JSON file of numbers, NaN as null, whole or not at all.</summary>
    internal static void Write<T>(string path, T value) => AtomicFile.WriteAllText(path, JsonSerializer.Serialize(value, Json));

    /// <summary>What <see cref="Write"/> wrote; null when there is no file, or one of another version of the kit: it is made again.</summary>
    internal static T? TryRead<T>(string path) where T : class
    {
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(path), Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Every result that passes, ordered by task, model, probe and seed; none when the folder is not there. Those of other modes are among them: filter before comparing.</summary>
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
