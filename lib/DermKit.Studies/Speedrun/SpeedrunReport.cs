namespace DermKit.Studies;

/// <summary>The ledger of data/speedrun.</summary>
public static class SpeedrunReport
{
    internal const string None = "No entry yet: data/speedrun/README.md says how to make one.";

    /// <summary>Scores over minutes beside those of untrained weights and of permuted labels, or a sentence without
    /// entries.</summary>
    /// <exception cref="KitException">A file is not a whole entry.</exception>
    public static object Scores(KitSettings settings) =>
        new SpeedrunLedger(settings).Entries() is { Count: > 0 } entries ? Figure(entries) : None;

    internal static ScatterFigure Figure(IReadOnlyList<SpeedrunEntry> entries)
    {
        ScatterGroup Group(string name, Func<SpeedrunScores, KeptMean> of)
        {
            Interval[] scores = [.. entries.Select(e => of(e.Validation).Score)];
            return new(name, [.. entries.Select(e => e.Minutes)], Array.ConvertAll(scores, s => s.Value),
                [.. entries.Select(e => e.Name)], Array.ConvertAll(scores, s => s.Low),
                Array.ConvertAll(scores, s => s.High));
        }
        return new("speedrun", "What two cores train in so many minutes",
            "Mean F1 of kNN and linear probe over the locked tasks, with 95 % intervals over patients and images; the "
            + "null row has permuted training labels. Is training further above random weights than these above "
            + "chance?", $"Points over minutes. Best: {entries.MaxBy(e => e.Validation.Trained.Score.Value)!.Name}.",
            [Group("trained", s => s.Trained), Group("untrained", s => s.Untrained), Group("null", s => s.Permuted)],
            "Minutes of training", "F1, mean of tasks and probes")
        {
            XTicks = [.. entries.Select(e => e.Minutes).Distinct()],
            SideBySide = true,
            Stamp = Stamps.Join(entries.Select(e => e.Stamp)),
        };
    }
}
