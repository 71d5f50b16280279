namespace DermKit.Evaluation;

/// <summary>Diagonal (hits) and margins (truths, calls) of a confusion matrix, from which every threshold metric
/// follows. 0/0 is 0, as in scikit-learn (zero_division=0).</summary>
public sealed record ClassCounts(double[] Hits, double[] Truths, double[] Calls)
{
    /// <summary>Counts rows, each as often as its bootstrap weight.</summary>
    /// <exception cref="KitException">Lengths differ or a label is out of range; the row is named.</exception>
    public static ClassCounts Of(ReadOnlySpan<int> truth, ReadOnlySpan<int> predicted, int classes,
        ReadOnlySpan<ushort> weights = default)
    {
        if (truth.Length != predicted.Length)
            throw new KitException($"Metrics: {truth.Length} labels but {predicted.Length} predictions.");
        double[] hits = new double[classes], truths = new double[classes], calls = new double[classes];
        for (int i = 0; i < truth.Length; i++)
        {
            int t = truth[i], p = predicted[i], w = weights.IsEmpty ? 1 : weights[i];
            if ((uint)t >= (uint)classes || (uint)p >= (uint)classes)
                throw new KitException(
                    $"Metrics: row {i} has label {t} and prediction {p}; expected 0 to {classes - 1}.");
            truths[t] += w;
            calls[p] += w;
            if (t == p) hits[t] += w;
        }
        return new(hits, truths, calls);
    }

    // Cells [true class * classes + predicted class].
    internal static ClassCounts OfCells(ReadOnlySpan<int> cells, int classes)
    {
        double[] hits = new double[classes], truths = new double[classes], calls = new double[classes];
        for (int t = 0; t < classes; t++)
        {
            hits[t] = cells[t * classes + t];
            for (int p = 0; p < classes; p++)
            {
                truths[t] += cells[t * classes + p];
                calls[p] += cells[t * classes + p];
            }
        }
        return new(hits, truths, calls);
    }

    /// <summary>Number of rows.</summary>
    public double Rows => Truths.Sum();

    /// <summary>Share of right predictions.</summary>
    public double Accuracy => Ratio(Hits.Sum(), Rows);

    /// <summary>Mean recall over classes with rows.</summary>
    public double BalancedAccuracy => Mean(Recall, c => Truths[c] > 0);

    /// <summary>Hits over predictions of class <paramref name="c"/>.</summary>
    public double Precision(int c) => Ratio(Hits[c], Calls[c]);

    /// <summary>Hits over rows of class <paramref name="c"/>.</summary>
    public double Recall(int c) => Ratio(Hits[c], Truths[c]);

    /// <summary>Harmonic mean of precision and recall of a class; with c = 1, binary F1.</summary>
    public double F1(int c) => Ratio(2 * Hits[c], Truths[c] + Calls[c]);

    /// <summary>Mean F1 over classes in labels or predictions (scikit-learn average="macro").</summary>
    public double F1Macro => Mean(F1, c => Truths[c] + Calls[c] > 0);

    /// <summary>F1 weighted by the rows of each class.</summary>
    public double F1Weighted => Ratio(Hits.Select((_, c) => F1(c) * Truths[c]).Sum(), Rows);

    /// <summary>The paper's score: macro F1 for more than two classes, else F1 of class 1.</summary>
    public double PaperF1() => Hits.Length > 2 ? F1Macro : F1(1);

    /// <summary>Cohen's kappa.</summary>
    public double Kappa
    {
        get
        {
            double n = Rows, chance = Truths.Zip(Calls, (t, p) => t * p).Sum() / (n * n);
            return chance == 1 ? double.NaN : (Accuracy - chance) / (1 - chance);
        }
    }

    /// <summary>Matthews correlation for any number of classes (Gorodkin 2004); 0 where undefined.</summary>
    public double Mcc
    {
        get
        {
            double n = Rows, cross = Truths.Zip(Calls, (t, p) => t * p).Sum();
            double spread = Math.Sqrt((n * n - Calls.Sum(p => p * p)) * (n * n - Truths.Sum(t => t * t)));
            return Ratio(Hits.Sum() * n - cross, spread);
        }
    }

    private double Mean(Func<int, double> value, Func<int, bool> counts) =>
        Enumerable.Range(0, Hits.Length).Where(counts).Select(value).DefaultIfEmpty(double.NaN).Average();

    private static double Ratio(double a, double b) => b == 0 ? 0 : a / b;
}
