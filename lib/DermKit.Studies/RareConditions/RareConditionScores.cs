using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>A class of a task and how many images speak for it.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Class">Name of the class.</param>
/// <param name="TrainImages">Training images.</param>
/// <param name="TestImages">Test images; with a split that a seed draws, those of the first seed.</param>
/// <param name="TestUnits">Patients, lesions or images among them.</param>
public sealed record ClassSize(string Task, string Class, int TrainImages, int TestImages, int TestUnits)
{
    /// <summary>Number of seeds that its scores are means of.</summary>
    public int Seeds { get; init; } = 1;
}

/// <summary>The score of one class, seeds averaged.</summary>
/// <param name="Size">The class.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn, linear or <see cref="RareConditions.Weighted"/>.</param>
/// <param name="Metric">One of <see cref="RareConditionScores.Metrics"/>.</param>
/// <param name="Score">With its 95 % interval over test units; null where the class has no test image, or for AUROC no other class has one.</param>
/// <param name="Stamp">That of task and model.</param>
public sealed record ClassScore(ClassSize Size, string Model, string Probe, string Metric, Interval? Score, string Stamp);

/// <summary>The difference that a model and probe makes to another pair, on one class and the same test rows.</summary>
/// <param name="Size">The class.</param>
/// <param name="Model">Model of the first pair.</param>
/// <param name="Probe">Its probe.</param>
/// <param name="AgainstModel">Model of the pair that is taken off.</param>
/// <param name="AgainstProbe">Its probe.</param>
/// <param name="Metric">One of <see cref="RareConditionScores.Metrics"/>.</param>
/// <param name="Difference">First minus second; null where the class has no score.</param>
/// <param name="StandardError">Standard deviation of the resampled differences; NaN where there is none.</param>
/// <param name="AdjustedP">
/// p after Holm's correction over all differences of one call (<see cref="RareConditionScores.Differences"/>).
/// </param>
/// <param name="Stamp">That of task and models.</param>
public sealed record ClassDifference(ClassSize Size, string Model, string Probe, string AgainstModel,
    string AgainstProbe, string Metric, PairedDifference? Difference, double StandardError, double? AdjustedP,
    string Stamp)
{
    /// <summary>
    /// True where <see cref="AdjustedP"/> is an upper bound (<see cref="PairedDifference.IsBound"/>).
    /// </summary>
    public bool IsBound { get; init; }

    /// <summary>Number of differences that were corrected together.</summary>
    public int Family { get; init; } = 1;
}

/// <summary>
/// Scores of single classes with bootstrap intervals over all test units, the classes drawn together as a test part is. A resample without an image of the class says nothing of it and is left out.
/// </summary>
public static class RareConditionScores
{
    /// <summary>F1 and recall (sensitivity) of the class, and the area under the ROC curve of the class against the rest.</summary>
    public static IReadOnlyList<string> Metrics { get; } = ["f1", "recall", "auroc"];

    /// <summary>F1 or recall of class <paramref name="c"/>; NaN where no row is of it.</summary>
    public static double Of(ClassCounts counts, string metric, int c) => counts.Truths[c] == 0 ? double.NaN : metric == "recall" ? counts.Recall(c) : counts.F1(c);

    /// <summary>Every metric of every class, the classes with the fewest training images first.</summary>
    /// <param name="rows">From <see cref="RareConditions"/>.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static IReadOnlyList<ClassScore> Of(IReadOnlyList<ClassRows> rows, int resamples = 1000) =>
        [.. Sets(rows).SelectMany(set => Metrics.SelectMany(metric =>
        {
            (double[] values, double[][] resampled) = Values(set, metric, resamples);
            return Order(set[0]).Select(c => new ClassScore(Size(set, c), set[0].Model, set[0].Probe, metric, double.IsNaN(values[c]) ? null : Bootstrap.Percentiles(values[c], [.. resampled.Select(r => r[c])]), set[0].Stamp));
        }))];

