using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Data;
using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>How rare classes are reported. A mode changes numbers and nothing else.</summary>
public sealed record RareConditionsPlan
{
    /// <summary>Tasks, models, seeds, limits and probes, and the sizes and repeats of the few-shot draws.</summary>
    public LabelPlan Labels { get; init; } = new() { Suite = new() };

    /// <summary>Training and test images of the rarest class that a thinned task keeps (<see cref="ProbeTask.Thin"/>); 0 thins nothing.</summary>
    public int Fewest { get; init; }

    /// <summary>How many of a task's classes are called rare, those with the fewest training images; 0 for a third of them, rounded up.</summary>
    public int Rare { get; init; }

    /// <summary>Names of the classes that are called rare, in place of the rarest; null for those.</summary>
    public IReadOnlyList<string>? Named { get; init; }

    /// <summary>Size in pixels that the images of HAM10000 are brought to (<see cref="OneGeometry"/>), whose training and test images have come in two sizes; null leaves them as they are. A <see cref="SuitePlan.Geometry"/> of <see cref="Labels"/> holds for all tasks and stands before it.</summary>
    public (int Width, int Height)? Geometry { get; init; } = (200, 150);

    /// <summary>The numbers of a mode: those of <see cref="LabelPlan.For"/>, but quick thins the tasks to 10 images of the rarest class in place of a limit over all classes.</summary>
    public static RareConditionsPlan For(RunMode mode)
    {
        LabelPlan labels = LabelPlan.For(mode);
        SuitePlan suite = labels.Suite with { Probing = new(), MostTrain = int.MaxValue, MostTest = int.MaxValue };
        return new() { Labels = labels with { Suite = suite }, Fewest = mode == RunMode.Quick ? 10 : 0 };
    }
}

/// <summary>Test rows of one task as one model, probe and seed sees them, trained on all labels.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn, linear or <see cref="RareConditions.Weighted"/>.</param>
/// <param name="Seed">Of split, random weights and the kNN probe's validation part.</param>
/// <param name="Key">Hash of everything the rows depend on; rows with another key are not reused.</param>
/// <param name="Stamp">That of task and model.</param>
/// <param name="ClassNames">Names of the classes.</param>
/// <param name="TrainImages">Training images of each class.</param>
/// <param name="Units">Patient, lesion or image of each test row.</param>
/// <param name="Truth">True class of each test row.</param>
/// <param name="Predicted">Predicted class.</param>
/// <param name="Probabilities">[test row][class].</param>
public sealed record ClassRows(string Task, string Model, string Probe, int Seed, string Key, string Stamp, string[] ClassNames, int[] TrainImages, string[] Units, int[] Truth, int[] Predicted, double[][] Probabilities);

/// <summary>Rare conditions.</summary>
/// <param name="Rows">Trained on all labels: for each task, model, probe and seed.</param>
/// <param name="Curves">F1 and recall of the rare classes over the labels of each class.</param>
/// <param name="Suite">Tasks, extraction and unreadable images behind them; it holds no results.</param>
public sealed record RareConditionsRun(IReadOnlyList<ClassRows> Rows, IReadOnlyList<LabelCurve> Curves, SuiteRun Suite);

/// <summary>
/// Scores class by class, for the question what frozen features do for rare conditions: with all labels as frequent as they are, with a regression that weighs
/// classes alike, and with few labels of each class, which are balanced by the draw.
/// </summary>
public static class RareConditions
{
    /// <summary>The linear probe with each class weighing the same (<see cref="LinearOptions.Balanced"/>), beside the probes of the plan.</summary>
    public const string Weighted = "linear, weighted";

    private static readonly string[] Real = ["ham10000-diagnosis", "pad_ufes_20", "pad-diagnosis"];

