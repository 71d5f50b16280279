using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Test predictions of one arm and its penalty C.</summary>
public sealed record ArmRows(string Arm, string Model, int Seed, double C, TestRows Rows);

/// <summary>Out-of-fold predictions for training rows from all metadata, all but one group, or one alone.</summary>
public sealed record GroupRows(string Group, string Kind, TestRows Rows)
{
    /// <summary>F1 of the predictions, as the paper takes it.</summary>
    public double F1() => Bootstrap.Mean([Rows], resamples: 1).Value;
}

/// <summary>Image, metadata and both on the same test rows.</summary>
public sealed record MultimodalRun(ProbeTask Task, IReadOnlyList<ArmRows> Arms, IReadOnlyList<GroupRows> Groups,
    SuiteRun Suite);

/// <summary>Frozen image features and patient metadata, alone, concatenated in one logistic regression, or fused late
/// as the mean of two probabilities (sum rule, Kittler et al. 1998). Columns are standardised; encodings see fitted
/// rows only. Each arm's penalty is chosen by out-of-fold F1 on its training patients, never scored.</summary>
public static class Multimodal
{
    private const string Image = "image";
    private const string Metadata = "metadata";
    private const string Late = "late fusion";

    /// <summary>The arms, baseline first.</summary>
    public static IReadOnlyList<string> Arms { get; } = [Image, Metadata, Late, "concatenation"];

    /// <summary>Opens the plan's task, limited to its numbers, with all images.</summary>
    /// <exception cref="KitException">More than one task is named, or as <see cref="SuiteRun.Open"/>.</exception>
    public static ProbeTask Open(KitSettings settings, TaskSuite suite, MultimodalPlan plan)
    {
        if (plan.Suite.Tasks is { } names && names.Length != 1)
            throw new KitException($"Image and metadata: expected one task, found {names.Length} "
                + $"({Names.Listed(names)}).");
        return StudyPlans.Open(settings, suite, plan.Suite, ["pad-diagnosis"], "synthetic-diagnosis")[0];
    }

    /// <summary>The images with recorded metadata; whether it was recorded can tell the diagnosis.</summary>
    /// <exception cref="KitException">No image has metadata.</exception>
    public static ProbeTask WithMetadata(ProbeTask task, MultimodalPlan plan)
    {
        double[] recorded = MetadataGroup.Recorded(task.Table, MetadataGroup.In(task.Table));
        int[] rows = [.. Enumerable.Range(0, task.Table.Count).Where(i => recorded[i] >= plan.Recorded)];
        return rows.Length > 0 ? task.Only(rows)
            : throw new KitException($"Task '{task.Definition.Name}': no image has values in {plan.Recorded:P0} of its "
                + "metadata columns.");
    }

    /// <summary>Runs all arms, models and seeds, and scores each metadata group.</summary>
    /// <exception cref="KitException">The split or the metadata cannot be used.</exception>
    public static MultimodalRun Run(KitSettings settings, ProbeTask task, IReadOnlyList<ModelDefinition> models,
        MultimodalPlan plan, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        task = SuiteRun.Bring(settings, [task], plan.Suite, progress, cancellation)[0];
        var arms = new List<ArmRows>();
        SuiteRun suite = SuiteRun.Visit(settings, [task], models, plan.Suite, "joining image and metadata",
            visit => arms.AddRange(Run(visit.Features, visit.Model.Name, task, visit.Seed, plan, visit.RowOf,
                cancellation)), progress, cancellation);
        return new(task, arms, WhichHelps(task, plan, plan.Suite.Seeds[0], progress, cancellation), suite);
    }

