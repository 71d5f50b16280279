using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>One model and probe over the tasks of a mean, with its own features and with components of them.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Task">Name of the mean, as in <see cref="Comparison.Means"/>.</param>
/// <param name="Tasks">Number of tasks in it.</param>
/// <param name="Kept">What the components kept, one for each task and seed.</param>
/// <param name="Own">Mean F1 with the features as they are.</param>
/// <param name="Narrow">Mean F1 with the components.</param>
/// <param name="Difference">Narrow minus own, paired on the test units.</param>
/// <param name="AdjustedP">Its p after Holm's correction over all rows, of every model, probe and mean.</param>
/// <param name="Stamp">That of tasks and model.</param>
public sealed record WidthRow(string Model, string Probe, string Task, int Tasks, IReadOnlyList<Reduction> Kept, Interval Own, Interval Narrow, PairedDifference Difference, double AdjustedP, string Stamp)
{
    /// <summary>Number of test units (patients, lesions or images) that the intervals resample, over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; }

    /// <summary>
    /// True where <see cref="AdjustedP"/> is an upper bound (<see cref="PairedDifference.IsBound"/>).
    /// </summary>
    public bool IsBound { get; init; }
}

/// <summary>Whether a model owes its score to the number of its features: every model at one width.</summary>
public static class FeatureWidth
{
    /// <summary>A row for each model, probe and mean over tasks.</summary>
    /// <param name="own">Results with the features as they are.</param>
    /// <param name="narrow">Results of the same models, tasks and seeds with <see cref="ProbingOptions.Width"/>.</param>
    /// <param name="resamples">
    /// Bootstrap resamples; differences get more where their number needs them (<see cref="PairedTest.Resamples"/>).
    /// </param>
    /// <exception cref="KitException">The two were not scored on the same rows.</exception>
    public static IReadOnlyList<WidthRow> Compare(IEnumerable<TaskResult> own, IEnumerable<TaskResult> narrow, int resamples = 1000)
    {
        TaskResult[] all = [.. own];
        IReadOnlySet<string> seen = Comparison.Seen(all);
        var pairs = all.Where(r => r.InMeans).Join(narrow, r => (r.Task, r.Model, r.Probe, r.Seed),
            r => (r.Task, r.Model, r.Probe, r.Seed), (a, b) => (Own: a, Narrow: b))
            .GroupBy(p => (IsSeen: seen.Contains(p.Own.Task), p.Own.Model, p.Own.Probe, p.Own.BothStamps)).ToArray();
        int forDifferences = PairedTest.Resamples(resamples, pairs.Length);
        WidthRow[] rows = [.. pairs.OrderBy(g => g.Key.IsSeen ? 0 : 1).Select(g =>
        {
            TestRows[] wide = [.. g.Select(p => p.Own.Rows)], few = [.. g.Select(p => p.Narrow.Rows)];
            Interval Score(TestRows[] panels)
            {
                (double value, double[] resampled) = Bootstrap.Mean(panels, null, resamples);
                return Bootstrap.Percentiles(value, resampled);
            }
            return new WidthRow(g.Key.Model, g.Key.Probe, g.Key.IsSeen ? Comparison.Inside : Comparison.Outside, g.Select(p => p.Own.Task).Distinct().Count(),
                [.. g.Select(p => p.Narrow.Pca).OfType<Reduction>()], Score(wide), Score(few),
                PairedTest.Difference(few, wide, resamples: forDifferences), double.NaN, g.Key.BothStamps)
            {
                Units = Bootstrap.UnitsOf(wide), Seeds = g.Select(p => p.Own.Seed).Distinct().Count(),
            };
        })];
        var adjusted = PairedTest.Holm(rows.Select(r => r.Difference));
        return [.. rows.Zip(adjusted, (row, own) => row with { AdjustedP = own.P, IsBound = own.IsBound })];
    }
}
