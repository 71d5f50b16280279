namespace DermKit.Studies;

/// <summary>A comparison of methods in one file. Provenance: command, commit, hardware, images, configs with changed
/// keys. Rows: each method, task and probe, paired with the untrained backbone of the same seeds; means over
/// tasks.</summary>
public sealed record MethodComparison(
    SortedDictionary<string, string> Provenance, IReadOnlyList<ComparisonRow> Rows, IReadOnlyList<ComparisonRow> Means)
{
    /// <summary>Name of the file; the runs' logs are beside it as method-seed.log.jsonl.</summary>
    public const string FileName = "comparison.json";

    /// <summary>Name of the baseline model.</summary>
    public const string Untrained = "untrained";

    /// <summary>Compares results of <see cref="BackboneProbing"/>: methods and <see cref="Untrained"/> with the same
    /// tasks and seeds.</summary>
    public static MethodComparison Of(
        IReadOnlyList<TaskResult> results, IEnumerable<KeyValuePair<string, string>> provenance) =>
        new(new(provenance.ToDictionary(), StringComparer.Ordinal), Comparison.Table(results, Untrained),
            Comparison.Means(results, Untrained));

    /// <summary>Writes the whole file or nothing.</summary>
    public void Save(string folder) => Results.Write(Path.Combine(folder, FileName), this);

    /// <summary>Reads the file.</summary>
    /// <exception cref="KitException">The file does not exist or has another version.</exception>
    public static MethodComparison Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return Results.TryRead<MethodComparison>(path)
            ?? throw new KitException($"{path}: expected a comparison of methods of this version of the kit; make one "
                + $"with kit compare --export {folder}.");
    }
}
