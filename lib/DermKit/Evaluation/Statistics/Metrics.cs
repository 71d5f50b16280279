namespace DermKit.Evaluation;

/// <summary>Computations on labels and probabilities [N, K] that metrics share.</summary>
internal static class Metrics
{
    // [true class][predicted class].
    public static int[][] ConfusionMatrix(int[] truth, int[] predicted, int classes)
    {
        _ = ClassCounts.Of(truth, predicted, classes);
        int[][] matrix = [.. Enumerable.Range(0, classes).Select(_ => new int[classes])];
        for (int i = 0; i < truth.Length; i++) matrix[truth[i]][predicted[i]]++;
        return matrix;
    }

    // The first of equals.
    public static int[] ArgMax(double[,] values) => [.. Enumerable.Range(0, values.GetLength(0)).Select(i =>
    {
        int best = 0;
        for (int c = 1; c < values.GetLength(1); c++)
            if (values[i, c] > values[i, best]) best = c;
        return best;
    })];

    // Mean negative log probability of the true class, clamped to 2^-52 from 0 and 1.
    public static double LogLoss(int[] truth, double[,] probabilities)
    {
        const double Epsilon = 2.220446049250313e-16;
        return truth.Select((t, i) => -Math.Log(Math.Clamp(probabilities[i, t], Epsilon, 1 - Epsilon))).Average();
    }

    public static double Brier(IReadOnlyList<double> probability, IReadOnlyList<bool> positive) =>
        probability.Select((p, i) => (p - (positive[i] ? 1 : 0)) * (p - (positive[i] ? 1 : 0))).Average();

    public static double[] Column(double[,] values, int c) =>
        [.. Enumerable.Range(0, values.GetLength(0)).Select(i => values[i, c])];

    public static bool[] Is(int[] truth, int c) => Array.ConvertAll(truth, t => t == c);
}
