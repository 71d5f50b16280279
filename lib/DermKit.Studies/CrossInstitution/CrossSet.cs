using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Data;
using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>How two sets are crossed. A mode changes the numbers of <see cref="Suite"/> and nothing else.</summary>
public sealed record CrossSetPlan
{
    /// <summary>Models, seeds, limits, probes and the size that images are brought to; its tasks and their version are of no effect.</summary>
    public SuitePlan Suite { get; init; } = new() { Geometry = (200, 150) };

    /// <summary>Gives both sets as many training images as the smaller one has, so that a drop does not come from their number.</summary>
    public bool EqualTraining { get; init; } = true;

    /// <summary>The numbers of a mode: those of <see cref="SuitePlan.For"/>, in quick mode at most 100 training and 150 test images of each set.</summary>
    public static CrossSetPlan For(RunMode mode) => new()
    {
        Suite = mode == RunMode.Quick ? SuitePlan.For(mode) with { MostTrain = 100, MostTest = 150, Geometry = (200, 150) } : SuitePlan.For(mode) with { Geometry = (200, 150) },
    };
}

/// <summary>Test rows of one set, scored by a probe that was trained on the same set or on the other.</summary>
/// <param name="Train">Set that the probe was trained on.</param>
/// <param name="Test">Set of the test rows.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Seed">Of weights and probe.</param>
/// <param name="Stamp">That of both sets' tasks and of the model.</param>
/// <param name="TrainImages">Training images.</param>
/// <param name="Ids">Id of each test row.</param>
/// <param name="Units">Lesion, patient or image of each test row.</param>
/// <param name="Truth">1 for the positive class.</param>
/// <param name="Predicted">1 where the probe says positive.</param>
/// <param name="Scores">Probability of the positive class.</param>
public sealed record CrossRows(string Train, string Test, string Model, string Probe, int Seed, string Stamp, int TrainImages, string[] Ids, string[] Units, int[] Truth, int[] Predicted, double[] Scores);

/// <summary>Both sets crossed.</summary>
/// <param name="Rows">For each training set, test set, model, probe and seed.</param>
/// <param name="Suite">Tasks, extraction and unreadable images behind them; it holds no results.</param>
public sealed record CrossSetRun(IReadOnlyList<CrossRows> Rows, SuiteRun Suite);

/// <summary>Trains a probe on one set and tests it on another with the same two classes, beside training and testing within one.</summary>
public static class CrossSet
{
    /// <summary>
    /// Melanoma against the rest in ISIC-2017 and in HAM10000 where both are here; else the drawn set's dermoscopic against its clinical images, malignant against the rest.
    /// Each keeps its own frozen test part. The definitions are named after the sets.
    /// </summary>
    /// <exception cref="KitException">A set is here and not what its manifest says.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, CrossSetPlan plan)
    {
        TaskDefinition isic = suite["isic2017-melanoma"] with { Name = Isic2017.Name }, ham = suite["ham10000-diagnosis"];
        // The seven classes of HAM10000 with all but one as the rest.
        ham = ham with
        {
            Name = Ham10000.Name,
            Title = "HAM10000: melanoma against the rest",
            Classes = new() { ["other"] = [.. ham.Classes.Values.SelectMany(v => v).Where(v => v != "mel")], ["melanoma"] = ["mel"] },
            ClassCount = 2,
            Positive = "melanoma",
            Paper = null,
        };
        ProbeTask[] both;
        if (TaskSuite.Missing(isic, settings) is null && TaskSuite.Missing(ham, settings) is null)
            both = [TaskSuite.Open(isic, settings), TaskSuite.Open(ham, settings)];
        else
        {
            TaskDefinition drawn = suite["synthetic-malignancy"];
            both = [.. new[] { "dermoscopic", "clinical" }.Select(modality =>
            {
                ProbeTask all = TaskSuite.Open(drawn with { Name = $"synthetic, {modality}" }, settings);
                string?[] modalities = all.Table.Column("modality");
                return all.Only([.. Enumerable.Range(0, all.Table.Count).Where(i => modalities[i] == modality)]);
            })];
        }
        both = [.. both.Select(t => SuiteRun.Limit(t, plan.Suite))];
        int train = both.Min(t => t.SplitFor(1).Train.Length);
        return plan.EqualTraining ? [.. both.Select(t => t.Limit(train, int.MaxValue))] : both;
    }

