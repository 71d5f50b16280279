namespace DermKit.Evaluation;

/// <summary>Model minus baseline with its interval and p.</summary>
/// <param name="Difference">Metric of the model minus that of the baseline, interval from the paired bootstrap.</param>
/// <param name="P">Two-sided: twice the smaller share of resamples on either side of 0, counting the observed one.</param>
public sealed record PairedDifference(Interval Difference, double P);

/// <summary>A test over tasks, or why there is none.</summary>
/// <param name="P">Two-sided p; null when refused.</param>
/// <param name="Statistic">Smaller sum of signed ranks; null when refused.</param>
/// <param name="Refused">Why no test was made; empty when it was.</param>
public sealed record SignedRankResult(double? P, double? Statistic, string Refused);

/// <summary>Comparisons of two models that keep the pairing of rows or tasks.</summary>
public static class PairedTest
{
    /// <summary>Distinct data sets below which no test over tasks is made: tasks on the same images are one observation.</summary>
    public const int FewestDataSets = 8;

    /// <summary>
    /// Paired bootstrap of a mean score (<see cref="Bootstrap.Mean"/>): both models are scored on the same resampled units. P is two-sided:
    /// twice the smaller share of resamples on either side of 0, the observed sample counted as one.
    /// </summary>
    /// <param name="model">Test rows of the model, one entry for each task and seed.</param>
    /// <param name="baseline">Test rows of the baseline, the same ones in the same order.</param>
    /// <param name="metric">What is compared; the paper's F1 when null.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Of the draws.</param>
    /// <exception cref="KitException">The two were not scored on the same rows.</exception>
    public static PairedDifference Difference(IReadOnlyList<TestRows> model, IReadOnlyList<TestRows> baseline, Func<ClassCounts, double>? metric = null, int resamples = 1000, int seed = 1)
    {
        if (model.Count != baseline.Count) throw new KitException($"Paired comparison: {model.Count} results of the model but {baseline.Count} of the baseline; probe both with the same tasks and seeds.");
        foreach ((TestRows a, TestRows b) in model.Zip(baseline))
            if (a.Task != b.Task || !a.Units.SequenceEqual(b.Units) || !a.Truth.SequenceEqual(b.Truth))
                throw new KitException($"Paired comparison: task '{a.Task}' was scored on other test rows than '{b.Task}' of the baseline; probe both with one split and the same seeds.");
        (double own, double[] resampled) = Bootstrap.Mean(model, metric, resamples, seed);
        (double other, double[] baselines) = Bootstrap.Mean(baseline, metric, resamples, seed);
        double[] values = [.. resampled.Zip(baselines, (a, b) => a - b)];
        return new(Bootstrap.Percentiles(own - other, values), TwoSided(values));
    }

    /// <summary>Two-sided p of resampled differences: twice the smaller share on either side of 0, the observed sample counted as one; undefined ones (NaN) are left out.</summary>
    internal static double TwoSided(double[] differences)
    {
        double[] defined = [.. differences.Where(d => !double.IsNaN(d))];
        double below = defined.Count(v => v <= 0), above = defined.Count(v => v >= 0);
        return Math.Min(1, 2 * (Math.Min(below, above) + 1) / (defined.Length + 1));
    }

    /// <summary>
    /// Difference that a sample like this one would find (two-sided 0.05) four times in five: 2.8 standard errors, 1.96 + 0.84, by the normal approximation.
    /// </summary>
    public static double Detectable(double standardError) => 2.8 * standardError;

    /// <summary>How many times the test units it would take to find a difference of that size four times in five; the standard error falls with the root of their number.</summary>
    public static double TimesTheUnits(double standardError, double difference) => Math.Pow(Detectable(standardError) / difference, 2);

    /// <summary>Standard deviation (n - 1) of resampled differences, the undefined ones (NaN) left out: the standard error of the difference.</summary>
    internal static double StandardError(double[] differences)
    {
        double[] defined = [.. differences.Where(v => !double.IsNaN(v))];
        double mean = defined.DefaultIfEmpty(double.NaN).Average();
        return Math.Sqrt(defined.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, defined.Length - 1));
    }

    /// <summary>Holm's step-down correction for several tests; order is kept.</summary>
    public static double[] Holm(IReadOnlyList<double> p)
    {
        double[] adjusted = new double[p.Count];
        double largest = 0;
        foreach ((int i, int rank) in Enumerable.Range(0, p.Count).OrderBy(i => p[i]).Select((i, rank) => (i, rank)))
            adjusted[i] = largest = Math.Max(largest, Math.Min(1, p[i] * (p.Count - rank)));
        return adjusted;
    }

    /// <summary>
    /// Wilcoxon signed-rank test of model against baseline over data sets, exact for any number by counting all sign patterns.
    /// Tasks of one data set are averaged first. Refused under <see cref="FewestDataSets"/> distinct data sets.
    /// </summary>
    /// <param name="tasks">Data set, score of the model, score of the baseline.</param>
    public static SignedRankResult SignedRank(IReadOnlyList<(string DataSet, double Model, double Baseline)> tasks)
    {
        double[] differences = [.. tasks.GroupBy(t => t.DataSet).Select(g => g.Average(t => t.Model - t.Baseline))];
        if (differences.Length < FewestDataSets)
            return new(null, null, $"{differences.Length} distinct data set(s); a test over tasks needs {FewestDataSets}.");
        double[] nonzero = [.. differences.Where(d => d != 0)];
        if (nonzero.Length == 0) return new(1, 0, "");
        // Mid-ranks are multiples of one half: doubled they are whole numbers, and the distribution of their sums can be counted.
        int[] doubled = [.. Ranks([.. nonzero.Select(Math.Abs)]).Select(r => (int)Math.Round(2 * r))];
        int total = doubled.Sum(), positive = doubled.Where((_, i) => nonzero[i] > 0).Sum(), smaller = Math.Min(positive, total - positive);
        double[] ways = new double[total + 1];
        ways[0] = 1;
        foreach (int rank in doubled)
            for (int s = total; s >= rank; s--) ways[s] += ways[s - rank];
        double tail = ways.Take(smaller + 1).Sum() / Math.Pow(2, doubled.Length);
        return new(Math.Min(1, 2 * tail), smaller / 2.0, "");
    }

    /// <summary>Mean rank of each model over data sets (1 = best; equal scores share the mean of their ranks), or null under <see cref="FewestDataSets"/> distinct data sets.</summary>
    /// <param name="scores">For each task: its data set and the score of every model, in one order.</param>
    public static double[]? MeanRanks(IReadOnlyList<(string DataSet, double[] Scores)> scores)
    {
        var sets = scores.GroupBy(s => s.DataSet).ToArray();
        if (sets.Length < FewestDataSets) return null;
        double[][] ranks = [.. sets.Select(g => Ranks([.. Enumerable.Range(0, g.First().Scores.Length).Select(m => -g.Average(t => t.Scores[m]))]))];
        return [.. Enumerable.Range(0, ranks[0].Length).Select(m => ranks.Average(r => r[m]))];
    }

    // Ascending ranks from 1, equal values sharing their mean.
    private static double[] Ranks(double[] values) =>
        [.. values.Select(v => values.Count(o => o < v) + (values.Count(o => o == v) + 1) / 2.0)];
}
