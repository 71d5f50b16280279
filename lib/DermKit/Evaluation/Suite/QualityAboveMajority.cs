namespace DermKit.Evaluation;

/// <summary>How far a model is above an answer that needs no image, over the tasks of a mean.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Features">Feature variant.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Task">Name of the mean, as in <see cref="Comparison.Means"/>.</param>
/// <param name="Tasks">Number of tasks in it.</param>
/// <param name="Above">Mean F1 minus that of the most frequent class for every test image, paired on the test units.</param>
/// <param name="Stamp">That of tasks and model.</param>
public sealed record QualityAboveMajority(string Model, string Features, string Probe, string Task, int Tasks, PairedDifference Above, string Stamp)
{
    /// <summary>Number of test units (patients, lesions or images) that the interval resamples, over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; }

    /// <summary>A row for each model, probe and mean over tasks. The most frequent class is that of the test part; of two classes with the positive one rarer its F1 is 0.</summary>
    /// <param name="results">Any results; tasks outside of means are left out.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static IReadOnlyList<QualityAboveMajority> Of(IEnumerable<TaskResult> results, int resamples = 1000)
    {
        TaskResult[] all = [.. results];
        IReadOnlySet<string> seen = Comparison.Seen(all);
        return [.. all.Where(r => r.InMeans).GroupBy(r => (IsSeen: seen.Contains(r.Task), r.Model, r.Features, r.Probe, r.BothStamps)).OrderBy(g => g.Key.IsSeen ? 0 : 1).Select(g =>
        {
            TestRows[] own = [.. g.Select(r => r.Rows)];
            TestRows[] constant = [.. own.Select(rows => rows with { Predicted = [.. Enumerable.Repeat(rows.Truth.CountBy(t => t).OrderBy(c => c.Key).MaxBy(c => c.Value).Key, rows.Truth.Length)] })];
            return new QualityAboveMajority(g.Key.Model, g.Key.Features, g.Key.Probe, g.Key.IsSeen ? Comparison.Inside : Comparison.Outside, g.Select(r => r.Task).Distinct().Count(),
                PairedTest.Difference(own, constant, resamples: resamples), g.Key.BothStamps)
            {
                Units = Bootstrap.UnitsOf(own), Seeds = g.Select(r => r.Seed).Distinct().Count(),
            };
        })];
    }
}
