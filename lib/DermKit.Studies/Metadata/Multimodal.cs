using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>How image features and metadata are joined. A mode changes the numbers of <see cref="Suite"/> and nothing else.</summary>
public sealed record MultimodalPlan
{
    /// <summary>Models, seeds and limits; one task, by default PAD-UFES-20's diagnoses where they are here, else the drawn set's.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Penalties to choose from, the same for every arm.</summary>
    public IReadOnlyList<double> Cs { get; init; } = [0.001, 0.01, 0.1, 1];

    /// <summary>Folds over training patients: those that choose penalties, and those that ask which metadata
    /// helps.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Share of the metadata columns that an image must have values in to take part.</summary>
    public double Recorded { get; init; } = 0.6;

    /// <summary>The numbers of a mode: those of <see cref="SuitePlan.For"/>, in quick mode at most 420 training and 180 test images, before those without metadata are left out.</summary>
    public static MultimodalPlan For(RunMode mode) => new()
    {
        Suite = mode == RunMode.Quick ? SuitePlan.For(mode) with { MostTrain = 420, MostTest = 180 } : SuitePlan.For(mode),
    };
}

/// <summary>Predictions of one arm.</summary>
/// <param name="Arm">One of <see cref="Multimodal.Arms"/>.</param>
/// <param name="Model">Name of the model behind the image features.</param>
/// <param name="Seed">Of weights and of the folds that choose the penalty.</param>
/// <param name="C">Penalty that was chosen; late fusion has one for both of its regressions.</param>
/// <param name="Rows">Test rows.</param>
public sealed record ArmRows(string Arm, string Model, int Seed, double C, TestRows Rows);

/// <summary>Out-of-fold predictions from metadata with some groups.</summary>
/// <param name="Group">The group in question; empty for all.</param>
/// <param name="Kind">all, without or alone.</param>
/// <param name="Rows">Training rows, each predicted by a probe that has not seen its patient.</param>
public sealed record GroupRows(string Group, string Kind, TestRows Rows);

/// <summary>Image, metadata and both on the same test rows.</summary>
/// <param name="Task">The task on the images with metadata.</param>
/// <param name="Arms">For each model, seed and arm.</param>
/// <param name="Groups">What each group of metadata adds, on training patients.</param>
/// <param name="Suite">Extraction and unreadable images behind them; it holds no results.</param>
public sealed record MultimodalRun(ProbeTask Task, IReadOnlyList<ArmRows> Arms, IReadOnlyList<GroupRows> Groups, SuiteRun Suite);

/// <summary>
/// Frozen image features and metadata of the patient, alone and together: concatenated before one logistic regression, or (late fusion) the mean of the probabilities of two (the sum rule, Kittler et al. 1998).
/// Every regression standardises its columns; encodings are learned from the rows that are fitted alone. Every arm,
/// late fusion too, chooses its penalty from the same values by F1 of its own calls out of fold, over folds of the
/// patients that it is fitted on: none of these is scored.
/// </summary>
public static class Multimodal
{
    /// <summary>The arms, baseline first.</summary>
    public static IReadOnlyList<string> Arms { get; } = ["image", "metadata", Late, "concatenation"];

    private const string Late = "late fusion";

    /// <summary>The task that the plan means, limited to its numbers, with all of its images: those without metadata are for the table of missing values alone.</summary>
    /// <exception cref="KitException">More than one task is named, or as <see cref="SuiteRun.Open"/>.</exception>
    public static ProbeTask Open(KitSettings settings, TaskSuite suite, MultimodalPlan plan)
    {
        string[] names = plan.Suite.Tasks ?? [TaskSuite.Missing(suite["pad-diagnosis"], settings) is null ? "pad-diagnosis" : "synthetic-diagnosis"];
        if (names.Length != 1)
            throw new KitException($"Image and metadata: expected one task, found {names.Length} ({Names.Listed(names)}).");
        return SuiteRun.Open(settings, suite, plan.Suite with { Tasks = names })[0];
    }

