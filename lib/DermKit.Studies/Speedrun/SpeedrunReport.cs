namespace DermKit.Studies;

/// <summary>The ledger of data/speedrun.</summary>
public static class SpeedrunReport
{
    internal const string None = "No entry yet: data/speedrun/README.md says how to make one.";

    /// <summary>Scores of the entries beside those of untrained weights and of permuted labels, or a sentence without
    /// entries.</summary>
    /// <exception cref="KitException">A file is not a whole entry.</exception>
    public static object Scores(KitSettings settings) =>
        new SpeedrunLedger(settings).Entries() is { Count: > 0 } entries ? Figure(entries) : None;

    internal static BarFigure Figure(IReadOnlyList<SpeedrunEntry> entries)
    {
        BarSeries Series(string name, Func<SpeedrunScores, KeptMean> of) =>
            new(name, [.. entries.Select(e => Estimate.Of(of(e.Validation).Score))]);
        return new("speedrun", "What two cores train in so many minutes",
            "Mean F1 of kNN and linear probe over the locked tasks, with 95 % intervals over patients and images; the "
            + "null row has permuted training labels. Is training further above random weights than these above "
            + "chance?",
            $"Points of each entry. Best: {entries.MaxBy(e => e.Validation.Trained.Score.Value)!.Name}.",
            [.. entries.Select(e => FormattableString.Invariant($"{e.Name}, {e.Minutes} min"))],
            [Series("trained", s => s.Trained), Series("untrained", s => s.Untrained), Series("null", s => s.Permuted)],
            "Entry", "F1, mean of tasks and probes")
        {
            Points = true,
            Horizontal = true,
            Stamp = Stamps.Join(entries.Select(e => e.Stamp)),
        };
    }
}
