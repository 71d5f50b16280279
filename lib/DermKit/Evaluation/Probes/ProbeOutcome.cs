using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>What a probe says about the test rows, and how it came to it.</summary>
/// <param name="Predicted">Class index of each test row.</param>
/// <param name="Probabilities">[test rows, classes]; each row sums to 1.</param>
public sealed record ProbeOutcome(int[] Predicted, double[,] Probabilities)
{
    /// <summary>Neighbours used; null for other probes.</summary>
    public int? K { get; init; }

    /// <summary>F1 on the validation part by k; empty when k was not chosen.</summary>
    public IReadOnlyDictionary<int, double> ValidationF1 { get; init; } = new Dictionary<int, double>();

    /// <summary>Whether the optimiser reached its gradient norm; null for probes without one.</summary>
    public bool? Converged { get; init; }

    /// <summary>Optimiser iterations; null for probes without one.</summary>
    public int? Iterations { get; init; }

    /// <summary>Largest absolute entry of the objective's gradient at the solution; null for probes without one.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>What a reader has to know about this outcome; empty when the protocol ran as written.</summary>
    public string Note { get; init; } = "";
}

/// <summary>Checks and conversions that every probe shares.</summary>
internal static class ProbeInput
{
    /// <summary>Refuses features that are no finite [N, D] matrix, and labels that do not fit them; errors name the row.</summary>
    public static void Check(string what, Tensor features, int[]? labels, int classes)
    {
        if (features.dim() != 2) throw new KitException($"{what} features: expected [N, D], found [{string.Join(", ", features.shape)}].");
        if (features.shape[0] == 0) throw new KitException($"{what} features: expected at least one row, found none; look at the split.");
        using (var scope = NewDisposeScope())
        {
            Tensor bad = features.isfinite().all(1).logical_not().nonzero();
            if (bad.shape[0] > 0)
                throw new KitException($"{what} features: row {(long)bad[0, 0].Value()} ({bad.shape[0]} in all) holds NaN or infinity; extract these features again.");
        }
        if (labels is null) return;
        if (labels.Length != features.shape[0]) throw new KitException($"{what} labels: expected {features.shape[0]} as there are feature rows, found {labels.Length}.");
        for (int i = 0; i < labels.Length; i++)
            if ((uint)labels[i] >= (uint)classes) throw new KitException($"{what} labels: row {i} is {labels[i]}; expected 0 to {classes - 1}.");
    }

    /// <summary>Refuses test features of another width than the training features.</summary>
    public static void CheckColumns(long train, Tensor test)
    {
        if (test.shape[1] != train) throw new KitException($"Probe: the training features have {train} columns, the test features {test.shape[1]}; extract both with one model.");
    }

    /// <summary>Images per class.</summary>
    public static int[] CountClasses(int[] labels, int classes)
    {
        int[] counts = new int[classes];
        foreach (int label in labels) counts[label]++;
        return counts;
    }

    /// <summary>The labels as int64 on a device.</summary>
    public static Tensor ToTensor(int[] labels, Device device) => tensor(Array.ConvertAll(labels, l => (long)l), device: device);

    /// <summary>The feature rows of some rows of a table, on the features' device.</summary>
    public static Tensor Rows(Tensor features, int[] tableRows, int[] rowOf) => features.index_select(0, ToTensor(Array.ConvertAll(tableRows, r => rowOf[r]), features.device));

    /// <summary>A [M, K] tensor of any device as an array.</summary>
    public static double[,] ToArray(Tensor values)
    {
        using var scope = NewDisposeScope();
        double[,] result = new double[values.shape[0], values.shape[1]];
        Tensor flat = values.detach().to(float64).cpu().contiguous();
        Buffer.BlockCopy(flat.data<double>().ToArray(), 0, result, 0, result.Length * sizeof(double));
        return result;
    }
}
