using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Test rows of a task, model, probe and seed, trained on all labels; probabilities are [test row][class]. Key
/// is a hash of all inputs, and rows are reused only for the same key.</summary>
public sealed record ClassRows(string Task, string Model, string Probe, int Seed, string Key, string Stamp,
    string[] ClassNames, int[] TrainImages, string[] Units, int[] Truth, int[] Predicted, double[][] Probabilities);

/// <summary>Predictions with all labels; F1 and recall of rare classes over the labels of each class.</summary>
public sealed record RareConditionsRun(IReadOnlyList<ClassRows> Rows, IReadOnlyList<LabelCurve> Curves,
    SuiteRun Suite);

/// <summary>Scores of single classes from frozen features: with all labels, with classes weighted alike, and with few
/// labels of each class.</summary>
public static class RareConditions
{
    /// <summary>The linear probe with equal class weights (<see cref="LinearProbe.Balanced"/>).</summary>
    public const string Weighted = "linear, weighted";

    /// <summary>Opens the plan's tasks, else HAM10000 and PAD-UFES-20 where available, else two of the drawn
    /// set.</summary>
    /// <exception cref="KitException">No task has a named class, or as <see cref="SuiteRun.Open"/>.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, RareConditionsPlan plan)
    {
        IReadOnlyList<ProbeTask> opened = StudyPlans.Open(settings, suite, plan.Labels.Suite,
            ["ham10000-diagnosis", "pad_ufes_20", "pad-diagnosis"], "synthetic-diagnosis", "synthetic-rare-class");
        ProbeTask[] tasks = [.. opened.Select(t => plan.Fewest > 0 ? Thin(t, plan.Fewest) : t)];
        string[] classes = [.. tasks.SelectMany(t => t.ClassNames).Distinct()];
        if (plan.Named?.FirstOrDefault(name => !classes.Contains(name)) is { } unknown)
            throw new KitException("Rare classes: no task of this run "
                + $"({Names.Listed(tasks.Select(t => t.Definition.Name))}) has a class '{unknown}'; did you mean "
                + $"'{KitException.Nearest(unknown, classes)}'?");
        return tasks;
    }

    /// <summary>Numbers of a task's rare classes, rarest first: the plan's names, else those with test images and the
    /// fewest training images in the first seed's split.</summary>
    /// <exception cref="KitException">The task lacks the named classes, or test images of one.</exception>
    public static IReadOnlyList<int> Rarest(ProbeTask task, RareConditionsPlan plan)
    {
        string name = task.Definition.Name;
        Split split = task.SplitFor(plan.Labels.Suite.Seeds[0]);
        int In(int[] rows, int c) => rows.Count(i => task.Labels[i] == c);
        int[] order = [.. Enumerable.Range(0, task.ClassNames.Length).OrderBy(c => In(split.Train, c))];
        int rare = plan.Rare > 0 ? plan.Rare : (order.Length + 2) / 3;
        if (plan.Named is null) return [.. order.Where(c => In(split.Test, c) > 0).Take(rare)];
        int[] named = [.. order.Where(c => plan.Named.Contains(task.ClassNames[c]))];
        if (named.Length == 0)
            throw new KitException($"Rare classes: task '{name}' has none of {Names.Listed(plan.Named)}; name one of "
                + $"{Names.Listed(task.ClassNames)} as well, or leave the task out.");
        string[] untested = [.. named.Where(c => In(split.Test, c) == 0).Select(c => task.ClassNames[c])];
        return untested.Length == 0 ? named : throw new KitException("Rare classes: no test image of "
            + $"{Names.Listed(untested)} in this run of '{name}', so nothing can be scored; take more test images, or "
            + "name other classes.");
    }

