namespace DermKit.Studies;

/// <summary>A class with its numbers of images; units are patients, lesions or images. Test numbers are the first
/// seed's if seeds draw the split.</summary>
public sealed record ClassSize(string Task, string Class, int TrainImages, int TestImages, int TestUnits)
{
    /// <summary>Seeds that the scores are means of.</summary>
    public int Seeds { get; init; } = 1;
}

/// <summary>f1, recall or auroc of a class, mean over seeds, with a 95 % interval over test units; null without a test
/// image of the class or, for AUROC, of another.</summary>
public sealed record ClassScore(ClassSize Size, string Model, string Probe, string Metric, Interval? Score,
    string Stamp);

/// <summary>A model and probe's score minus another pair's on a class and the same test rows; null without
/// score.</summary>
public sealed record ClassDifference(ClassSize Size, string Model, string Probe, string AgainstModel,
    string AgainstProbe, string Metric, string Stamp) : TestedDifference;

/// <summary>Scores of single classes with bootstrap intervals over all test units, resampled together. A class leaves
/// out resamples without its images.</summary>
public static class RareConditionScores
{
    // F1, recall (sensitivity), and AUROC against the rest.
    private static readonly string[] Metrics = ["f1", "recall", "auroc"];

    // NaN where no row is of the class.
    internal static double Of(ClassCounts counts, string metric, int c)
    {
        if (counts.Truths[c] == 0) return double.NaN;
        return metric == "recall" ? counts.Recall(c) : counts.F1(c);
    }

    /// <summary>Every metric and class, fewest training images first.</summary>
    public static IReadOnlyList<ClassScore> Of(IReadOnlyList<ClassRows> rows, int resamples = 1000)
    {
        return [.. Sets(rows).SelectMany(set => Metrics.SelectMany(metric => OfSet(set, metric)))];

        IEnumerable<ClassScore> OfSet(ClassRows[] set, string metric)
        {
            (double[] values, double[][] resampled) = Values(set, metric, resamples);
            Interval? Score(int c) => double.IsNaN(values[c]) ? null
                : Bootstrap.Percentiles(values[c], [.. resampled.Select(r => r[c])]);
            return Order(set[0]).Select(c =>
                new ClassScore(Size(set, c), set[0].Model, set[0].Probe, metric, Score(c), set[0].Stamp));
        }
    }

    /// <summary>Other models minus a baseline with the same probe.</summary>
    public static IReadOnlyList<ClassDifference> AgainstBaseline(IReadOnlyList<ClassRows> rows, string baseline,
        string metric = "f1", int resamples = 1000) =>
        Differences(rows, (_, probe) => (baseline, probe), metric, resamples);

    /// <summary>The weighted linear probe minus the unweighted one of the same model.</summary>
    public static IReadOnlyList<ClassDifference> OfWeighting(IReadOnlyList<ClassRows> rows, string metric = "f1",
        int resamples = 1000) =>
        Differences(rows, (model, probe) => (model, probe == RareConditions.Weighted ? "linear" : probe), metric,
            resamples);

