using DermKit.Reporting;
using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>How skin types are reported. A mode changes the numbers of <see cref="Suite"/> and nothing else.</summary>
public sealed record SkinTonePlan
{
    /// <summary>Tasks, models, seeds, limits and probes; without named tasks all whose data has skin types.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Folds over the training images.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Units below which a type or group is counted and not scored.</summary>
    public int FewestUnits { get; init; } = 10;

    /// <summary>The numbers of a mode: those of <see cref="SuitePlan.For"/>, in quick mode at most 240 training and 160 test images.</summary>
    public static SkinTonePlan For(RunMode mode) => new()
    {
        Suite = mode == RunMode.Quick ? SuitePlan.For(mode) with { MostTrain = 240, MostTest = 160 } : SuitePlan.For(mode),
    };
}

/// <summary>Predictions for the images of one task whose skin type is known, by one model, probe and seed.</summary>
/// <param name="Rows">Units, truth and predictions.</param>
/// <param name="Types">Type of each row (<see cref="SkinTypes.Type"/>).</param>
/// <param name="ClassNames">Names of the classes.</param>
/// <param name="Part"><see cref="SkinTone.HeldOut"/> or <see cref="SkinTone.AllTyped"/>.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Seed">Seed of weights, folds and probe.</param>
/// <param name="Stamp">That of task and model.</param>
public sealed record TypedRows(TestRows Rows, string[] Types, string[] ClassNames, string Part, string Model, string Probe, int Seed, string Stamp);

/// <summary>Scores by skin type.</summary>
/// <param name="Rows">For each task, part, model, probe and seed.</param>
/// <param name="Suite">Tasks, extraction and unreadable images behind them; it holds no results.</param>
public sealed record SkinToneRun(IReadOnlyList<TypedRows> Rows, SuiteRun Suite);

/// <summary>
/// Probes by skin type. Few test images have a known type, so each task is scored twice: on its held-out test images, and on all images of known type,
/// where training images are predicted out of fold by probes that have not seen their patient. Nothing is trained on a frozen test image.
/// </summary>
public static class SkinTone
{
    /// <summary>The held-out test images.</summary>
    public const string HeldOut = "held-out test";

    /// <summary>Held-out test images and out-of-fold training images together; where a seed draws the split, all images out of fold.</summary>
    public const string AllTyped = "all, out of fold";

    /// <summary>Opens the tasks that can be reported: those that the plan names, else the real ones whose data is here and whose group columns hold a skin type, else two on the drawn set.</summary>
    /// <exception cref="KitException">A named task has no skin types, or as <see cref="SuiteRun.Open"/>.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, SkinTonePlan plan)
    {
        if (plan.Suite.Tasks?.FirstOrDefault(name => SkinTypes.ColumnOf(suite[name]) is null) is { } without)
            throw new KitException($"Task '{without}' names no column of skin types among its groups ({Names.Listed(suite[without].Groups)}); take one of {Names.Listed(suite.Tasks.Where(t => SkinTypes.ColumnOf(t) is not null).Select(t => t.Name))}.");
        string[] real = [.. TaskSuite.Wholes([.. suite.Tasks.Where(t => t.Stamp.Length == 0 && SkinTypes.ColumnOf(t) is not null && TaskSuite.Missing(t, settings) is null)]).Select(t => t.Name)];
        return SuiteRun.Open(settings, suite, plan.Suite with { Tasks = plan.Suite.Tasks ?? (real.Length > 0 ? real : ["synthetic-diagnosis", "synthetic-malignancy"]) });
    }