    /// <summary>The tasks that the plan names, else HAM10000 and PAD-UFES-20, whole or in part, where they are here, else two on the drawn set; limited to the plan's numbers.</summary>
    /// <exception cref="KitException">A class is named that no task has; the nearest is named. Or as <see cref="SuiteRun.Open"/>.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, RareConditionsPlan plan)
    {
        SuitePlan numbers = plan.Labels.Suite;
        string[] here = [.. TaskSuite.Wholes([.. Real.Select(name => suite[name]).Where(t => TaskSuite.Missing(t, settings) is null)]).Select(t => t.Name)];
        string[] names = numbers.Tasks ?? (here.Length > 0 ? here : ["synthetic-diagnosis", "synthetic-rare-class"]);
        ProbeTask[] tasks = [.. SuiteRun.Open(settings, suite, numbers with { Tasks = names }).Select(t => plan.Fewest > 0 ? t.Thin(plan.Fewest) : t)];
        string[] classes = [.. tasks.SelectMany(t => t.ClassNames).Distinct()];
        if (plan.Named?.FirstOrDefault(name => !classes.Contains(name)) is { } unknown)
            throw new KitException($"Rare classes: no task of this run ({Names.Listed(tasks.Select(t => t.Definition.Name))}) has a class '{unknown}'; did you mean '{KitException.Nearest(unknown, classes)}'?");
        return tasks;
    }

    /// <summary>The rare classes of a task, the rarest first: those that the plan names, else those with the fewest training images among the classes that have test images. Counted in the split of the first seed.</summary>
    /// <exception cref="KitException">The task has none of the named classes, or no test image of one.</exception>
    public static IReadOnlyList<int> Rarest(ProbeTask task, RareConditionsPlan plan)
    {
        string name = task.Definition.Name;
        Data.Split split = task.SplitFor(plan.Labels.Suite.Seeds[0]);
        int In(int[] rows, int c) => rows.Count(i => task.Labels[i] == c);
        int[] order = [.. Enumerable.Range(0, task.ClassNames.Length).OrderBy(c => In(split.Train, c))];
        if (plan.Named is null) return [.. order.Where(c => In(split.Test, c) > 0).Take(plan.Rare > 0 ? plan.Rare : (order.Length + 2) / 3)];
        int[] named = [.. order.Where(c => plan.Named.Contains(task.ClassNames[c]))];
        if (named.Length == 0)
            throw new KitException($"Rare classes: task '{name}' has none of {Names.Listed(plan.Named)}; name one of {Names.Listed(task.ClassNames)} as well, or leave the task out.");
        return named.All(c => In(split.Test, c) > 0) ? named
            : throw new KitException($"Rare classes: no test image of {Names.Listed(named.Where(c => In(split.Test, c) == 0).Select(c => task.ClassNames[c]))} in this run of '{name}', so nothing can be scored; take more test images, or name other classes.");
    }

