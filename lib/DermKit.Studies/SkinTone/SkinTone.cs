using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Predictions of a model, probe and seed for a task's images of known skin type. Part is
/// <see cref="SkinTone.HeldOut"/> or <see cref="SkinTone.AllTyped"/>.</summary>
public sealed record TypedRows(TestRows Rows, string[] Types, string[] ClassNames, string Part, string Model,
    string Probe, int Seed, string Stamp)
{
    internal TestRows Within(Func<string, bool> isIn) => Rows.Where(i => isIn(Types[i]));
}

/// <summary>Predictions by skin type.</summary>
public sealed record SkinToneRun(IReadOnlyList<TypedRows> Rows, SuiteRun Suite);

/// <summary>Probes by skin type. Few test images have a known type, so tasks are scored twice: on held-out test images,
/// and on all images of known type, training images out of fold without their patient; frozen tests are never trained
/// on.</summary>
public static class SkinTone
{
    /// <summary>The held-out test images.</summary>
    public const string HeldOut = "held-out test";

    /// <summary>Held-out test and out-of-fold training images; all out of fold if seeds draw the split.</summary>
    public const string AllTyped = "all, out of fold";

    /// <summary>Opens the plan's tasks, else available real ones with skin types, else two of the drawn set.</summary>
    /// <exception cref="KitException">A named task has no skin types, or as <see cref="SuiteRun.Open"/>.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, SkinTonePlan plan)
    {
        TaskDefinition[] typed = [.. suite.Tasks.Where(t => SkinTypes.ColumnOf(t) is not null)];
        if (plan.Suite.Tasks?.FirstOrDefault(name => SkinTypes.ColumnOf(suite[name]) is null) is { } without)
            throw new KitException($"Task '{without}' names no column of skin types among its groups "
                + $"({Names.Listed(suite[without].Groups)}); take one of {Names.Listed(typed.Select(t => t.Name))}.");
        IEnumerable<string> real = typed.Where(t => t.Stamp.Length == 0).Select(t => t.Name);
        return StudyPlans.Open(settings, suite, plan.Suite, real, "synthetic-diagnosis", "synthetic-malignancy");
    }

    /// <summary>Runs the plan; reuses stored features and results. Progress gets (what, done, all).</summary>
    /// <exception cref="KitException">A task cannot be probed, or has no image with a skin type.</exception>
    public static SkinToneRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SkinTonePlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        var folder = new Results(Path.Combine(settings.CacheDir, "results"));
        tasks = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        var rows = new List<TypedRows>();
        SuiteRun suite = SuiteRun.Visit(settings, tasks, models, plan.Suite, "probing by skin type", visit =>
            rows.AddRange(Run(visit.Features, visit.Source, visit.Task, visit.Seed, plan, folder, visit.RowOf,
                cancellation)), progress, cancellation);
        return new(rows, suite);
    }

    internal static IReadOnlyList<TypedRows> Run(Tensor features, FeatureSource source, ProbeTask task, int seed,
        SkinTonePlan plan, Results? folder = null, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        string name = task.Definition.Name;
        string column = SkinTypes.ColumnOf(task.Definition)
            ?? throw new KitException($"Task '{name}' names no column of skin types among its groups.");
        rowOf ??= [.. Enumerable.Range(0, task.Table.Count)];
        var typeOf = task.Table.Ids.Zip(task.Table.Column(column))
            .ToDictionary(p => p.First, p => SkinTypes.Type(p.Second), StringComparer.Ordinal);
        ProbingOptions probing = plan.Suite.Probing;
        bool frozen = task.Definition.Split == SplitKind.Frozen;
        TaskResult[] held = [];
        int[] open = [.. Enumerable.Range(0, task.Table.Count)];
        if (frozen)
        {
            held = [.. Probing.Run(features, source, task, seed, probing, folder, rowOf)];
            open = task.SplitFor(seed).Train;
        }
        string[] units = Array.ConvertAll(open, task.UnitOf);
        int[] fold = CrossFolds.Assign(units, Array.ConvertAll(open, i => task.Labels[i]), plan.Folds, seed);
        int[] openRowOf = Array.ConvertAll(open, i => rowOf[i]);
        var outOfFold = new List<TaskResult>();
        for (int f = 0; f < plan.Folds; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            ProbeTask part = task.Only(open).Held([.. fold.Select(n => n == f)]);
            ProbingOptions without = probing with { Resamples = 0 };
            outOfFold.AddRange(Probing.Run(features, source, part, seed, without, folder, openRowOf));
        }
        var made = new List<TypedRows>();
        foreach (string probe in probing.Probes.Select(p => p.Name))
        {
            TaskResult[] tested = [.. held.Where(r => r.Probe == probe)];
            if (frozen) made.Add(Typed(HeldOut, tested));
            made.Add(Typed(AllTyped, [.. tested, .. outOfFold.Where(r => r.Probe == probe)]));
        }
        return made;

        TypedRows Typed(string part, TaskResult[] results)
        {
            var rows = results.SelectMany(r => Enumerable.Range(0, r.Ids.Length).Select(i =>
                (Type: typeOf[r.Ids[i]], Unit: r.Units[i], Truth: r.Truth[i], Predicted: r.Predicted[i])));
            var typed = rows.Where(r => r.Type is not null).ToArray();
            if (typed.Length == 0)
                throw new KitException($"Task '{name}': none of its {part} images has a value in column '{column}'; "
                    + "there is nothing to report by skin type.");
            TestRows test = new(name, results[0].DataSet, task.ClassNames.Length, [.. typed.Select(r => r.Unit)],
                [.. typed.Select(r => r.Truth)], [.. typed.Select(r => r.Predicted)]);
            return new(test, [.. typed.Select(r => r.Type!)], task.ClassNames, part, source.Model, results[0].Probe,
                seed, results[0].BothStamps);
        }
    }
}
