using MathNet.Numerics.Distributions;

namespace DermKit.Evaluation;

/// <summary>Model minus baseline with its interval and p.</summary>
/// <param name="Difference">Metric of the model minus that of the baseline, interval from the paired bootstrap.</param>
/// <param name="P">Two-sided: twice the smaller share of resamples on either side of 0, counting the observed one.</param>
public sealed record PairedDifference(Interval Difference, double P)
{
    /// <summary>
    /// True where no resample lies on the other side of 0: <see cref="P"/> is then the least that so many resamples
    /// can give, and an upper bound.
    /// </summary>
    public bool IsBound { get; init; }

    /// <summary>The difference on the rows as they are, with interval and p from its resamples.</summary>
    /// <param name="value">On the rows as they are.</param>
    /// <param name="resampled">On each resample; NaN where undefined.</param>
    internal static PairedDifference Of(double value, double[] resampled)
    {
        (double p, bool isBound) = PairedTest.TwoSided(resampled);
        return new(Bootstrap.Percentiles(value, resampled), p) { IsBound = isBound };
    }
}

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
        return PairedDifference.Of(own - other, [.. resampled.Zip(baselines, (a, b) => a - b)]);
    }

    /// <summary>
    /// Number of resamples for a family of comparisons. The least p of R resamples is 2 / (R + 1), and Holm's first
    /// step multiplies it by their number m: with fewer than 40 m resamples nothing could be found at 0.05. With 100
    /// m the least corrected p is below 0.02.
    /// </summary>
    /// <param name="asked">Resamples that are taken where they are enough.</param>
    /// <param name="comparisons">Number of p values that are corrected together, m.</param>
    public static int Resamples(int asked, int comparisons) => Math.Max(asked, 100 * comparisons);

    /// <summary>
    /// Two-sided p of resampled differences: twice the smaller share on either side of 0, the observed sample counted
    /// as one; undefined ones (NaN) are left out. It is an upper bound where one side is empty.
    /// </summary>
    internal static (double P, bool IsBound) TwoSided(double[] differences)
    {
        double[] defined = [.. differences.Where(d => !double.IsNaN(d))];
        double fewer = Math.Min(defined.Count(v => v <= 0), defined.Count(v => v >= 0));
        double p = Math.Min(1, 2 * (fewer + 1) / (defined.Length + 1));
        return (p, fewer == 0 && p < 1);
    }

    /// <summary>
    /// Standard errors of a difference that is found four times in five, by the normal approximation: of a two-sided
    /// test at 0.05 / m, which is what Holm's correction asks of the first of m comparisons. For one comparison 1.96
    /// + 0.84.
    /// </summary>
    /// <param name="comparisons">Number of p values that are corrected together, m.</param>
    public static double ErrorsToFind(int comparisons = 1) =>
        Normal.InvCDF(0, 1, 1 - 0.05 / (2 * comparisons)) + Normal.InvCDF(0, 1, 0.8);

    /// <summary>
    /// Difference that a sample like this one would find four times in five, see <see cref="ErrorsToFind"/>.
    /// </summary>
    /// <param name="standardError">Of the difference.</param>
    /// <param name="comparisons">Number of p values that are corrected together.</param>
    public static double Detectable(double standardError, int comparisons = 1) =>
        ErrorsToFind(comparisons) * standardError;

    /// <summary>
    /// How many times the test units it would take to find a difference of that size four times in five; the standard
    /// error falls with the root of their number.
    /// </summary>
    /// <param name="standardError">Of the difference.</param>
    /// <param name="difference">The size in question.</param>
    /// <param name="comparisons">Number of p values that are corrected together.</param>
    public static double TimesTheUnits(double standardError, double difference, int comparisons = 1) =>
        Math.Pow(Detectable(standardError, comparisons) / difference, 2);

    /// <summary>Standard deviation (n - 1) of resampled differences, the undefined ones (NaN) left out: the standard error of the difference.</summary>
    internal static double StandardError(double[] differences)
    {
        double[] defined = [.. differences.Where(v => !double.IsNaN(v))];
        double mean = defined.DefaultIfEmpty(double.NaN).Average();
        return Math.Sqrt(defined.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, defined.Length - 1));
    }

    /// <summary>Holm's step-down correction for several tests; order is kept.</summary>
    public static double[] Holm(IReadOnlyList<double> p) =>
        [.. Holm([.. p.Select(value => (value, false))]).Select(a => a.P)];

    /// <summary>
    /// The same for p values of which some are upper bounds: a corrected p that rests on a bound is one.
    /// </summary>
    internal static (double P, bool IsBound)[] Holm(IReadOnlyList<(double P, bool IsBound)> family)
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

    /// <summary>The same for paired differences.</summary>
    internal static (double P, bool IsBound)[] Holm(IEnumerable<PairedDifference> family) =>
        Holm([.. family.Select(d => (d.P, d.IsBound))]);

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
