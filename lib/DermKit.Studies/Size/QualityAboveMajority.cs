namespace DermKit.Studies;

/// <summary>Score above a prediction that needs no image: mean F1 minus that of the most frequent class for every test
/// image, paired on test units, over the tasks of a mean of <see cref="Comparison.Means"/>.</summary>
public sealed record QualityAboveMajority(string Model, string Features, string Probe, string Task, int Tasks,
    PairedDifference Above, string Stamp)
{
    /// <summary>Test units (patients, lesions or images) over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; }

    /// <summary>A row for each model, probe and mean over tasks. The most frequent class is the test part's; its binary
    /// F1 is 0 when the positive class is rarer.</summary>
    public static IReadOnlyList<QualityAboveMajority> Of(IEnumerable<TaskResult> results, int resamples = 1000)
    {
        TaskResult[] all = [.. results];
        IReadOnlySet<string> seen = Comparison.Seen(all);
        return [.. all.Where(r => r.InMeans)
            .GroupBy(r => (IsSeen: seen.Contains(r.Task), r.Model, r.Features, r.Probe, r.BothStamps))
            .OrderBy(g => g.Key.IsSeen ? 0 : 1).Select(g =>
            {
                TestRows[] own = [.. g.Select(r => r.Rows)];
                return new QualityAboveMajority(g.Key.Model, g.Key.Features, g.Key.Probe,
                    g.Key.IsSeen ? Comparison.Inside : Comparison.Outside, g.Select(r => r.Task).Distinct().Count(),
                    PairedTest.Difference(own, [.. own.Select(Majority)], resamples: resamples), g.Key.BothStamps)
                {
                    Units = Bootstrap.UnitsOf(own),
                    Seeds = g.Select(r => r.Seed).Distinct().Count(),
                };
            })];
    }

    private static TestRows Majority(TestRows rows)
    {
        int majority = rows.Truth.CountBy(t => t).OrderBy(c => c.Key).MaxBy(c => c.Value).Key;
        return rows with { Predicted = [.. rows.Truth.Select(_ => majority)] };
    }
}
