namespace DermKit.Evaluation;

/// <summary>Metric of model minus baseline, with its paired bootstrap interval. P is two-sided: twice the smaller share
/// of resamples on either side of 0, counting the observed one.</summary>
public sealed record PairedDifference(Interval Difference, double P)
{
    /// <summary>True when no resample lies beyond 0: <see cref="P"/> is then an upper bound.</summary>
    public bool IsBound { get; init; }

    // From resamples, NaN where undefined.
    internal static PairedDifference Of(double value, double[] resampled)
    {
        (double p, bool isBound) = PairedTest.TwoSided(resampled);
        return new(Bootstrap.Percentiles(value, resampled), p) { IsBound = isBound };
    }
}

internal static class PairedTest
{
    // Tasks on the same images are one observation, so data sets are counted.
    public const int FewestDataSets = 8;

    // Paired bootstrap of Bootstrap.Mean: both models on the same resampled units, panels of the same tasks and seeds
    // in the same order.
    public static PairedDifference Difference(IReadOnlyList<TestRows> model, IReadOnlyList<TestRows> baseline,
        Func<ClassCounts, double>? metric = null, int resamples = 1000)
    {
        if (model.Count != baseline.Count)
            throw new KitException($"Paired comparison: {model.Count} results of the model, {baseline.Count} of the "
                + "baseline; probe both with the same tasks and seeds.");
        foreach ((TestRows a, TestRows b) in model.Zip(baseline))
            if (a.Task != b.Task || !a.Units.SequenceEqual(b.Units) || !a.Truth.SequenceEqual(b.Truth))
                throw new KitException($"Paired comparison: task '{a.Task}' was scored on other test rows than "
                    + $"'{b.Task}' of the baseline; probe both with one split and the same seeds.");
        (double own, double[] resampled) = Bootstrap.Mean(model, metric, resamples);
        (double other, double[] baselines) = Bootstrap.Mean(baseline, metric, resamples);
        return PairedDifference.Of(own - other, [.. resampled.Zip(baselines, (a, b) => a - b)]);
    }

    // The least p of R resamples is 2 / (R + 1), which Holm's first step multiplies by m: 100 m resamples give less
    // than 0.02; below 40 m nothing reaches 0.05.
    public static int Resamples(int asked, int comparisons) => Math.Max(asked, 100 * comparisons);

    // Leaves out NaN; see PairedDifference.
    public static (double P, bool IsBound) TwoSided(double[] differences)
    {
        double[] defined = [.. differences.Where(d => !double.IsNaN(d))];
        double fewer = Math.Min(defined.Count(v => v <= 0), defined.Count(v => v >= 0));
        double p = Math.Min(1, 2 * (fewer + 1) / (defined.Length + 1));
        return (p, fewer == 0 && p < 1);
    }

    // Standard deviation (n - 1) without NaN.
    public static double StandardError(double[] differences)
    {
        double[] defined = [.. differences.Where(v => !double.IsNaN(v))];
        double mean = defined.DefaultIfEmpty(double.NaN).Average();
        return Math.Sqrt(defined.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, defined.Length - 1));
    }

    // Holm's step-down correction; keeps the order.
    public static double[] Holm(IEnumerable<double> p) =>
        [.. Holm([.. p.Select(value => (value, false))]).Select(a => a.P)];

    public static (double P, bool IsBound)[] Holm(IEnumerable<PairedDifference> family) =>
        Holm([.. family.Select(d => (d.P, d.IsBound))]);

    // A corrected p that rests on an upper bound is one.
    public static (double P, bool IsBound)[] Holm(IReadOnlyList<(double P, bool IsBound)> family)
    {
        var adjusted = new (double P, bool IsBound)[family.Count];
        (double P, bool IsBound) largest = (0, false);
        int left = family.Count;
        foreach (int i in Enumerable.Range(0, family.Count).OrderBy(i => family[i].P))
        {
            double p = Math.Min(1, family[i].P * left--);
            if (p > largest.P) largest = (p, family[i].IsBound && p < 1);
            adjusted[i] = largest;
        }
        return adjusted;
    }

    // Wilcoxon signed-rank test over data sets (their tasks averaged), exact by counting all sign patterns: two-sided p
    // and the smaller rank sum, null below FewestDataSets.
    public static (double P, double Sum)? SignedRank(
        IReadOnlyList<(string DataSet, double Model, double Baseline)> tasks)
    {
        double[] differences = [.. tasks.GroupBy(t => t.DataSet).Select(g => g.Average(t => t.Model - t.Baseline))];
        if (differences.Length < FewestDataSets) return null;
        double[] nonzero = [.. differences.Where(d => d != 0)];
        if (nonzero.Length == 0) return (1, 0);
        // Doubled mid-ranks are whole numbers, whose sums can be counted.
        int[] doubled = [.. Ranks([.. nonzero.Select(Math.Abs)]).Select(r => (int)Math.Round(2 * r))];
        int total = doubled.Sum(), positive = doubled.Where((_, i) => nonzero[i] > 0).Sum();
        int smaller = Math.Min(positive, total - positive);
        double[] ways = new double[total + 1];
        ways[0] = 1;
        foreach (int rank in doubled)
            for (int s = total; s >= rank; s--) ways[s] += ways[s - rank];
        double tail = ways.Take(smaller + 1).Sum() / Math.Pow(2, doubled.Length);
        return (Math.Min(1, 2 * tail), smaller / 2.0);
    }

    // Mean rank over data sets (1 = best; ties share the mean); null below FewestDataSets.
    public static double[]? MeanRanks(IReadOnlyList<(string DataSet, double[] Scores)> scores)
    {
        var sets = scores.GroupBy(s => s.DataSet).ToArray();
        if (sets.Length < FewestDataSets) return null;
        int models = scores[0].Scores.Length;
        double[] Ranked(IEnumerable<(string, double[] Scores)> set) =>
            Ranks([.. Enumerable.Range(0, models).Select(m => -set.Average(t => t.Scores[m]))]);
        double[][] ranks = [.. sets.Select(Ranked)];
        return [.. Enumerable.Range(0, models).Select(m => ranks.Average(r => r[m]))];
    }

    // Ascending from 1; equal values share their mean.
    private static double[] Ranks(double[] values) =>
        [.. values.Select(v => values.Count(o => o < v) + (values.Count(o => o == v) + 1) / 2.0)];
}
