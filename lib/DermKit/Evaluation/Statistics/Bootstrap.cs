using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>A value with its percentile interval.</summary>
/// <param name="Value">On the rows as they are.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
/// <param name="Undefined">Resamples on which the metric was undefined (a class missing); they are left out of the interval.</param>
public sealed record Interval(double Value, double Low, double High, int Undefined = 0);

/// <summary>Predictions of one model on the test rows of one task and seed.</summary>
/// <param name="Task">Name; the seeds of one task are averaged before tasks are.</param>
/// <param name="DataSet">Data set; units are drawn once for all tasks and seeds of one data set.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="Units">Unit of each row: patient, lesion or else the row's id.</param>
/// <param name="Truth">Class indices.</param>
/// <param name="Predicted">Class indices.</param>
public sealed record TestRows(string Task, string DataSet, int Classes, string[] Units, int[] Truth, int[] Predicted);

/// <summary>
/// Percentile bootstrap. What is resampled is the unit (patient or lesion), with all its rows, because rows of one patient are
/// not independent. A resample is how often each row counts, so that any metric that takes weights runs on it without copying.
/// </summary>
public static class Bootstrap
{
    /// <summary>Number of units over all tasks and seeds; a unit of another data set is another one.</summary>
    internal static int UnitsOf(IEnumerable<TestRows> panels) => panels.SelectMany(p => p.Units.Select(u => (p.DataSet, u))).Distinct().Count();

    /// <summary>Draws units with replacement, as many as there are.</summary>
    /// <param name="units">Unit of each row; a null is a unit of its own.</param>
    /// <param name="resamples">Number of resamples R.</param>
    /// <param name="seed">The same seed gives the same draws whatever the number of threads.</param>
    /// <returns>[R][rows]: how often each row counts.</returns>
    public static ushort[][] Draw(IReadOnlyList<string?> units, int resamples, int seed) =>
        Over(units, resamples, seed, rows => (ushort[])rows.Clone());

    /// <summary>
    /// A value on each resample of <see cref="Draw"/>, of which no more than one a thread is held at a time.
    /// </summary>
    /// <param name="units">Unit of each row; a null is a unit of its own.</param>
    /// <param name="resamples">Number of resamples R.</param>
    /// <param name="seed">The same seed gives the same draws whatever the number of threads.</param>
    /// <param name="value">
    /// Called from several threads with the row counts of one resample, which it must not keep.
    /// </param>
    /// <returns>[R].</returns>
    internal static T[] Over<T>(IReadOnlyList<string?> units, int resamples, int seed, Func<ushort[], T> value)
    {
        (int[] unitOf, int count) = Number(units);
        ulong stream = StreamOf(seed, "");
        T[] values = new T[resamples];
        Parallel.For(0, resamples, () => (Times: new ushort[count], Rows: new ushort[unitOf.Length]), (r, _, lent) =>
        {
            var random = SplitMix64.Stream(stream, (ulong)r);
            Array.Clear(lent.Times);
            for (int i = 0; i < count; i++) lent.Times[Next(random, count)]++;
            for (int i = 0; i < lent.Rows.Length; i++) lent.Rows[i] = lent.Times[unitOf[i]];
            values[r] = value(lent.Rows);
            return lent;
        }, _ => { });
        return values;
    }

    private static (int[] UnitOf, int Count) Number(IReadOnlyList<string?> units)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int count = 0;
        return ([.. units.Select(u => u is null ? count++ : numbers.TryGetValue(u, out int n) ? n : numbers[u] = count++)], count);
    }

    /// <summary>Key of the draws of one data set: those of another set or seed are independent of them.</summary>
    private static ulong StreamOf(int seed, string dataSet) =>
        SplitMix64.Stream([(uint)seed, .. dataSet.Select(c => (ulong)c)]).Next();

    private static int Next(SplitMix64 random, int count) => (int)(((random.Next() >> 32) * (ulong)count) >> 32);

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

    /// <summary>
    /// Mean over tasks of the mean over seeds, and the same on every resample. The draws depend on the units and the seed only, so
    /// that two models scored on the same rows are resampled alike and may be subtracted resample by resample.
    /// </summary>
    /// <param name="panels">One for each task and seed.</param>
    /// <param name="metric">The paper's F1 when null.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Of the draws.</param>
    /// <exception cref="KitException">There is no panel, or one without rows.</exception>
    public static (double Value, double[] Resampled) Mean(IReadOnlyList<TestRows> panels, Func<ClassCounts, double>? metric = null, int resamples = 1000, int seed = 1)
    {
        if (panels.Count == 0 || panels.Any(p => p.Truth.Length == 0)) throw new KitException("Bootstrap: expected at least one result, each with test rows, found none.");
        metric ??= c => c.PaperF1();
        var seeds = panels.CountBy(p => p.Task).ToDictionary();
        double value = 0;
        double[] values = new double[resamples];
        foreach (var set in panels.GroupBy(p => p.DataSet, StringComparer.Ordinal))
        {
            TestRows[] members = [.. set];
            double Share(TestRows m, ClassCounts counts) => metric(counts) / (seeds[m.Task] * seeds.Count);
            value += members.Sum(m => Share(m, ClassCounts.Of(m.Truth, m.Predicted, m.Classes)));
            // All confusion matrices in one array, and for each unit the cells of its rows: a drawn unit adds one to each.
            int[] start = new int[members.Length + 1];
            for (int m = 0; m < members.Length; m++) start[m + 1] = start[m] + members[m].Classes * members[m].Classes;
            int[] cells = [.. members.SelectMany((m, i) => m.Truth.Zip(m.Predicted, (t, p) => start[i] + t * m.Classes + p))];
            (int[] unitOf, int count) = Number([.. members.SelectMany(m => m.Units)]);
            int[][] cellsOf = new int[count][];
            foreach (var unit in cells.Zip(unitOf).GroupBy(c => c.Second)) cellsOf[unit.Key] = [.. unit.Select(c => c.First)];
            // Data sets are independent: their draws must not follow one stream.
            ulong stream = StreamOf(seed, set.Key);
            Parallel.For(0, resamples, () => new int[start[^1]], (r, _, counts) =>
            {
                Array.Clear(counts);
                var random = SplitMix64.Stream(stream, (ulong)r);
                for (int i = 0; i < count; i++)
                    foreach (int cell in cellsOf[Next(random, count)]) counts[cell]++;
                for (int m = 0; m < members.Length; m++) values[r] += Share(members[m], ClassCounts.OfCells(counts.AsSpan(start[m]..start[m + 1]), members[m].Classes));
                return counts;
            }, _ => { });
        }
        return (value, values);
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
}
