using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>What a probe loses on a test set when it was trained on another set.</summary>
/// <param name="Test">Set of the test rows.</param>
/// <param name="Train">The other set, that the crossing probe was trained on.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Metric">auroc or f1.</param>
/// <param name="Stamp">That of both tasks and the model.</param>
/// <param name="Images">Test images.</param>
/// <param name="Positives">Positive ones among them.</param>
/// <param name="Units">Lesions, patients or images that the intervals resample.</param>
/// <param name="Within">Score of the probe trained on the test set's own training part.</param>
/// <param name="Across">Score of the probe trained on the other set.</param>
/// <param name="Drop">Within minus across, both scored on the same resampled units.</param>
public sealed record CrossDrop(string Test, string Train, string Model, string Probe, string Metric, string Stamp, int Images, int Positives, int Units, Interval Within, Interval Across, PairedDifference Drop)
{
    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; } = 1;

    /// <summary>The metrics: area under the ROC curve, which does not depend on how frequent the positive class is in either set, and F1 of the positive class at probability 0.5, which does.</summary>
    public static IReadOnlyList<string> Metrics { get; } = ["auroc", "f1"];

    /// <summary>The drop on each test set, for each model, probe and metric, seeds averaged.</summary>
    /// <param name="rows">From <see cref="CrossSet"/>.</param>
    /// <param name="leaveOut">Ids of test images that are not scored, such as those with a near-duplicate in training; null for none.</param>
    /// <param name="resamples">
    /// Bootstrap resamples; more where the number of drops needs them (<see cref="PairedTest.Resamples"/>).
    /// </param>
    /// <exception cref="KitException">Nothing of a test set is left, or one class of it.</exception>
    public static IReadOnlyList<CrossDrop> Of(IReadOnlyList<CrossRows> rows, IReadOnlySet<string>? leaveOut = null,
        int resamples = 1000)
    {
        var groups = rows.GroupBy(r => (r.Test, r.Model, r.Probe)).ToArray();
        resamples = PairedTest.Resamples(resamples, groups.Length * Metrics.Count);
        return [.. groups.SelectMany(g =>
        {
            CrossRows[] within = [.. g.Where(r => r.Train == r.Test).Select(r => Kept(r, leaveOut)).OrderBy(r => r.Seed)], across = [.. g.Where(r => r.Train != r.Test).Select(r => Kept(r, leaveOut)).OrderBy(r => r.Seed)];
            if (within.Length == 0 || !within.Select(r => r.Seed).SequenceEqual(across.Select(r => r.Seed)) || within.Zip(across).Any(p => !p.First.Ids.SequenceEqual(p.Second.Ids)))
                throw new KitException($"Crossing sets: the probes trained on {g.Key.Test} and on the other set were not scored on the same seeds and test images.");
            CrossRows first = within[0];
            int positives = first.Truth.Count(t => t == 1);
            if (positives == 0 || positives == first.Truth.Length)
                throw new KitException($"Crossing sets: {first.Truth.Length} test images of {g.Key.Test} are left, {positives} of them positive; expected both classes. Leave fewer out, or take more test images.");
            string stamp = Stamps.Join([.. within.Select(r => r.Stamp), .. across.Select(r => r.Stamp)]);
            return Metrics.Select(metric =>
            {
                Func<ushort[], double> own = Mean(within, metric), other = Mean(across, metric);
                (double Own, double Other)[] drawn = Bootstrap.Over(first.Units, resamples, 1, w => (own(w), other(w)));
                return new CrossDrop(g.Key.Test, across[0].Train, g.Key.Model, g.Key.Probe, metric, stamp,
                    first.Truth.Length, positives,
                    first.Units.Distinct().Count(),
                    Bootstrap.Percentiles(own([]), [.. drawn.Select(d => d.Own)]),
                    Bootstrap.Percentiles(other([]), [.. drawn.Select(d => d.Other)]),
                    PairedDifference.Of(own([]) - other([]), [.. drawn.Select(d => d.Own - d.Other)]))
                {
                    Seeds = within.Length,
                };
            });
        })];
    }

    private static Func<ushort[], double> Mean(CrossRows[] seeds, string metric)
    {
        if (metric == "f1") return w => seeds.Average(r => ClassCounts.Of(r.Truth, r.Predicted, 2, w).F1(1));
        (Ranking Ranking, bool[] Positive)[] ranked = [.. seeds.Select(r => (new Ranking(r.Scores), r.Truth.Select(t => t == 1).ToArray()))];
        return w => ranked.Average(r => r.Ranking.Auroc(r.Positive, w));
    }

    private static CrossRows Kept(CrossRows rows, IReadOnlySet<string>? leaveOut)
    {
        if (leaveOut is null || leaveOut.Count == 0) return rows;
        int[] kept = [.. Enumerable.Range(0, rows.Ids.Length).Where(i => !leaveOut.Contains(rows.Ids[i]))];
        T[] Take<T>(T[] values) => [.. kept.Select(i => values[i])];
        return rows with { Ids = Take(rows.Ids), Units = Take(rows.Units), Truth = Take(rows.Truth), Predicted = Take(rows.Predicted), Scores = Take(rows.Scores) };
    }
}