    /// <summary>Each model and probe minus the pair that a function gives, by class on the same resampled units, p
    /// corrected over all; none for the pair itself. Resamples increase with the differences
    /// (<see cref="PairedTest.Resamples"/>).</summary>
    /// <exception cref="KitException">No such pair, other rows, or an unknown metric.</exception>
    public static IReadOnlyList<ClassDifference> Differences(IReadOnlyList<ClassRows> rows,
        Func<string, string, (string Model, string Probe)> against, string metric = "f1", int resamples = 1000)
    {
        if (!Metrics.Contains(metric))
            throw new KitException($"Scores by class: metric '{metric}' is unknown; did you mean "
                + $"'{KitException.Nearest(metric, Metrics)}'?");
        ClassRows[][] sets = [.. Sets(rows)];
        var pairs = new List<(ClassRows[] Set, ClassRows[] Other)>();
        foreach (ClassRows[] set in sets)
        {
            ClassRows first = set[0];
            (string model, string probe) = against(first.Model, first.Probe);
            if ((model, probe) == (first.Model, first.Probe)) continue;
            ClassRows[] other = sets
                .FirstOrDefault(s => (s[0].Task, s[0].Model, s[0].Probe) == (first.Task, model, probe))
                ?? throw new KitException($"Scores by class, task '{first.Task}': no result of {model} with {probe} "
                    + "to compare with; run it too.");
            if (set.Length != other.Length || set.Zip(other).Any(p => !IsOnSameRows(p.First, p.Second)))
                throw new KitException($"Scores by class, task '{first.Task}': {first.Model} ({first.Probe}) and "
                    + $"{model} ({probe}) were not scored on the same seeds and test rows; run both with one split "
                    + "and the same seeds.");
            pairs.Add((set, other));
        }
        resamples = PairedTest.Resamples(resamples, pairs.Sum(p => p.Set[0].ClassNames.Length));
        return TestedDifference.Correct(pairs.SelectMany(p => Between(p.Set, p.Other)));

        IEnumerable<ClassDifference> Between(ClassRows[] set, ClassRows[] other)
        {
            (double[] own, double[][] a) = Values(set, metric, resamples);
            (double[] others, double[][] b) = Values(other, metric, resamples);
            string stamp = Stamps.Join(set.Concat(other).Select(r => r.Stamp));
            foreach (int c in Order(set[0]))
            {
                ClassDifference made = new(Size(set, c), set[0].Model, set[0].Probe, other[0].Model, other[0].Probe,
                    metric, stamp);
                double[] resampled = [.. a.Zip(b, (x, y) => x[c] - y[c])];
                yield return double.IsNaN(own[c]) ? made : made with
                {
                    Difference = PairedDifference.Of(own[c] - others[c], resampled),
                    StandardError = PairedTest.StandardError(resampled),
                };
            }
        }
    }

    private static bool IsOnSameRows(ClassRows a, ClassRows b) =>
        a.Seed == b.Seed && a.Units.SequenceEqual(b.Units) && a.Truth.SequenceEqual(b.Truth);

    private static IEnumerable<ClassRows[]> Sets(IReadOnlyList<ClassRows> rows) =>
        rows.GroupBy(r => (r.Task, r.Model, r.Probe)).Select(g => g.OrderBy(r => r.Seed).ToArray());

    private static IEnumerable<int> Order(ClassRows rows) =>
        Enumerable.Range(0, rows.ClassNames.Length).OrderBy(c => rows.TrainImages[c]);

    private static ClassSize Size(ClassRows[] seeds, int c)
    {
        ClassRows rows = seeds[0];
        string[] units = [.. rows.Units.Where((_, i) => rows.Truth[i] == c)];
        return new(rows.Task, rows.ClassNames[c], rows.TrainImages[c], units.Length, units.Distinct().Count())
        { Seeds = seeds.Length };
    }

    // [class] as is, NaN where undefined, and [resample][class]. A unit is drawn once for all seeds; a seed without
    // test images of a class is not in its mean.
    private static (double[] Values, double[][] Resampled) Values(ClassRows[] seeds, string metric, int resamples)
    {
        int classes = seeds[0].ClassNames.Length;
        bool[][] Positive(ClassRows rows) =>
            [.. Enumerable.Range(0, classes).Select(c => Evaluation.Metrics.Is(rows.Truth, c))];
        Ranking[] Rankings(ClassRows rows) =>
            [.. Enumerable.Range(0, classes).Select(c => new Ranking([.. rows.Probabilities.Select(p => p[c])]))];
        bool[][][] positive = [.. seeds.Select(Positive)];
        Ranking[][] rankings = metric == "auroc" ? [.. seeds.Select(Rankings)] : [];
        double[] Mean(ushort[] weights)
        {
            double[] sum = new double[classes];
            int[] counted = new int[classes];
            int start = 0;
            foreach ((int s, ClassRows rows) in seeds.Index())
            {
                ReadOnlySpan<ushort> part = weights.Length == 0 ? default : weights.AsSpan(start, rows.Truth.Length);
                start += rows.Truth.Length;
                ClassCounts counts = ClassCounts.Of(rows.Truth, rows.Predicted, classes, part);
                for (int c = 0; c < classes; c++)
                {
                    if (!positive[s][c].Contains(true)) continue;
                    sum[c] += metric == "auroc" ? rankings[s][c].Auroc(positive[s][c], part) : Of(counts, metric, c);
                    counted[c]++;
                }
            }
            return [.. sum.Zip(counted, (v, n) => v / n)];
        }
        return (Mean([]), Bootstrap.Over([.. seeds.SelectMany(s => s.Units)], resamples, 1, Mean));
    }
}
