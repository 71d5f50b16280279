namespace DermKit.Evaluation;

/// <summary>Metrics of labels and class probabilities [N, K], with scikit-learn's definitions. What is undefined is NaN, never a guess.</summary>
public static class Metrics
{
    /// <summary>Rows = true class, columns = predicted class.</summary>
    /// <exception cref="KitException">Lengths differ or a label is out of range.</exception>
    public static int[,] ConfusionMatrix(int[] truth, int[] predicted, int classes)
    {
        _ = ClassCounts.Of(truth, predicted, classes);
        int[,] matrix = new int[classes, classes];
        for (int i = 0; i < truth.Length; i++) matrix[truth[i], predicted[i]]++;
        return matrix;
    }

    /// <summary>Column of the largest value of each row; the first of equals.</summary>
    public static int[] ArgMax(double[,] values) => [.. Enumerable.Range(0, values.GetLength(0)).Select(i =>
    {
        int best = 0;
        for (int c = 1; c < values.GetLength(1); c++)
            if (values[i, c] > values[i, best]) best = c;
        return best;
    })];

    /// <summary>AUROC of each class against the rest; NaN where a class has no rows or all.</summary>
    public static double[] AurocPerClass(int[] truth, double[,] probabilities) =>
        PerClass(probabilities, (c, scores) => new Ranking(scores).Auroc(Is(truth, c)));

    /// <summary>Average precision of each class against the rest; NaN where a class has no rows.</summary>
    public static double[] AveragePrecisionPerClass(int[] truth, double[,] probabilities) =>
        PerClass(probabilities, (c, scores) => new Ranking(scores).AveragePrecision(Is(truth, c)));

    /// <summary>
    /// AUROC of the task: of class <paramref name="positive"/> when there are two, else the mean of one against the rest
    /// (by rows of each class when <paramref name="weighted"/>). NaN when any class has no rows.
    /// </summary>
    public static double Auroc(int[] truth, double[,] probabilities, bool weighted = false, int positive = 1)
    {
        double[] each = AurocPerClass(truth, probabilities);
        if (each.Length == 2) return each[positive];
        return weighted ? each.Select((a, c) => a * truth.Count(t => t == c)).Sum() / truth.Length : each.Average();
    }

    /// <summary>AUROC as the mean over all pairs of classes, each seen from both sides (Hand and Till 2001). NaN when any class has no rows.</summary>
    public static double AurocOneVsOne(int[] truth, double[,] probabilities)
    {
        int classes = probabilities.GetLength(1);
        double sum = 0;
        for (int a = 0; a < classes; a++)
            for (int b = 0; b < classes; b++)
            {
                if (a == b) continue;
                int[] rows = [.. Enumerable.Range(0, truth.Length).Where(i => truth[i] == a || truth[i] == b)];
                sum += new Ranking([.. rows.Select(i => probabilities[i, a])]).Auroc([.. rows.Select(i => truth[i] == a)]);
            }
        return sum / (classes * (classes - 1));
    }

    /// <summary>Mean negative log probability of the true class, probabilities kept at least 2^-52 from 0 and 1.</summary>
    public static double LogLoss(int[] truth, double[,] probabilities)
    {
        const double Epsilon = 2.220446049250313e-16;
        return truth.Select((t, i) => -Math.Log(Math.Clamp(probabilities[i, t], Epsilon, 1 - Epsilon))).Average();
    }

    /// <summary>Share of rows whose true class is among the k most probable; among equals the larger index comes first, as in scikit-learn.</summary>
    public static double TopAccuracy(int[] truth, double[,] probabilities, int k)
    {
        int classes = probabilities.GetLength(1);
        return truth.Select((t, i) => Enumerable.Range(0, classes).Count(c =>
            probabilities[i, c] > probabilities[i, t] || (c > t && probabilities[i, c] == probabilities[i, t])) < k ? 1.0 : 0.0).Average();
    }

    /// <summary>Mean squared difference of a probability and the outcome 0 or 1.</summary>
    public static double Brier(IReadOnlyList<double> probability, IReadOnlyList<bool> positive) =>
        probability.Select((p, i) => (p - (positive[i] ? 1 : 0)) * (p - (positive[i] ? 1 : 0))).Average();

    /// <summary>The metrics a result keeps, by name; undefined ones are NaN.</summary>
    public static SortedDictionary<string, double> All(int[] truth, int[] predicted, double[,] probabilities, int positive = 1)
    {
        int classes = probabilities.GetLength(1);
        ClassCounts counts = ClassCounts.Of(truth, predicted, classes);
        var all = new SortedDictionary<string, double>(StringComparer.Ordinal)
        {
            ["f1"] = counts.PaperF1(positive),
            ["f1_macro"] = counts.F1Macro,
            ["f1_weighted"] = counts.F1Weighted,
            ["accuracy"] = counts.Accuracy,
            ["balanced_accuracy"] = counts.BalancedAccuracy,
            ["kappa"] = counts.Kappa,
            ["mcc"] = counts.Mcc,
            ["auroc"] = Auroc(truth, probabilities, positive: positive),
            ["log_loss"] = LogLoss(truth, probabilities),
        };
        if (classes > 2) return all;
        double[] score = Column(probabilities, positive);
        bool[] is1 = Is(truth, positive);
        all["average_precision"] = new Ranking(score).AveragePrecision(is1);
        all["brier"] = Brier(score, is1);
        all["sensitivity"] = counts.Recall(positive);
        all["specificity"] = counts.Recall(1 - positive);
        return all;
    }

    /// <summary>Counts of each group of rows (skin type, site), in ordinal order of the names; rows without a group are left out.</summary>
    /// <param name="groups">Group of each row, null when unknown; map the values first to bin them (1-2, 3-4, 5-6).</param>
    /// <param name="truth">Class indices.</param>
    /// <param name="predicted">Class indices.</param>
    /// <param name="classes">Number of classes.</param>
    public static SortedDictionary<string, ClassCounts> ByGroup(IReadOnlyList<string?> groups, int[] truth, int[] predicted, int classes)
    {
        var result = new SortedDictionary<string, ClassCounts>(StringComparer.Ordinal);
        foreach (var group in Enumerable.Range(0, truth.Length).Where(i => groups[i] is not null).GroupBy(i => groups[i]!))
            result[group.Key] = ClassCounts.Of([.. group.Select(i => truth[i])], [.. group.Select(i => predicted[i])], classes);
        return result;
    }

    /// <summary>Largest minus smallest value of a metric over groups; NaN when no group has rows.</summary>
    public static (double Max, double Min, double Gap) Gap(IEnumerable<ClassCounts> groups, Func<ClassCounts, double> metric)
    {
        double[] values = [.. groups.Where(g => g.Rows > 0).Select(metric)];
        return values.Length == 0 ? (double.NaN, double.NaN, double.NaN) : (values.Max(), values.Min(), values.Max() - values.Min());
    }

    /// <summary>One column of a matrix.</summary>
    internal static double[] Column(double[,] values, int c) => [.. Enumerable.Range(0, values.GetLength(0)).Select(i => values[i, c])];

    /// <summary>Whether each row is of class <paramref name="c"/>.</summary>
    internal static bool[] Is(int[] truth, int c) => Array.ConvertAll(truth, t => t == c);

    private static double[] PerClass(double[,] probabilities, Func<int, double[], double> metric) =>
        [.. Enumerable.Range(0, probabilities.GetLength(1)).Select(c => metric(c, Column(probabilities, c)))];
}