    /// <summary>Runs the plan; features and results that are there already for the same inputs are read.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="Open"/>.</param>
    /// <param name="models">From <see cref="SuiteRun.Choose"/>.</param>
    /// <param name="plan">How much.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and probes.</param>
    /// <exception cref="KitException">A task cannot be probed, or none of its images has a skin type.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static SkinToneRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, SkinTonePlan plan,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        var folder = new Results(Path.Combine(settings.CacheDir, "results"));
        tasks = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        var rows = new List<TypedRows>();
        int done = 0, all = tasks.Count * models.Count * plan.Suite.Seeds.Count;
        (var extractions, var quarantine) = SuiteRun.Visit(settings, tasks, models, plan.Suite, (features, model, task, seed, rowOf) =>
        {
            using Tensor values = features.ToTensor(device);
            rows.AddRange(Run(values, FeatureSource.Of(features, model), task, seed, plan, folder, rowOf, cancellation));
            progress?.Invoke("probing by skin type", ++done, all);
        }, progress, cancellation);
        return new(rows, new([], tasks, extractions, quarantine));
    }

    /// <summary>Both parts of one task, model and seed, for each probe.</summary>
    /// <param name="features">[n, D] on the device to work on.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="task">A task with a column of skin types.</param>
    /// <param name="seed">Of split, folds and probe.</param>
    /// <param name="plan">Folds and probes.</param>
    /// <param name="folder">Where results are kept; null keeps none.</param>
    /// <param name="rowOf">Feature row of each row of the table, -1 where the image could not be read; null: the same rows.</param>
    /// <param name="cancellation">Stops between folds.</param>
    /// <exception cref="KitException">No image has a skin type, or the task cannot be probed.</exception>
    public static IReadOnlyList<TypedRows> Run(Tensor features, FeatureSource source, ProbeTask task, int seed, SkinTonePlan plan, Results? folder = null, int[]? rowOf = null, CancellationToken cancellation = default)
    {
        string column = SkinTypes.ColumnOf(task.Definition) ?? throw new KitException($"Task '{task.Definition.Name}' names no column of skin types among its groups.");
        rowOf ??= [.. Enumerable.Range(0, task.Table.Count)];
        var typeOf = task.Table.Ids.Zip(task.Table.Column(column)).ToDictionary(p => p.First, p => SkinTypes.Type(p.Second), StringComparer.Ordinal);
        bool frozen = task.Definition.Split == SplitKind.Frozen;
        TaskResult[] held = frozen ? [.. Probing.Run(features, source, task, seed, plan.Suite.Probing, folder, rowOf)] : [];
        int[] open = frozen ? task.SplitFor(seed).Train : [.. Enumerable.Range(0, task.Table.Count)];
        int[] fold = CrossFolds.Assign([.. open.Select(i => task.UnitOf(i))], [.. open.Select(i => task.Labels[i])], plan.Folds, seed);
        var outOfFold = new List<TaskResult>();
        for (int f = 0; f < plan.Folds; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            ProbeTask part = task.Only(open).Held([.. fold.Select(n => n == f)]);
            outOfFold.AddRange(Probing.Run(features, source, part, seed, plan.Suite.Probing with { Resamples = 0 }, folder, [.. open.Select(i => rowOf[i])]));
        }
        return [.. plan.Suite.Probing.Probes.SelectMany(probe => (frozen ? new[] { HeldOut, AllTyped } : [AllTyped]).Select(part =>
            Typed(part, [.. held.Concat(part == HeldOut ? [] : outOfFold).Where(r => r.Probe == probe)])))];

        TypedRows Typed(string part, TaskResult[] results)
        {
            var typed = results.SelectMany(r => Enumerable.Range(0, r.Ids.Length).Select(i => (Type: typeOf[r.Ids[i]], Unit: r.Units[i], Truth: r.Truth[i], Predicted: r.Predicted[i])))
                .Where(r => r.Type is not null).ToArray();
            if (typed.Length == 0) throw new KitException($"Task '{task.Definition.Name}': none of its {part} images has a value in column '{column}'; there is nothing to report by skin type.");
            TestRows rows = new(task.Definition.Name, results[0].DataSet, task.ClassNames.Length, [.. typed.Select(r => r.Unit)], [.. typed.Select(r => r.Truth)], [.. typed.Select(r => r.Predicted)]);
            return new(rows, [.. typed.Select(r => r.Type!)], task.ClassNames, part, source.Model, results[0].Probe, seed, results[0].BothStamps);
        }
    }
}
