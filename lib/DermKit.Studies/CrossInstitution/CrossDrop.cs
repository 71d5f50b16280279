namespace DermKit.Studies;

/// <summary>Drop of a probe's score on another set: within minus across, on the same resampled units.</summary>
public sealed record CrossDrop(string Test, string Train, string Model, string Probe, string Metric, string Stamp,
    int Images, int Positives, int Units, int Seeds, Interval Within, Interval Across) : TestedDifference
{
    // AUROC does not depend on the frequency of the positive class; F1 at probability 0.5 does.
    private static readonly string[] Metrics = ["auroc", "f1"];

    /// <summary>The drop for each test set, model, probe and metric, averaged over seeds, p corrected over all.
    /// Resamples increase with the number of drops (<see cref="PairedTest.Resamples"/>).</summary>
    /// <exception cref="KitException">A test set without the ids to leave out lacks a class.</exception>
    public static IReadOnlyList<CrossDrop> Of(IReadOnlyList<CrossRows> rows, IReadOnlySet<string>? leaveOut = null,
        int resamples = 1000)
    {
        var groups = rows.GroupBy(r => (r.Test, r.Model, r.Probe)).ToArray();
        resamples = PairedTest.Resamples(resamples, groups.Length * Metrics.Length);
        return Correct(groups.SelectMany(g => OfGroup([.. g.Select(r => Kept(r, leaveOut))], resamples)));
    }

    private static IEnumerable<CrossDrop> OfGroup(CrossRows[] rows, int resamples)
    {
        CrossRows[] within = [.. rows.Where(r => r.Train == r.Test).OrderBy(r => r.Seed)];
        CrossRows[] across = [.. rows.Where(r => r.Train != r.Test).OrderBy(r => r.Seed)];
        CrossRows first = rows[0];
        if (within.Length == 0 || within.Length != across.Length
            || within.Zip(across).Any(p => p.First.Seed != p.Second.Seed || !p.First.Ids.SequenceEqual(p.Second.Ids)))
            throw new KitException($"Crossing sets: the probes trained on {first.Test} and on the other set were not "
                + "scored on the same seeds and test images.");
        first = within[0];
        int positives = first.Truth.Count(t => t == 1);
        if (positives == 0 || positives == first.Truth.Length)
            throw new KitException($"Crossing sets: {first.Truth.Length} test images of {first.Test} are left, "
                + $"{positives} of them positive; expected both classes. Leave fewer out, or take more test images.");
        return Metrics.Select(metric =>
        {
            Func<ushort[], double> own = Mean(within, metric);
            Func<ushort[], double> other = Mean(across, metric);
            var drawn = Bootstrap.Over(first.Units, resamples, 1, w => (Own: own(w), Other: other(w)));
            return new CrossDrop(first.Test, across[0].Train, first.Model, first.Probe, metric,
                Stamps.Join(rows.Select(r => r.Stamp)), first.Truth.Length, positives,
                first.Units.Distinct().Count(), within.Length,
                Bootstrap.Percentiles(own([]), [.. drawn.Select(d => d.Own)]),
                Bootstrap.Percentiles(other([]), [.. drawn.Select(d => d.Other)]))
            {
                Difference = PairedDifference.Of(own([]) - other([]), [.. drawn.Select(d => d.Own - d.Other)]),
            };
        });
    }

    private static Func<ushort[], double> Mean(CrossRows[] seeds, string metric)
    {
        if (metric == "f1") return w => seeds.Average(r => ClassCounts.Of(r.Truth, r.Predicted, 2, w).F1(1));
        var ranked = seeds
            .Select(r => (Ranking: new Ranking(r.Scores), Positive: Evaluation.Metrics.Is(r.Truth, 1))).ToArray();
        return w => ranked.Average(r => r.Ranking.Auroc(r.Positive, w));
    }

    private static CrossRows Kept(CrossRows rows, IReadOnlySet<string>? leaveOut)
    {
        if (leaveOut is null || leaveOut.Count == 0) return rows;
        int[] kept = [.. Enumerable.Range(0, rows.Ids.Length).Where(i => !leaveOut.Contains(rows.Ids[i]))];
        T[] Take<T>(T[] values) => Array.ConvertAll(kept, i => values[i]);
        return rows with
        {
            Ids = Take(rows.Ids),
            Units = Take(rows.Units),
            Truth = Take(rows.Truth),
            Predicted = Take(rows.Predicted),
            Scores = Take(rows.Scores),
        };
    }
}
