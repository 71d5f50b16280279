namespace DermKit.Evaluation;

/// <summary>A value with its percentile interval.</summary>
/// <param name="Value">On the rows as they are.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
/// <param name="Undefined">Resamples on which the metric was undefined (a class missing); they are left out of the interval.</param>
public sealed record Interval(double Value, double Low, double High, int Undefined = 0);

/// <summary>
/// Percentile bootstrap. What is resampled is the unit (patient or lesion), with all its rows, because rows of one patient are
/// not independent. A resample is how often each row counts, so that any metric that takes weights runs on it without copying.
/// </summary>
public static class Bootstrap
{
    /// <summary>Draws units with replacement, as many as there are.</summary>
    /// <param name="units">Unit of each row; a null is a unit of its own.</param>
    /// <param name="resamples">Number of resamples R.</param>
    /// <param name="seed">The same seed gives the same draws whatever the number of threads.</param>
    /// <returns>[R][rows]: how often each row counts.</returns>
    public static ushort[][] Draw(IReadOnlyList<string?> units, int resamples, int seed)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int count = 0;
        int[] unitOf = [.. units.Select(u => u is null ? count++ : numbers.TryGetValue(u, out int n) ? n : numbers[u] = count++)];
        ushort[][] draws = new ushort[resamples][];
        Parallel.For(0, resamples, r =>
        {
            ulong state = ((ulong)(uint)seed << 32) + (uint)r;
            ushort[] times = new ushort[count], rows = new ushort[unitOf.Length];
            for (int i = 0; i < count; i++) times[(int)(((Next(ref state) >> 32) * (ulong)count) >> 32)]++;
            for (int i = 0; i < rows.Length; i++) rows[i] = times[unitOf[i]];
            draws[r] = rows;
        });
        return draws;
    }

    /// <summary>A metric on every resample; it is called from several threads with the row counts of one resample.</summary>
    public static double[] Values(ushort[][] draws, Func<ushort[], double> metric)
    {
        double[] values = new double[draws.Length];
        Parallel.For(0, draws.Length, r => values[r] = metric(draws[r]));
        return values;
    }

    /// <summary>Percentile interval of resampled values; NaN at both ends when no resample has a value.</summary>
    /// <param name="value">The value on the rows as they are.</param>
    /// <param name="resampled">Values of the resamples; NaN where undefined.</param>
    /// <param name="level">Share of the resamples inside.</param>
    public static Interval Percentiles(double value, double[] resampled, double level = 0.95)
    {
        double[] sorted = [.. resampled.Where(v => !double.IsNaN(v)).Order()];
        return new(value, Percentile(sorted, (1 - level) / 2), Percentile(sorted, (1 + level) / 2), resampled.Length - sorted.Length);
    }

    /// <summary>Percentile with linear interpolation between order statistics (numpy's default); NaN for no values.</summary>
    /// <param name="sorted">Values in ascending order.</param>
    /// <param name="q">0 to 1.</param>
    public static double Percentile(double[] sorted, double q)
    {
        if (sorted.Length == 0) return double.NaN;
        double position = q * (sorted.Length - 1);
        int below = (int)Math.Floor(position), above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
    }

    /// <summary>Intervals of the metrics a result shows: f1 (the paper's), balanced_accuracy, accuracy, auroc.</summary>
    public static SortedDictionary<string, Interval> Intervals(int[] truth, int[] predicted, double[,] probabilities, ushort[][] draws, int positive = 1)
    {
        int classes = probabilities.GetLength(1);
        Interval Of(Func<ClassCounts, double> metric) => Percentiles(metric(ClassCounts.Of(truth, predicted, classes)),
            Values(draws, w => metric(ClassCounts.Of(truth, predicted, classes, w))));
        var rankings = Enumerable.Range(0, classes).Where(c => classes > 2 || c == positive)
            .Select(c => (Ranking: new Ranking(Metrics.Column(probabilities, c)), Is: Metrics.Is(truth, c))).ToArray();
        double Auroc(ushort[] w) => rankings.Average(r => r.Ranking.Auroc(r.Is, w));
        return new(StringComparer.Ordinal)
        {
            ["f1"] = Of(c => c.PaperF1(positive)),
            ["accuracy"] = Of(c => c.Accuracy),
            ["balanced_accuracy"] = Of(c => c.BalancedAccuracy),
            ["auroc"] = Percentiles(Auroc([]), Values(draws, Auroc)),
        };
    }

    // SplitMix64 (Steele, Lea, Flood 2014): any starting state gives an independent-looking stream.
    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