    /// <summary>Runs the plan. Features and results that are there already for the same inputs are read, so an interrupted run goes on where it stopped.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="Open"/>.</param>
    /// <param name="models">From <see cref="SuiteRun.Choose"/>.</param>
    /// <param name="plan">How much.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches, probes and draws.</param>
    /// <exception cref="KitException">A number of the plan is not usable, or a task cannot be probed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static RareConditionsRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, RareConditionsPlan plan,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        SuitePlan all = plan.Labels.Suite, ham = all with { Geometry = all.Geometry ?? plan.Geometry };
        ProbeTask[] brought = [.. tasks.Select(t => SuiteRun.Bring(settings, [t], t.Definition.DataSets.ContainsKey(Ham10000.Name) ? ham : all, progress, cancellation)[0])];
        var rows = new List<ClassRows>();
        var curves = new List<LabelCurve>();
        int visited = 0, visits = tasks.Count * models.Count * plan.Labels.Suite.Seeds.Count;
        (var extractions, var quarantine) = SuiteRun.Visit(settings, brought, models, plan.Labels.Suite, (features, model, task, seed, rowOf) =>
        {
            using Tensor values = features.ToTensor(device);
            FeatureSource source = FeatureSource.Of(features, model);
            rows.AddRange(Probe(values, source, task, seed, plan, Path.Combine(settings.CacheDir, "rare-conditions"), rowOf, cancellation));
            curves.AddRange(FewShot(values, source, task, seed, plan, Path.Combine(settings.CacheDir, "label-efficiency"), rowOf, cancellation));
            progress?.Invoke("probing class by class", ++visited, visits);
        }, progress, cancellation);
        return new(rows, curves, new([], brought, extractions, quarantine));
    }

    /// <summary>The probes of the plan and the weighted one, trained on all labels.</summary>
    /// <param name="features">[n, D] on the device to work on.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="task">Labels, classes and split.</param>
    /// <param name="seed">Of the split and the kNN probe's validation part.</param>
    /// <param name="plan">The probes.</param>
    /// <param name="folder">Where rows are kept; null keeps none.</param>
    /// <param name="rowOf">Feature row of each row of the task's table, -1 where the image could not be read; null: the same rows.</param>
    /// <param name="cancellation">Stops between probes.</param>
    /// <exception cref="KitException">The task cannot be probed.</exception>
    public static IReadOnlyList<ClassRows> Probe(Tensor features, FeatureSource source, ProbeTask task, int seed, RareConditionsPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        ProbingOptions options = plan.Labels.Suite.Probing;
        Probing.CheckProbes(options.Probes);
        (rowOf, int[] train, int[] test, string dataHash, _) = Probing.Parts(features, source, task, seed, rowOf);
        TaskDefinition definition = task.Definition;
        int classes = task.ClassNames.Length;
        return [.. options.Probes.Append(Weighted).Select(probe =>
        {
            cancellation.ThrowIfCancellationRequested();
            object how = probe == "knn" ? options.Knn : options.Linear with { Balanced = probe == Weighted || options.Linear.Balanced };
            string key = Probing.Key(source, task, dataHash, seed, probe, how);
            string? path = folder is null ? null : new Results(folder).PathOf(definition.Name, source.Model, source.Features, probe == Weighted ? "weighted" : probe, seed, key);
            if (path is not null && Results.TryRead<ClassRows>(path) is { } kept && kept.Key == key) return kept;
            using var scope = NewDisposeScope();
            Tensor fit = ProbeInput.Rows(features, train, rowOf), held = ProbeInput.Rows(features, test, rowOf);
            int[] labels = Array.ConvertAll(train, r => task.Labels[r]);
            ProbeOutcome outcome = how is KnnOptions knn ? KnnProbe.Run(fit, labels, held, classes, seed, knn) : LinearProbe.Run(fit, labels, held, classes, (LinearOptions)how);
            ClassRows rows = new(definition.Name, source.Model, probe, seed, key, Stamps.Join([definition.Stamp, source.Stamp]), task.ClassNames, ProbeInput.CountClasses(labels, classes),
                [.. test.Select(r => task.UnitOf(r))], [.. test.Select(r => task.Labels[r])], outcome.Predicted, [.. test.Select((_, i) => Enumerable.Range(0, classes).Select(c => outcome.Probabilities[i, c]).ToArray())]);
            if (path is not null) Results.Write(path, rows);
            return rows;
        })];
    }

    /// <summary>F1 and recall of the rare classes over n labels of each class, from <see cref="LabelEfficiency"/>; the scores are named "f1 of &lt;class&gt;" and "recall of &lt;class&gt;".</summary>
    /// <inheritdoc cref="LabelEfficiency.Run(Tensor, FeatureSource, ProbeTask, int, LabelPlan, string?, int[], CancellationToken, IReadOnlyList{ValueTuple{string, Func{ClassCounts, double}}})"/>
    public static IReadOnlyList<LabelCurve> FewShot(Tensor features, FeatureSource source, ProbeTask task, int seed, RareConditionsPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default) =>
        LabelEfficiency.Run(features, source, task, seed, plan.Labels, folder, rowOf, cancellation,
            [.. Rarest(task, plan).SelectMany(c => new[] { "f1", "recall" }.Select(metric => (ScoreName(metric, task.ClassNames[c]), (Func<ClassCounts, double>)(counts => RareConditionScores.Of(counts, metric, c)))))]);

    /// <summary>Name of a curve's score.</summary>
    internal static string ScoreName(string metric, string className) => $"{metric} of {className}";
}
