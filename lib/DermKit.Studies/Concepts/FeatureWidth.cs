namespace DermKit.Studies;

/// <summary>A model and probe over the tasks of a mean (<see cref="Comparison.Means"/>): principal components minus own
/// features, p corrected over all rows.</summary>
public sealed record WidthRow(string Model, string Probe, string Task, int Tasks, IReadOnlyList<Reduction> Kept,
    Interval Own, Interval Narrow, string Stamp) : TestedDifference
{
    /// <summary>Test units that the intervals resample, over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; }
}

/// <summary>Compares models at one feature width, to see whether a score comes from the number of features.</summary>
public static class FeatureWidth
{
    /// <summary>A row for each model, probe and mean, from results without and with
    /// <see cref="ProbingOptions.Width"/>.</summary>
    /// <exception cref="KitException">The two were scored on different rows.</exception>
    public static IReadOnlyList<WidthRow> Compare(IEnumerable<TaskResult> own, IEnumerable<TaskResult> narrow,
        int resamples = 1000)
    {
        TaskResult[] all = [.. own];
        IReadOnlySet<string> seen = Comparison.Seen(all);
        var pairs = all.Where(r => r.InMeans).Join(narrow, r => (r.Task, r.Model, r.Probe, r.Seed),
            r => (r.Task, r.Model, r.Probe, r.Seed), (a, b) => (Own: a, Narrow: b));
        var groups = pairs
            .GroupBy(p => (IsSeen: seen.Contains(p.Own.Task), p.Own.Model, p.Own.Probe, p.Own.BothStamps)).ToArray();
        int forDifferences = PairedTest.Resamples(resamples, groups.Length);
        return TestedDifference.Correct(groups.OrderBy(g => g.Key.IsSeen ? 0 : 1).Select(g =>
        {
            TestRows[] wide = [.. g.Select(p => p.Own.Rows)];
            TestRows[] few = [.. g.Select(p => p.Narrow.Rows)];
            return new WidthRow(g.Key.Model, g.Key.Probe, g.Key.IsSeen ? Comparison.Inside : Comparison.Outside,
                g.Select(p => p.Own.Task).Distinct().Count(), [.. g.Select(p => p.Narrow.Pca).OfType<Reduction>()],
                Bootstrap.MeanInterval(wide, null, resamples), Bootstrap.MeanInterval(few, null, resamples),
                g.Key.BothStamps)
            {
                Difference = PairedTest.Difference(few, wide, resamples: forDifferences),
                Units = Bootstrap.UnitsOf(wide),
                Seeds = g.Select(p => p.Own.Seed).Distinct().Count(),
            };
        }));
    }
}