    /// <summary>The images of a task whose metadata was recorded. Whether it was can tell the diagnosis, so the others would make metadata look better than it is.</summary>
    /// <exception cref="KitException">None has.</exception>
    public static ProbeTask WithMetadata(ProbeTask task, MultimodalPlan plan)
    {
        double[] recorded = MetadataGroup.Recorded(task.Table, MetadataGroup.In(task.Table));
        int[] rows = [.. Enumerable.Range(0, task.Table.Count).Where(i => recorded[i] >= plan.Recorded)];
        return rows.Length > 0 ? task.Only(rows) : throw new KitException($"Task '{task.Definition.Name}': no image has values in {plan.Recorded:P0} of its metadata columns.");
    }

    /// <summary>Runs all arms of every model and seed, and what each group of metadata adds.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="task">From <see cref="WithMetadata"/>.</param>
    /// <param name="models">From <see cref="SuiteRun.Choose"/>.</param>
    /// <param name="plan">How.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and fits.</param>
    /// <exception cref="KitException">The split is not usable, or metadata cannot be encoded.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static MultimodalRun Run(KitSettings settings, ProbeTask task, IReadOnlyList<ModelDefinition> models, MultimodalPlan plan, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        task = SuiteRun.Bring(settings, [task], plan.Suite, progress, cancellation)[0];
        var arms = new List<ArmRows>();
        int done = 0;
        (var extractions, var quarantine) = SuiteRun.Visit(settings, [task], models, plan.Suite, (features, model, _, seed, rowOf) =>
        {
            using Tensor values = features.ToTensor(device);
            arms.AddRange(Run(values, model.Name, task, seed, plan, rowOf, cancellation));
            progress?.Invoke("joining image and metadata", ++done, models.Count * plan.Suite.Seeds.Count);
        }, progress, cancellation);
        return new(task, arms, WhichHelps(task, plan, plan.Suite.Seeds[0], progress, cancellation), new([], [task], extractions, quarantine));
    }

    /// <summary>The arms of one model and seed.</summary>
    /// <param name="features">[n, D].</param>
    /// <param name="model">Names the rows.</param>
    /// <param name="task">From <see cref="WithMetadata"/>.</param>
    /// <param name="seed">Of the split and of the folds that choose the penalty.</param>
    /// <param name="plan">Penalties and folds.</param>
    /// <param name="rowOf">Feature row of each row of the table, -1 where the image could not be read; null: the same rows.</param>
    /// <param name="cancellation">Stops between folds.</param>
    /// <exception cref="KitException">There are fewer training patients than folds, or metadata cannot be
    /// encoded.</exception>
    public static IReadOnlyList<ArmRows> Run(Tensor features, string model, ProbeTask task, int seed, MultimodalPlan plan, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        rowOf ??= [.. Enumerable.Range(0, task.Table.Count)];
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        int[] Read(int[] rows) => [.. rows.Where(r => rowOf[r] >= 0)];
        Split split = task.SplitFor(seed);
        int[] train = Read(split.Train), test = Read(split.Test);
        (Tensor Fit, Tensor Test) Pair(string arm, int[] from, int[] to)
        {
            MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, from, groups);
            Tensor Rows(int[] rows) => arm switch
            {
                "image" => ProbeInput.Rows(features, rows, rowOf),
                "metadata" => tensor(encoder.Encode(task.Table, rows), device: features.device),
                _ => cat([ProbeInput.Rows(features, rows, rowOf), tensor(encoder.Encode(task.Table, rows), device: features.device)], 1),
            };
            return (Rows(from), Rows(to));
        }
        var held = new Dictionary<string, double[][,]>();
        foreach (string arm in Arms.Where(a => a != Late))
            held[arm] = OutOfFold(task, train, plan, seed, (from, to) => Pair(arm, from, to), cancellation);
        held[Late] = [.. held["image"].Zip(held["metadata"], Mean)];
        double[,] Fitted(string arm, double c)
        {
            if (arm == Late) return Mean(Fitted("image", c), Fitted("metadata", c));
            cancellation.ThrowIfCancellationRequested();
            var (all, final) = Pair(arm, train, test);
            LinearOptions options = new(c, Standardise: true);
            return LinearProbe.Run(all, Labels(task, train), final, task.ClassNames.Length, options).Probabilities;
        }
        var made = new List<ArmRows>();
        foreach (string arm in Arms)
        {
            double c = Choose(task, train, plan.Cs, held[arm]);
            made.Add(new(arm, model, seed, c, Rows(task, test, Metrics.ArgMax(Fitted(arm, c)))));
        }
        return made;
    }

    /// <summary>
    /// What each group of metadata adds: out-of-fold predictions on the training patients from all metadata, from all but the group, and from the group alone. The test part is not looked at.
    /// Each of these chooses its penalty for each fold anew, over inner folds of the patients that are not scored
    /// there.
    /// </summary>
    /// <param name="task">From <see cref="WithMetadata"/>.</param>
    /// <param name="plan">Penalties and folds.</param>
    /// <param name="seed">Of the folds.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between folds.</param>
    public static IReadOnlyList<GroupRows> WhichHelps(ProbeTask task, MultimodalPlan plan, int seed, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        int[] train = task.SplitFor(seed).Train;
        int[] fold = CrossFolds.Assign([.. train.Select(i => task.UnitOf(i))], Labels(task, train), plan.Folds, seed);
        (string Group, string Kind, IReadOnlyList<MetadataGroup> With)[] asked = [("", "all", groups),
            .. groups.Select(g => (g.Name, "without", (IReadOnlyList<MetadataGroup>)[.. groups.Where(o => o != g)])), .. groups.Select(g => (g.Name, "alone", (IReadOnlyList<MetadataGroup>)[g]))];
        var made = new List<GroupRows>();
        foreach (var (group, kind, with) in asked.Where(a => a.With.Count > 0))
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
                int[] others = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] != f)], own = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] == f)];
                int[] rows = [.. others.Select(i => train[i])];
                double c = Choose(task, rows, plan.Cs, OutOfFold(task, rows, plan, seed, Pair, cancellation));
                var (fit, scored) = Pair(rows, [.. own.Select(i => train[i])]);
                LinearOptions options = new(c, Standardise: true);
                ProbeOutcome found = LinearProbe.Run(fit, Labels(task, rows), scored, task.ClassNames.Length, options);
                int[] called = found.Predicted;
                foreach ((int i, int n) in own.Index()) predicted[n] = called[i];
            }
            made.Add(new(group, kind, Rows(task, train, predicted)));
            progress?.Invoke("groups of metadata", made.Count, asked.Length);
        }
        return made;
    }

    /// <summary>Probabilities [rows, classes] for each penalty of the plan, each row's from a fit without its
    /// patient.</summary>
    private static double[][,] OutOfFold(ProbeTask task, int[] rows, MultimodalPlan plan, int seed,
        Func<int[], int[], (Tensor Fit, Tensor Test)> pair, CancellationToken cancellation)
    {
        int classes = task.ClassNames.Length;
        int[] fold = CrossFolds.Assign([.. rows.Select(r => task.UnitOf(r))], Labels(task, rows), plan.Folds, seed);
        double[][,] held = [.. plan.Cs.Select(_ => new double[rows.Length, classes])];
        for (int f = 0; f < plan.Folds; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int[] own = [.. Enumerable.Range(0, rows.Length).Where(i => fold[i] == f)];
            int[] others = [.. Enumerable.Range(0, rows.Length).Where(i => fold[i] != f).Select(i => rows[i])];
            var (fit, test) = pair(others, [.. own.Select(i => rows[i])]);
            foreach ((int p, double c) in plan.Cs.Index())
            {
                LinearOptions options = new(c, Standardise: true);
                double[,] found = LinearProbe.Run(fit, Labels(task, others), test, classes, options).Probabilities;
                foreach ((int i, int row) in own.Index())
                    for (int k = 0; k < classes; k++) held[p][row, k] = found[i, k];
            }
        }
        return held;
    }

    /// <summary>The penalty with the best F1 of the calls out of fold, the strongest of equals. (By log loss few images
    /// choose so strong a penalty that every call is the most frequent class.)</summary>
    private static double Choose(ProbeTask task, int[] rows, IReadOnlyList<double> cs, double[][,] held)
    {
        int[] truth = Labels(task, rows);
        double F1(double[,] found) => ClassCounts.Of(truth, Metrics.ArgMax(found), task.ClassNames.Length).PaperF1();
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

    private static TestRows Rows(ProbeTask task, int[] rows, int[] predicted) => new(task.Definition.Name, string.Join(" + ", task.Definition.DataSets.Keys), task.ClassNames.Length,
        [.. rows.Select(r => task.UnitOf(r))], Labels(task, rows), predicted);
}
