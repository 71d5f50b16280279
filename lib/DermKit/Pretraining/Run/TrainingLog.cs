namespace DermKit.Pretraining;

/// <summary>The steps of a run as JSON lines.</summary>
public static class TrainingLog
{
    internal const string FileName = "log.jsonl";
    private static readonly JsonSerializerOptions Options =
        new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Writes all steps or nothing.</summary>
    public static void Write(string path, IEnumerable<TrainingStep> steps) => AtomicFile.Write(path, stream =>
    {
        // Line by line: one string would be the largest object of a long run, made at every checkpoint.
        foreach (TrainingStep step in steps)
        {
            JsonSerializer.Serialize(stream, step, Options);
            stream.WriteByte((byte)'\n');
        }
    });

    /// <summary>Reads a log.</summary>
    /// <exception cref="KitException">A line is no step; the message names it.</exception>
    public static IReadOnlyList<TrainingStep> Read(string path) => [.. File.ReadLines(path).Select((line, i) =>
    {
        try
        {
            return JsonSerializer.Deserialize<TrainingStep>(line, Options) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new KitException($"{path}, line {i + 1}: expected a step of training ({e.Message}). Delete the file "
                + "to start a new log.", e);
        }
    })];
}
