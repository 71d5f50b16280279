using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>How image features and metadata are joined. A mode changes the numbers of <see cref="Suite"/> and nothing else.</summary>
public sealed record MultimodalPlan
{
    /// <summary>Models, seeds and limits; one task, by default PAD-UFES-20's diagnoses where they are here, else the drawn set's.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Penalties to choose from, on validation patients of the training part.</summary>
    public IReadOnlyList<double> Cs { get; init; } = [0.001, 0.01, 0.1, 1];

    /// <summary>Folds over the training patients, for the question which metadata helps.</summary>
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
/// <param name="Seed">Of weights and of the validation part.</param>
/// <param name="C">Penalty that was chosen; NaN for late fusion, which has none of its own.</param>
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
/// <param name="Suite">Extraction and unreadable pictures behind them; it holds no results.</param>
public sealed record MultimodalRun(ProbeTask Task, IReadOnlyList<ArmRows> Arms, IReadOnlyList<GroupRows> Groups, SuiteRun Suite);

/// <summary>
/// Frozen image features and metadata of the patient, alone and together: concatenated before one logistic regression, or (late fusion) the mean of the probabilities of two (the sum rule, Kittler et al. 1998).
/// Every regression standardises its columns and chooses its penalty on validation patients; encodings are learned from training rows alone.
/// </summary>
public static class Multimodal
{
    /// <summary>The arms, baseline first.</summary>
    public static IReadOnlyList<string> Arms { get; } = ["image", "metadata", "late fusion", "concatenation"];

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
    /// <param name="seed">Of the validation part.</param>
    /// <param name="plan">Penalties.</param>
    /// <param name="rowOf">Feature row of each row of the table, -1 where the image could not be read; null: the same rows.</param>
    /// <param name="cancellation">Stops between fits.</param>
    public static IReadOnlyList<ArmRows> Run(Tensor features, string model, ProbeTask task, int seed, MultimodalPlan plan, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        rowOf ??= [.. Enumerable.Range(0, task.Table.Count)];
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        int[] Read(int[] rows) => [.. rows.Where(r => rowOf[r] >= 0)];
        Split split = task.SplitFor(seed), inner = task.Redraw(seed);
        (int[] train, int[] test, int[] fit, int[] validation) = (Read(split.Train), Read(split.Test), Read(inner.Train), Read(inner.Test));
        // The encoding that chooses the penalty is learned without the validation rows too.
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
        var outcomes = new Dictionary<string, (ProbeOutcome Outcome, double C)>();
        foreach (string arm in Arms.Where(a => a != "late fusion"))
        {
            cancellation.ThrowIfCancellationRequested();
            var (choosing, held) = Pair(arm, fit, validation);
            double c = Choose(choosing, Labels(task, fit), held, Labels(task, validation), task.ClassNames.Length, plan.Cs);
            var (all, final) = Pair(arm, train, test);
            outcomes[arm] = (LinearProbe.Run(all, Labels(task, train), final, task.ClassNames.Length, new(c, Standardise: true)), c);
        }
        double[,] image = outcomes["image"].Outcome.Probabilities, metadata = outcomes["metadata"].Outcome.Probabilities, mean = new double[image.GetLength(0), image.GetLength(1)];
        for (int i = 0; i < mean.GetLength(0); i++)
            for (int k = 0; k < mean.GetLength(1); k++) mean[i, k] = (image[i, k] + metadata[i, k]) / 2;
        outcomes["late fusion"] = (new(Metrics.ArgMax(mean), mean), double.NaN);
        return [.. Arms.Select(arm => new ArmRows(arm, model, seed, outcomes[arm].C, Rows(task, test, outcomes[arm].Outcome.Predicted)))];
    }

    /// <summary>
    /// What each group of metadata adds: out-of-fold predictions on the training patients from all metadata, from all but the group, and from the group alone. The test part is not looked at.
    /// </summary>
    /// <param name="task">From <see cref="WithMetadata"/>.</param>
    /// <param name="plan">Penalties and folds.</param>
    /// <param name="seed">Of the folds and of the validation part that chooses the penalty, once, for all metadata.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between folds.</param>
    public static IReadOnlyList<GroupRows> WhichHelps(ProbeTask task, MultimodalPlan plan, int seed, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        int[] train = task.SplitFor(seed).Train;
        int[] fold = CrossFolds.Assign([.. train.Select(i => task.UnitOf(i))], Labels(task, train), plan.Folds, seed);
        (string Group, string Kind, IReadOnlyList<MetadataGroup> With)[] asked = [("", "all", groups),
            .. groups.Select(g => (g.Name, "without", (IReadOnlyList<MetadataGroup>)[.. groups.Where(o => o != g)])), .. groups.Select(g => (g.Name, "alone", (IReadOnlyList<MetadataGroup>)[g]))];
        Split inner = task.Redraw(seed);
        double penalty;
        using (var scope = NewDisposeScope())
        {
            MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, inner.Train, groups);
            penalty = Choose(tensor(encoder.Encode(task.Table, inner.Train)), Labels(task, inner.Train), tensor(encoder.Encode(task.Table, inner.Test)), Labels(task, inner.Test), task.ClassNames.Length, plan.Cs);
        }
        var found = new List<GroupRows>();
        foreach (var (group, kind, with) in asked.Where(a => a.With.Count > 0))
        {
            int[] predicted = new int[train.Length];
            for (int f = 0; f < plan.Folds; f++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                int[] others = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] != f)], own = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] == f)];
                int[] rows = [.. others.Select(i => train[i])];
                MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, rows, with);
                int[] called = LinearProbe.Run(tensor(encoder.Encode(task.Table, rows)), Labels(task, rows), tensor(encoder.Encode(task.Table, [.. own.Select(i => train[i])])), task.ClassNames.Length, new(penalty, Standardise: true)).Predicted;
                foreach ((int i, int n) in own.Index()) predicted[n] = called[i];
            }
            found.Add(new(group, kind, Rows(task, train, predicted)));
            progress?.Invoke("groups of metadata", found.Count, asked.Length);
        }
        return found;
    }

    /// <summary>The penalty with the best F1 on the validation rows, the strongest of equals. (By log loss few images choose so strong a penalty that every call is the most frequent class.)</summary>
    private static double Choose(Tensor fit, int[] labels, Tensor held, int[] truth, int classes, IReadOnlyList<double> cs) =>
        cs.Order().MaxBy(c => ClassCounts.Of(truth, LinearProbe.Run(fit, labels, held, classes, new(c, Standardise: true)).Predicted, classes).PaperF1());

    private static int[] Labels(ProbeTask task, int[] rows) => Array.ConvertAll(rows, r => task.Labels[r]);

    private static TestRows Rows(ProbeTask task, int[] rows, int[] predicted) => new(task.Definition.Name, string.Join(" + ", task.Definition.DataSets.Keys), task.ClassNames.Length,
        [.. rows.Select(r => task.UnitOf(r))], Labels(task, rows), predicted);
}
