namespace DermKit.Evaluation;

internal static class ProbeInput
{
    // Requires finite [N, D] features of one width and labels that fit them.
    public static void Check(Tensor train, int[] labels, Tensor test, int classes)
    {
        Check("training", train, labels, classes);
        Check("test", test, null, classes);
        CheckColumns(train.shape[1], test);
    }

    public static void Check(string what, Tensor features, int[]? labels, int classes)
    {
        if (features.dim() != 2)
            throw new KitException($"{what} features: expected [N, D], found [{string.Join(", ", features.shape)}].");
        if (features.shape[0] == 0)
            throw new KitException($"{what} features: expected at least one row, found none; check the split.");
        using (var scope = NewDisposeScope())
        {
            Tensor bad = features.isfinite().all(1).logical_not().nonzero();
            if (bad.shape[0] > 0)
                throw new KitException($"{what} features: row {(long)bad[0, 0].Value()} ({bad.shape[0]} in all) holds "
                    + "NaN or infinity; extract these features again.");
        }
        if (labels is null) return;
        if (labels.Length != features.shape[0])
            throw new KitException($"{what} labels: expected {features.shape[0]}, one for each feature row, "
                + $"found {labels.Length}.");
        int wrong = Array.FindIndex(labels, l => (uint)l >= (uint)classes);
        if (wrong >= 0)
            throw new KitException($"{what} labels: row {wrong} is {labels[wrong]}; expected 0 to {classes - 1}.");
    }

    public static void CheckColumns(long train, Tensor test)
    {
        if (test.shape[1] != train)
            throw new KitException($"Probe: the training features have {train} columns, the test "
                + $"features {test.shape[1]}; extract both with one model.");
    }

    public static int[] CountClasses(int[] labels, int classes)
    {
        int[] counts = new int[classes];
        foreach (int label in labels) counts[label]++;
        return counts;
    }

    public static Tensor ToTensor(int[] labels, Device device) =>
        tensor(Array.ConvertAll(labels, l => (long)l), device: device);

    // Float64 [N, classes].
    public static Tensor OneHot(int[] labels, int classes, Device device) =>
        nn.functional.one_hot(ToTensor(labels, device), classes).to(float64);

    public static Tensor Rows(Tensor features, int[] rows)
    {
        using Tensor index = ToTensor(rows, features.device);
        return features.index_select(0, index);
    }

    // rowOf gives the feature row of a table row.
    public static Tensor Rows(Tensor features, int[] tableRows, int[] rowOf) =>
        Rows(features, Array.ConvertAll(tableRows, r => rowOf[r]));

    public static double[,] ToArray(Tensor values)
    {
        double[,] result = new double[values.shape[0], values.shape[1]];
        Buffer.BlockCopy(ToFlatArray(values), 0, result, 0, result.Length * sizeof(double));
        return result;
    }

    public static double[] ToFlatArray(Tensor values)
    {
        using var scope = NewDisposeScope();
        return values.detach().to(float64).cpu().contiguous().data<double>().ToArray();
    }
}
