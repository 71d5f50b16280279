using DermKit.Evaluation;

namespace DermKit.Tests.Parity;

/// <summary>Metrics of the reference files that the kit does not report, from the parts that it has.</summary>
internal static class ReferenceMetrics
{
    public static double[] AurocPerClass(int[] truth, double[,] probabilities) =>
        PerClass(probabilities, (c, scores) => new Ranking(scores).Auroc(Metrics.Is(truth, c)));

    public static double[] AveragePrecisionPerClass(int[] truth, double[,] probabilities) =>
        PerClass(probabilities, (c, scores) => new Ranking(scores).AveragePrecision(Metrics.Is(truth, c)));

    public static double WeightedAuroc(int[] truth, double[,] probabilities) =>
        AurocPerClass(truth, probabilities).Select((a, c) => a * truth.Count(t => t == c)).Sum() / truth.Length;

    /// <summary>Mean over all pairs of classes, each seen from both sides (Hand and Till 2001).</summary>
    public static double AurocOneVsOne(int[] truth, double[,] probabilities)
    {
        int classes = probabilities.GetLength(1);
        double sum = 0;
        for (int a = 0; a < classes; a++)
            for (int b = 0; b < classes; b++)
            {
                if (a == b) continue;
                int[] rows = [.. Enumerable.Range(0, truth.Length).Where(i => truth[i] == a || truth[i] == b)];
                sum += new Ranking([.. rows.Select(i => probabilities[i, a])])
                    .Auroc([.. rows.Select(i => truth[i] == a)]);
            }
        return sum / (classes * (classes - 1));
    }

    /// <summary>Share of rows whose true class is among the k most probable; among equals the larger index comes first,
    /// as in scikit-learn.</summary>
    public static double TopAccuracy(int[] truth, double[,] probabilities, int k)
    {
        int classes = probabilities.GetLength(1);
        return truth.Select((t, i) => Enumerable.Range(0, classes).Count(c =>
            probabilities[i, c] > probabilities[i, t] || (c > t && probabilities[i, c] == probabilities[i, t])) < k
            ? 1.0 : 0.0).Average();
    }

    /// <summary>Counts of each group of rows, without rows that have no group.</summary>
    public static SortedDictionary<string, ClassCounts> ByGroup(IReadOnlyList<string?> groups, int[] truth,
        int[] predicted, int classes)
    {
        var result = new SortedDictionary<string, ClassCounts>(StringComparer.Ordinal);
        foreach (var group in Enumerable.Range(0, truth.Length).Where(i => groups[i] is not null)
            .GroupBy(i => groups[i]!))
            result[group.Key] = ClassCounts.Of([.. group.Select(i => truth[i])],
                [.. group.Select(i => predicted[i])], classes);
        return result;
    }

    /// <summary>Largest minus smallest value over groups; NaN when no group has rows.</summary>
    public static (double Max, double Min, double Gap) Gap(IEnumerable<ClassCounts> groups,
        Func<ClassCounts, double> metric)
    {
        double[] values = [.. groups.Where(g => g.Rows > 0).Select(metric)];
        return values.Length == 0 ? (double.NaN, double.NaN, double.NaN)
            : (values.Max(), values.Min(), values.Max() - values.Min());
    }

    private static double[] PerClass(double[,] probabilities, Func<int, double[], double> metric) =>
        [.. Enumerable.Range(0, probabilities.GetLength(1)).Select(c => metric(c, Metrics.Column(probabilities, c)))];
}