    /// <summary>Runs the plan; reuses features and results for the same inputs, so an interrupted run
    /// continues.</summary>
    /// <exception cref="KitException">A number of the plan or a task cannot be used.</exception>
    public static RareConditionsRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, RareConditionsPlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        SuitePlan all = plan.Labels.Suite;
        IReadOnlyList<ProbeTask> brought = SuiteRun.Bring(settings, tasks, all, progress, cancellation);
        var rows = new List<ClassRows>();
        var curves = new List<LabelCurve>();
        string probed = Path.Combine(settings.CacheDir, "rare-conditions");
        string drawn = Path.Combine(settings.CacheDir, "label-efficiency");
        SuiteRun suite = SuiteRun.Visit(settings, brought, models, all, "probing class by class", v =>
        {
            rows.AddRange(Probe(v.Features, v.Source, v.Task, v.Seed, plan, probed, v.RowOf, cancellation));
            curves.AddRange(FewShot(v.Features, v.Source, v.Task, v.Seed, plan, drawn, v.RowOf, cancellation));
        }, progress, cancellation);
        return new(rows, curves, suite);
    }

    internal static IReadOnlyList<ClassRows> Probe(Tensor features, FeatureSource source, ProbeTask task, int seed,
        RareConditionsPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        ProbingOptions options = plan.Labels.Suite.Probing;
        (rowOf, int[] train, int[] test, string dataHash, _) = Probing.Parts(features, source, task, seed, rowOf);
        LinearProbe linear = options.Probes.OfType<LinearProbe>().FirstOrDefault() ?? new();
        return [.. options.Probes.Select(p => One(p.Name, p)), One(Weighted, linear with { Balanced = true })];

        ClassRows One(string probe, Probe how)
        {
            cancellation.ThrowIfCancellationRequested();
            string key = Probing.Key(source, task, dataHash, seed, probe, how);
            string inFile = probe == Weighted ? "weighted" : probe;
            string? path = folder is null ? null : new Results(folder)
                .PathOf(task.Definition.Name, source.Model, source.Features, inFile, seed, key);
            if (path is not null && Results.TryRead<ClassRows>(path) is { } kept && kept.Key == key) return kept;
            using var scope = NewDisposeScope();
            int classes = task.ClassNames.Length;
            int[] labels = Array.ConvertAll(train, r => task.Labels[r]);
            ProbeOutcome outcome = how.Run(ProbeInput.Rows(features, train, rowOf), labels,
                ProbeInput.Rows(features, test, rowOf), classes, seed);
            double[] Probabilities(int row) =>
                [.. Enumerable.Range(0, classes).Select(c => outcome.Probabilities[row, c])];
            ClassRows rows = new(task.Definition.Name, source.Model, probe, seed, key,
                Stamps.Join([task.Definition.Stamp, source.Stamp]), task.ClassNames,
                ProbeInput.CountClasses(labels, classes), Array.ConvertAll(test, task.UnitOf),
                Array.ConvertAll(test, r => task.Labels[r]), outcome.Predicted,
                [.. Enumerable.Range(0, test.Length).Select(Probabilities)]);
            if (path is not null) Results.Write(path, rows);
            return rows;
        }
    }

    // Fewer images of frequent classes, for quick runs, where ProbeTask.Limit would lose the rare ones. The rarest
    // class keeps fewest images (or all) in each part; others more by the root of their relative frequency.
    internal static ProbeTask Thin(ProbeTask task, int fewest)
    {
        int[] rows = [.. task.ByHash().GroupBy(i => task.IsFrozen(i)).SelectMany(part =>
        {
            IGrouping<int, int>[] classes = [.. part.GroupBy(i => task.Labels[i])];
            double least = Math.Max(fewest, classes.Min(c => c.Count()));
            return classes.SelectMany(c =>
                c.Take((int)Math.Ceiling(fewest * Math.Max(1, Math.Sqrt(c.Count() / least)))));
        }).Order()];
        return task.Only(rows);
    }

    internal static IReadOnlyList<LabelCurve> FewShot(Tensor features, FeatureSource source, ProbeTask task, int seed,
        RareConditionsPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        (string, Func<ClassCounts, double>) Score(string metric, int c) =>
            (ScoreName(metric, task.ClassNames[c]), counts => RareConditionScores.Of(counts, metric, c));
        return LabelEfficiency.Run(features, source, task, seed, plan.Labels, folder, rowOf, cancellation,
            [.. Rarest(task, plan).SelectMany(c => new[] { Score("f1", c), Score("recall", c) })]);
    }

    internal static string ScoreName(string metric, string className) => $"{metric} of {className}";
}