    /// <summary>
    /// The difference of each model and probe to another pair, class by class, both on the same resampled units; p is
    /// corrected over all of them.
    /// </summary>
    /// <param name="rows">From <see cref="RareConditions"/>.</param>
    /// <param name="against">For a model and probe, the pair to take off; the pair itself for no comparison.</param>
    /// <param name="metric">One of <see cref="Metrics"/>.</param>
    /// <param name="resamples">
    /// Bootstrap resamples; more where the number of differences needs them (<see cref="PairedTest.Resamples"/>).
    /// </param>
    /// <exception cref="KitException">There is no such pair, or the two were not scored on the same rows; or the metric is unknown.</exception>
    public static IReadOnlyList<ClassDifference> Differences(IReadOnlyList<ClassRows> rows, Func<string, string, (string Model, string Probe)> against, string metric = "f1", int resamples = 1000)
    {
        if (!Metrics.Contains(metric)) throw new KitException($"Scores by class: metric '{metric}' is unknown; did you mean '{KitException.Nearest(metric, Metrics)}'?");
        ClassRows[][] sets = [.. Sets(rows)];
        var pairs = new List<(ClassRows[] Set, ClassRows[] Other)>();
        foreach (ClassRows[] set in sets)
        {
            ClassRows first = set[0];
            (string model, string probe) = against(first.Model, first.Probe);
            if ((model, probe) == (first.Model, first.Probe)) continue;
            ClassRows[] other = sets.FirstOrDefault(s => (s[0].Task, s[0].Model, s[0].Probe) == (first.Task, model, probe))
                ?? throw new KitException($"Scores by class, task '{first.Task}': no result of {model} with {probe} to compare with; run it too.");
            if (set.Length != other.Length || set.Zip(other).Any(p => p.First.Seed != p.Second.Seed || !p.First.Units.SequenceEqual(p.Second.Units) || !p.First.Truth.SequenceEqual(p.Second.Truth)))
                throw new KitException($"Scores by class, task '{first.Task}': {first.Model} ({first.Probe}) and {model} ({probe}) were not scored on the same seeds and test rows; run both with one split and the same seeds.");
            pairs.Add((set, other));
        }
        resamples = PairedTest.Resamples(resamples, pairs.Sum(p => p.Set[0].ClassNames.Length));
        ClassDifference[] made = [.. pairs.SelectMany(pair =>
        {
            (ClassRows first, ClassRows other) = (pair.Set[0], pair.Other[0]);
            (double[] own, double[][] a) = Values(pair.Set, metric, resamples);
            (double[] others, double[][] b) = Values(pair.Other, metric, resamples);
            string stamp = Stamps.Join([.. pair.Set.Select(r => r.Stamp), .. pair.Other.Select(r => r.Stamp)]);
            return Order(first).Select(c =>
            {
                double[] resampled = [.. a.Zip(b, (x, y) => x[c] - y[c])];
                PairedDifference? difference = double.IsNaN(own[c]) ? null
                    : PairedDifference.Of(own[c] - others[c], resampled);
                double error = difference is null ? double.NaN : PairedTest.StandardError(resampled);
                return new ClassDifference(Size(pair.Set, c), first.Model, first.Probe, other.Model, other.Probe,
                    metric, difference, error, null, stamp);
            }).ToArray();
        })];
        int[] tested = [.. Enumerable.Range(0, made.Length).Where(i => made[i].Difference is not null)];
        var adjusted = PairedTest.Holm(tested.Select(i => made[i].Difference!));
        foreach ((int i, (double P, bool IsBound) own) in tested.Zip(adjusted))
            made[i] = made[i] with { AdjustedP = own.P, IsBound = own.IsBound, Family = tested.Length };
        return made;
    }

    private static IEnumerable<ClassRows[]> Sets(IReadOnlyList<ClassRows> rows) => rows.GroupBy(r => (r.Task, r.Model, r.Probe)).Select(g => g.OrderBy(r => r.Seed).ToArray());

    private static int[] Order(ClassRows rows) => [.. Enumerable.Range(0, rows.ClassNames.Length).OrderBy(c => rows.TrainImages[c])];

    private static ClassSize Size(ClassRows[] seeds, int c)
    {
        ClassRows rows = seeds[0];
        string[] units = [.. rows.Units.Where((_, i) => rows.Truth[i] == c)];
        return new(rows.Task, rows.ClassNames[c], rows.TrainImages[c], units.Length, units.Distinct().Count()) { Seeds = seeds.Length };
    }

    // [class] on the rows as they are, NaN where undefined, and [resample][class]. A unit is drawn once for all seeds; seeds whose test part has no image of a class are not in its mean.
    private static (double[], double[][]) Values(ClassRows[] seeds, string metric, int resamples)
    {
        int classes = seeds[0].ClassNames.Length;
        int[] start = new int[seeds.Length + 1];
        for (int s = 0; s < seeds.Length; s++) start[s + 1] = start[s] + seeds[s].Truth.Length;
        bool[][][] positive = [.. seeds.Select(s => Enumerable.Range(0, classes).Select(c => Evaluation.Metrics.Is(s.Truth, c)).ToArray())];
        Ranking[][] rankings = metric != "auroc" ? [] : [.. seeds.Select(s => Enumerable.Range(0, classes).Select(c => new Ranking([.. s.Probabilities.Select(p => p[c])])).ToArray())];
        double[] Mean(ushort[] weights)
        {
            double[] sum = new double[classes];
            int[] counted = new int[classes];
            for (int s = 0; s < seeds.Length; s++)
            {
                ReadOnlySpan<ushort> part = weights.Length == 0 ? default : weights.AsSpan(start[s]..start[s + 1]);
                ClassCounts counts = ClassCounts.Of(seeds[s].Truth, seeds[s].Predicted, classes, part);
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