    /// <summary>
    /// Ids of the test images of either set that are the same photograph as a training image of either set (<see cref="Leakage.Find"/>): one within
    /// makes the score within too good and the drop too large, one across makes the score across too good and the drop too small.
    /// </summary>
    /// <param name="tasks">From <see cref="Open"/>, with frozen test parts, the same for every seed.</param>
    /// <param name="cancellation">Stops between images.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlySet<string> Copies(IReadOnlyList<ProbeTask> tasks, CancellationToken cancellation = default)
    {
        (string Id, string Path)[] Part(Func<Split, int[]> part) => [.. tasks.SelectMany(t => part(t.SplitFor(1)).Select(i => (t.Table.Ids[i], t.Table.Paths[i])))];
        var test = Part(s => s.Test);
        return Leakage.Find([.. test.Select(t => t.Path)], [.. Part(s => s.Train).Select(t => t.Path)], cancellation: cancellation).Select(p => test[p.First].Id).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Extracts the features of both sets and scores both test parts with probes trained on either set.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">The two, from <see cref="Open"/>.</param>
    /// <param name="models">From <see cref="SuiteRun.Choose"/>.</param>
    /// <param name="plan">How.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and probes.</param>
    /// <exception cref="KitException">There are not two tasks, they differ in their classes, an image is in training of one and in test of the other, or a part is not usable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static CrossSetRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, CrossSetPlan plan,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        Check(tasks);
        IReadOnlyList<ProbeTask> brought = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        Device device = settings.TorchDevice();
        var rows = new List<CrossRows>();
        int[]? firstRows = null;
        (var extractions, var quarantine) = SuiteRun.Visit(settings, brought, models, plan.Suite, (features, model, task, seed, rowOf) =>
        {
            // Both sets' images are in one feature set: the first visit notes its rows, the second runs.
            if (task == brought[0])
            {
                firstRows = rowOf;
                return;
            }
            using Tensor values = features.ToTensor(device);
            rows.AddRange(Run(values, FeatureSource.Of(features, model), brought, [firstRows!, rowOf], seed, plan.Suite.Probing, cancellation));
        }, progress, cancellation);
        return new(rows, new([], brought, extractions, quarantine));
    }

    /// <summary>Each test part scored by probes trained on each set.</summary>
    /// <param name="features">[n, D] of both sets.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="tasks">The two sets.</param>
    /// <param name="rowOf">For each set: feature row of each row of its table, -1 where the image could not be read.</param>
    /// <param name="seed">Of the kNN probe's validation part.</param>
    /// <param name="options">The probes.</param>
    /// <param name="cancellation">Stops between probes.</param>
    public static IReadOnlyList<CrossRows> Run(Tensor features, FeatureSource source, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<int[]> rowOf, int seed, ProbingOptions options, CancellationToken cancellation = default)
    {
        Check(tasks);
        Probing.CheckProbes(options.Probes);
        var rows = new List<CrossRows>();
        int[] Part(int set, Func<Split, int[]> part) => [.. part(tasks[set].SplitFor(seed)).Where(r => rowOf[set][r] >= 0)];
        foreach (string probe in options.Probes)
            for (int from = 0; from < 2; from++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                int[] train = Part(from, s => s.Train), labels = Array.ConvertAll(train, r => tasks[from].Labels[r]);
                int[][] test = [Part(0, s => s.Test), Part(1, s => s.Test)];
                Tensor fit = ProbeInput.Rows(features, train, rowOf[from]), held = cat([ProbeInput.Rows(features, test[0], rowOf[0]), ProbeInput.Rows(features, test[1], rowOf[1])], 0);
                ProbeOutcome outcome = probe == "knn" ? KnnProbe.Run(fit, labels, held, 2, seed, options.Knn) : LinearProbe.Run(fit, labels, held, 2, options.Linear);
                for (int to = 0; to < 2; to++)
                {
                    ProbeTask task = tasks[to];
                    int start = to == 0 ? 0 : test[0].Length;
                    string stamp = Stamps.Join([tasks[from].Definition.Stamp, task.Definition.Stamp, source.Stamp]);
                    rows.Add(new(tasks[from].Definition.Name, task.Definition.Name, source.Model, probe, seed, stamp,
                        train.Length,
                        [.. test[to].Select(r => task.Table.Ids[r])], [.. test[to].Select(r => task.UnitOf(r))], [.. test[to].Select(r => task.Labels[r])],
                        outcome.Predicted[start..(start + test[to].Length)], [.. Enumerable.Range(start, test[to].Length).Select(i => outcome.Probabilities[i, 1])]));
                }
            }
        return rows;
    }

    private static void Check(IReadOnlyList<ProbeTask> tasks)
    {
        if (tasks.Count != 2) throw new KitException($"Crossing sets: expected two tasks, found {tasks.Count}.");
        if (tasks.Any(t => t.ClassNames.Length != 2) || !tasks[0].ClassNames.SequenceEqual(tasks[1].ClassNames))
            throw new KitException($"Crossing sets: expected the same two classes, found {string.Join(" and ", tasks.Select(t => Names.Listed(t.ClassNames)))}.");
        foreach ((ProbeTask a, ProbeTask b) in new[] { (tasks[0], tasks[1]), (tasks[1], tasks[0]) })
            if (a.SplitFor(1).Train.Select(i => a.Table.Ids[i]).Intersect(b.SplitFor(1).Test.Select(i => b.Table.Ids[i])).FirstOrDefault() is { } both)
                throw new KitException($"Crossing sets: image '{both}' is a training image of {a.Definition.Name} and a test image of {b.Definition.Name}; leave it out of one.");
    }
}
