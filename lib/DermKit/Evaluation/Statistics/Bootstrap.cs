using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>A value with its percentile interval; Undefined counts resamples without a value (a class is missing),
/// which it leaves out.</summary>
public sealed record Interval(double Value, double Low, double High, int Undefined = 0);

/// <summary>Predictions of one model for the test rows of a task and seed. A row's unit is its patient, lesion or else
/// its id; units are drawn once for all tasks and seeds of a data set.</summary>
public sealed record TestRows(string Task, string DataSet, int Classes, string[] Units, int[] Truth, int[] Predicted)
{
    // The rows whose numbers are kept.
    internal TestRows Where(Func<int, bool> isKept)
    {
        int[] kept = [.. Enumerable.Range(0, Truth.Length).Where(isKept)];
        return this with
        {
            Units = Array.ConvertAll(kept, i => Units[i]),
            Truth = Array.ConvertAll(kept, i => Truth[i]),
            Predicted = Array.ConvertAll(kept, i => Predicted[i]),
        };
    }
}

/// <summary>Percentile bootstrap over units (patients or lesions) with all their rows, because rows of a patient are
/// not independent. A resample is row counts, so that any weighted metric runs without a copy. Draws depend on units
/// and seed only: models on the same rows may be subtracted resample by resample.</summary>
internal static class Bootstrap
{
    private const double Level = 0.95;

    // Units over all tasks and seeds; those of different data sets differ.
    public static int UnitsOf(IEnumerable<TestRows> panels) =>
        panels.SelectMany(p => p.Units.Select(u => (p.DataSet, u))).Distinct().Count();

    // 95 % interval; an empty array of counts means the rows as they are.
    public static Interval IntervalOf(IReadOnlyList<string?> units, int resamples, int seed,
        Func<ushort[], double> value) => Percentiles(value([]), Over(units, resamples, seed, value));

    // Draws as many units as there are, with replacement; null is a unit of its own. value is called from several
    // threads with one resample's row counts, which it must not keep.
    public static T[] Over<T>(IReadOnlyList<string?> units, int resamples, int seed, Func<ushort[], T> value)
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
        int[] unitOf = [.. units.Select(u =>
            u is null ? count++ : numbers.TryGetValue(u, out int n) ? n : numbers[u] = count++)];
        return (unitOf, count);
    }

    // Draws of another data set or seed are independent.
    private static ulong StreamOf(int seed, string dataSet) =>
        SplitMix64.Stream([(uint)seed, .. dataSet.Select(c => (ulong)c)]).Next();

    private static int Next(SplitMix64 random, int count) => (int)(((random.Next() >> 32) * (ulong)count) >> 32);

    // 95 % interval of values, NaN where undefined.
    public static Interval Percentiles(double value, double[] resampled)
    {
        double[] sorted = [.. resampled.Where(v => !double.IsNaN(v)).Order()];
        return new(value, Percentile(sorted, (1 - Level) / 2), Percentile(sorted, (1 + Level) / 2),
            resampled.Length - sorted.Length);
    }

    // Percentile q (0 to 1) of ascending values, linearly interpolated as in numpy; NaN for none.
    public static double Percentile(double[] sorted, double q)
    {
        if (sorted.Length == 0) return double.NaN;
        double position = q * (sorted.Length - 1);
        int below = (int)Math.Floor(position), above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
    }

    public static Interval MeanInterval(IReadOnlyList<TestRows> panels, Func<ClassCounts, double>? metric = null,
        int resamples = 1000)
    {
        (double value, double[] resampled) = Mean(panels, metric, resamples);
        return Percentiles(value, resampled);
    }

    // Mean over tasks of the mean over seeds of a metric (null: the paper's F1), also on every resample.
    public static (double Value, double[] Resampled) Mean(IReadOnlyList<TestRows> panels,
        Func<ClassCounts, double>? metric = null, int resamples = 1000, int seed = 1)
    {
        if (panels.Count == 0 || panels.Any(p => p.Truth.Length == 0))
            throw new KitException("Bootstrap: expected at least one result, each with test rows, found none.");
        metric ??= c => c.PaperF1();
        var seeds = panels.CountBy(p => p.Task).ToDictionary();
        double value = 0;
        double[] values = new double[resamples];
        foreach (var set in panels.GroupBy(p => p.DataSet, StringComparer.Ordinal))
        {
            TestRows[] members = [.. set];
            double Share(TestRows m, ClassCounts counts) => metric(counts) / (seeds[m.Task] * seeds.Count);
            value += members.Sum(m => Share(m, ClassCounts.Of(m.Truth, m.Predicted, m.Classes)));
            // All confusion matrices in one array: a drawn unit adds one to each cell of its rows.
            int[] start = new int[members.Length + 1];
            for (int m = 0; m < members.Length; m++) start[m + 1] = start[m] + members[m].Classes * members[m].Classes;
            int[] cells =
                [.. members.SelectMany((m, i) => m.Truth.Zip(m.Predicted, (t, p) => start[i] + t * m.Classes + p))];
            (int[] unitOf, int count) = Number([.. members.SelectMany(m => m.Units)]);
            int[][] cellsOf = new int[count][];
            foreach (var unit in cells.Zip(unitOf).GroupBy(c => c.Second))
                cellsOf[unit.Key] = [.. unit.Select(c => c.First)];
            ulong stream = StreamOf(seed, set.Key);
            Parallel.For(0, resamples, () => new int[start[^1]], (r, _, counts) =>
            {
                Array.Clear(counts);
                var random = SplitMix64.Stream(stream, (ulong)r);
                for (int i = 0; i < count; i++)
                    foreach (int cell in cellsOf[Next(random, count)]) counts[cell]++;
                for (int m = 0; m < members.Length; m++)
                    values[r] += Share(members[m],
                        ClassCounts.OfCells(counts.AsSpan(start[m]..start[m + 1]), members[m].Classes));
                return counts;
            }, _ => { });
        }
        return (value, values);
    }
}
