namespace DermKit.Evaluation;

/// <summary>What a comparison of pre-training methods found, as one file that a notebook shows and a repository carries.</summary>
/// <param name="Provenance">Command, commit, hardware, images, and for each method its config with every changed
/// key.</param>
/// <param name="Rows">A row for each method, task and probe, paired with the untrained backbone of the same seeds.</param>
/// <param name="Means">The same over tasks.</param>
public sealed record MethodComparison(SortedDictionary<string, string> Provenance, IReadOnlyList<ComparisonRow> Rows, IReadOnlyList<ComparisonRow> Means)
{
    /// <summary>Name of the file in its folder; the logs of the runs lie beside it as method-seed.log.jsonl.</summary>
    public const string FileName = "comparison.json";

    /// <summary>Name of the model that every method is compared with.</summary>
    public const string Untrained = "untrained";

    /// <summary>Compares results of <see cref="BackboneProbing"/>.</summary>
    /// <param name="results">Of every method and of <see cref="Untrained"/>, the same tasks and seeds of each.</param>
    /// <param name="provenance">See <see cref="Provenance"/>.</param>
    public static MethodComparison Of(IReadOnlyList<TaskResult> results, IEnumerable<KeyValuePair<string, string>> provenance) =>
        new(new(provenance.ToDictionary(), StringComparer.Ordinal), Comparison.Table(results, Untrained), Comparison.Means(results, Untrained));

    /// <summary>Writes the file whole or not at all.</summary>
    public void Save(string folder) => Results.Write(Path.Combine(folder, FileName), this);

    /// <summary>What <see cref="Save"/> wrote.</summary>
    /// <exception cref="KitException">The file is not there or not one of this version.</exception>
    public static MethodComparison Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return Results.TryRead<MethodComparison>(path) ?? throw new KitException($"{path}: expected a comparison of methods of this version of the kit; make one with kit compare --export {folder}.");
    }
}