    internal static IReadOnlyList<ArmRows> Run(Tensor features, string model, ProbeTask task, int seed,
        MultimodalPlan plan, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        rowOf ??= [.. Enumerable.Range(0, task.Table.Count)];
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        Split split = task.SplitFor(seed);
        int[] train = [.. split.Train.Where(r => rowOf[r] >= 0)];
        int[] test = [.. split.Test.Where(r => rowOf[r] >= 0)];
        (Tensor Fit, Tensor Test) Pair(string arm, int[] from, int[] to)
        {
            MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, from, groups);
            Tensor Features(int[] rows) => ProbeInput.Rows(features, rows, rowOf);
            Tensor Encoded(int[] rows) => tensor(encoder.Encode(task.Table, rows), device: features.device);
            Tensor Rows(int[] rows) => arm switch
            {
                Image => Features(rows),
                Metadata => Encoded(rows),
                _ => cat([Features(rows), Encoded(rows)], 1),
            };
            return (Rows(from), Rows(to));
        }
        var held = Arms.Where(a => a != Late).ToDictionary(arm => arm, arm =>
            OutOfFold(task, train, plan, seed, (from, to) => Pair(arm, from, to), cancellation));
        held[Late] = [.. held[Image].Zip(held[Metadata], Mean)];
        double[,] Fitted(string arm, double c)
        {
            if (arm == Late) return Mean(Fitted(Image, c), Fitted(Metadata, c));
            cancellation.ThrowIfCancellationRequested();
            return Fit(task, train, Pair(arm, train, test), c).Probabilities;
        }
        var made = new List<ArmRows>();
        foreach (string arm in Arms)
        {
            double c = Choose(task, train, plan.Cs, held[arm]);
            made.Add(new(arm, model, seed, c, Rows(task, test, Metrics.ArgMax(Fitted(arm, c)))));
        }
        return made;
    }

    // Out-of-fold predictions on the training patients from all metadata, all but each group, and each group alone.
    // Penalties are chosen in inner folds of the patients that are not scored; the test part is not read.
    internal static IReadOnlyList<GroupRows> WhichHelps(ProbeTask task, MultimodalPlan plan, int seed,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        int[] train = task.SplitFor(seed).Train;
        int[] fold = Folds(task, train, plan, seed);
        List<(string Group, string Kind, MetadataGroup[] With)> asked = [("", "all", [.. groups])];
        asked.AddRange(groups.Select(g => (g.Name, "without", groups.Where(o => o != g).ToArray())));
        asked.AddRange(groups.Select(g => (g.Name, "alone", new[] { g })));
        asked.RemoveAll(a => a.With.Length == 0);
        var made = new List<GroupRows>();
        foreach (var (group, kind, with) in asked)
        {
            (Tensor Fit, Tensor Test) Pair(int[] from, int[] to)
            {
                MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, from, with);
                return (tensor(encoder.Encode(task.Table, from)), tensor(encoder.Encode(task.Table, to)));
            }
            int[] predicted = new int[train.Length];
            for (int f = 0; f < plan.Folds; f++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                int[] rows = [.. train.Where((_, i) => fold[i] != f)];
                int[] own = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] == f)];
                double c = Choose(task, rows, plan.Cs, OutOfFold(task, rows, plan, seed, Pair, cancellation));
                int[] called = Fit(task, rows, Pair(rows, Array.ConvertAll(own, i => train[i])), c).Predicted;
                foreach ((int i, int n) in own.Index()) predicted[n] = called[i];
            }
            made.Add(new(group, kind, Rows(task, train, predicted)));
            progress?.Invoke("groups of metadata", made.Count, asked.Count);
        }
        return made;
    }

    // [rows, classes] for each penalty; each row is predicted without its patient.
    private static double[][,] OutOfFold(ProbeTask task, int[] rows, MultimodalPlan plan, int seed,
        Func<int[], int[], (Tensor Fit, Tensor Test)> pair, CancellationToken cancellation)
    {
        int classes = task.ClassNames.Length;
        int[] fold = Folds(task, rows, plan, seed);
        double[][,] held = [.. plan.Cs.Select(_ => new double[rows.Length, classes])];
        for (int f = 0; f < plan.Folds; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int[] own = [.. Enumerable.Range(0, rows.Length).Where(i => fold[i] == f)];
            int[] others = [.. rows.Where((_, i) => fold[i] != f)];
            var parts = pair(others, Array.ConvertAll(own, i => rows[i]));
            foreach ((int p, double c) in plan.Cs.Index())
            {
                double[,] found = Fit(task, others, parts, c).Probabilities;
                foreach ((int i, int row) in own.Index())
                    for (int k = 0; k < classes; k++) held[p][row, k] = found[i, k];
            }
        }
        return held;
    }

    private static ProbeOutcome Fit(ProbeTask task, int[] rows, (Tensor Fit, Tensor Test) parts, double c) =>
        new LinearProbe(c, Standardise: true).Run(parts.Fit, Labels(task, rows), parts.Test, task.ClassNames.Length);

    private static int[] Folds(ProbeTask task, int[] rows, MultimodalPlan plan, int seed) =>
        CrossFolds.Assign(Array.ConvertAll(rows, task.UnitOf), Labels(task, rows), plan.Folds, seed);

    // Best F1 out of fold, the strongest of equals. (Log loss chooses, with few images, so strong a penalty that every
    // prediction is the most frequent class.)
    private static double Choose(ProbeTask task, int[] rows, IReadOnlyList<double> cs, double[][,] held)
    {
        int[] truth = Labels(task, rows);
        double F1(double[,] found) =>
            ClassCounts.Of(truth, Metrics.ArgMax(found), task.ClassNames.Length).PaperF1();
        return cs.Zip(held).OrderBy(p => p.First).MaxBy(p => F1(p.Second)).First;
    }

    private static double[,] Mean(double[,] one, double[,] other)
    {
        double[,] mean = new double[one.GetLength(0), one.GetLength(1)];
        for (int i = 0; i < mean.GetLength(0); i++)
            for (int k = 0; k < mean.GetLength(1); k++) mean[i, k] = (one[i, k] + other[i, k]) / 2;
        return mean;
    }

    private static int[] Labels(ProbeTask task, int[] rows) => Array.ConvertAll(rows, r => task.Labels[r]);

    private static TestRows Rows(ProbeTask task, int[] rows, int[] predicted) =>
        new(task.Definition.Name, string.Join(" + ", task.Definition.DataSets.Keys), task.ClassNames.Length,
            Array.ConvertAll(rows, task.UnitOf), Labels(task, rows), predicted);
}
