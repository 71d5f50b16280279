namespace DermKit.Evaluation;

/// <summary>A metric by its name in results and columns of tables, and its value for test rows, NaN where undefined.
/// Add one for all users to <see cref="All"/>.</summary>
public sealed record Metric(string Name, Func<ScoredRows, double> Of)
{
    /// <summary>Whether results have a bootstrap interval; <see cref="Of"/> must then use
    /// <see cref="ScoredRows.Weights"/>.</summary>
    public bool HasInterval { get; init; }

    /// <summary>Whether it is defined for two classes only.</summary>
    public bool IsBinary { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    /// <summary>The kit's metrics, with scikit-learn's definitions.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        new("f1", r => r.Counts.PaperF1()) { HasInterval = true },
        new("f1_macro", r => r.Counts.F1Macro),
        new("f1_weighted", r => r.Counts.F1Weighted),
        new("accuracy", r => r.Counts.Accuracy) { HasInterval = true },
        new("balanced_accuracy", r => r.Counts.BalancedAccuracy) { HasInterval = true },
        new("kappa", r => r.Counts.Kappa),
        new("mcc", r => r.Counts.Mcc),
        new("auroc", r => r.Auroc) { HasInterval = true },
        new("log_loss", r => Metrics.LogLoss(r.Truth, r.Probabilities)),
        new("average_precision", r => r.AveragePrecision) { IsBinary = true },
        new("brier",
            r => Metrics.Brier(Metrics.Column(r.Probabilities, 1), Metrics.Is(r.Truth, 1)))
        { IsBinary = true },
        new("sensitivity", r => r.Counts.Recall(1)) { IsBinary = true },
        new("specificity", r => r.Counts.Recall(0)) { IsBinary = true },
    ];

    internal static Dictionary<string, Interval> Intervals(IEnumerable<Metric> metrics, ScoredRows rows, string[] units,
        int resamples, int seed)
    {
        Metric[] wanted = [.. metrics.Where(m => m.HasInterval)];
        double[][] resampled = Bootstrap.Over(units, resamples, seed, weights =>
        {
            ScoredRows resample = rows.Resampled(weights);
            return Array.ConvertAll(wanted, m => m.Of(resample));
        });
        return wanted.Index().ToDictionary(m => m.Item.Name,
            m => Bootstrap.Percentiles(m.Item.Of(rows), Array.ConvertAll(resampled, r => r[m.Index])));
    }
}

/// <summary>Predictions beside the truth; of two classes, 1 is positive.</summary>
public sealed class ScoredRows
{
    private readonly (Ranking Ranking, bool[] IsClass)[] rankings;

    /// <summary>Takes class indices and probabilities [rows, classes].</summary>
    /// <exception cref="KitException">Lengths differ, or a label is out of range.</exception>
    public ScoredRows(int[] truth, int[] predicted, double[,] probabilities) : this(truth, predicted, probabilities, [],
        [.. Enumerable.Range(0, probabilities.GetLength(1)).Skip(probabilities.GetLength(1) == 2 ? 1 : 0)
            .Select(c => (new Ranking(Metrics.Column(probabilities, c)), Metrics.Is(truth, c)))])
    {
    }

    private ScoredRows(int[] truth, int[] predicted, double[,] probabilities, ushort[] weights,
        (Ranking, bool[])[] rankings)
    {
        Truth = truth;
        Predicted = predicted;
        Probabilities = probabilities;
        Weights = weights;
        this.rankings = rankings;
        Counts = ClassCounts.Of(truth, predicted, Classes, weights);
    }

    /// <summary>True class of each row.</summary>
    public int[] Truth { get; }

    /// <summary>Predicted class of each row.</summary>
    public int[] Predicted { get; }

    /// <summary>[rows, classes].</summary>
    public double[,] Probabilities { get; }

    /// <summary>Number of classes.</summary>
    public int Classes => Probabilities.GetLength(1);

    /// <summary>Row counts in a bootstrap resample; empty counts each once.</summary>
    public ushort[] Weights { get; }

    /// <summary>Weighted margins of the confusion matrix.</summary>
    public ClassCounts Counts { get; }

    // AUROC of the positive class, or one against the rest averaged; NaN when a class has no rows.
    internal double Auroc => rankings.Average(r => r.Ranking.Auroc(r.IsClass, Weights));

    internal double AveragePrecision => rankings[0].Ranking.AveragePrecision(rankings[0].IsClass);

    // Shares the sorted scores.
    internal ScoredRows Resampled(ushort[] weights) => new(Truth, Predicted, Probabilities, weights, rankings);
}
