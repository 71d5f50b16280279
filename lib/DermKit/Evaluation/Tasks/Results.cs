namespace DermKit.Evaluation;

/// <summary>Results as &lt;task&gt;/&lt;model&gt;.&lt;features&gt;.&lt;probe&gt;.&lt;seed&gt;.&lt;head of the
/// key&gt;.json: other inputs (another mode) have other files.</summary>
internal sealed class Results(string folder)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
        RespectRequiredConstructorParameters = true,
        Converters = { new UndefinedAsNull() },
    };

    public string PathOf(string task, string model, string features, string probe, int seed, string key) =>
        Path.Combine(folder, task,
            FormattableString.Invariant($"{model}.{features}.{probe}.{seed}.{key[..Math.Min(8, key.Length)]}.json"));

    public void Save(TaskResult result) =>
        Write(PathOf(result.Task, result.Model, result.Features, result.Probe, result.Seed, result.Key), result);

    public TaskResult? Find(string task, string model, string features, string probe, int seed, string key) =>
        TryRead<TaskResult>(PathOf(task, model, features, probe, seed, key)) is { } result && result.Key == key
            ? result : null;

    // Atomic; NaN becomes null.
    public static void Write<T>(string path, T value) =>
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(value, Json));

    // Null for an absent file or one of another version of the kit.
    public static T? TryRead<T>(string path) where T : class
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
