using DermKit.Data;
using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Test rows of one set, scored by a probe trained on the same or the other set. Truth and predictions are 1
/// for the positive class, scores its probability.</summary>
public sealed record CrossRows(string Train, string Test, string Model, string Probe, int Seed, string Stamp,
    int TrainImages, string[] Ids, string[] Units, int[] Truth, int[] Predicted, double[] Scores);

/// <summary>Rows for each training set, test set, model, probe and seed.</summary>
public sealed record CrossSetRun(IReadOnlyList<CrossRows> Rows, SuiteRun Suite);

/// <summary>Probes trained on one set and tested on another with the same two classes, and within each set.</summary>
public static class CrossSet
{
    /// <summary>Opens melanoma against the rest in ISIC-2017 and HAM10000 if both are here, else malignant against the
    /// rest in the drawn set's dermoscopic and clinical images. Tasks have the sets' names and frozen tests.</summary>
    /// <exception cref="KitException">A set differs from its manifest.</exception>
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, CrossSetPlan plan)
    {
        TaskDefinition isic = suite["isic2017-melanoma"] with { Name = Isic2017.Name };
        TaskDefinition ham = suite["ham10000-diagnosis"];
        // All but one of HAM10000's seven classes become the rest.
        ham = ham with
        {
            Name = Ham10000.Name,
            Title = "HAM10000: melanoma against the rest",
            Classes = new()
            {
                ["other"] = [.. ham.Classes.Values.SelectMany(v => v).Where(v => v != "mel")],
                ["melanoma"] = ["mel"],
            },
            ClassCount = 2,
            Positive = "melanoma",
            Paper = null,
        };
        bool real = TaskSuite.Missing(isic, settings) is null && TaskSuite.Missing(ham, settings) is null;
        IEnumerable<ProbeTask> both = real ? [TaskSuite.Open(isic, settings), TaskSuite.Open(ham, settings)]
            : [Drawn("dermoscopic"), Drawn("clinical")];
        ProbeTask[] limited = [.. both.Select(t => SuiteRun.Limit(t, plan.Suite))];
        int train = limited.Min(t => t.SplitFor(1).Train.Length);
        return plan.EqualTraining ? [.. limited.Select(t => t.Limit(train, int.MaxValue))] : limited;

        ProbeTask Drawn(string modality)
        {
            TaskDefinition drawn = suite["synthetic-malignancy"] with { Name = $"synthetic, {modality}" };
            ProbeTask all = TaskSuite.Open(drawn, settings);
            string?[] modalities = all.Table.Column("modality");
            return all.Only([.. Enumerable.Range(0, all.Table.Count).Where(i => modalities[i] == modality)]);
        }
    }

    /// <summary>Ids of test images that show the same photograph as a training image (<see cref="Leakage.Find"/>). A
    /// copy in the same set makes the drop too large, one in the other set too small.</summary>
    public static IReadOnlySet<string> Copies(IReadOnlyList<ProbeTask> tasks, CancellationToken cancellation = default)
    {
        (string Id, string Path)[] Part(Func<Split, int[]> part) => [.. tasks.SelectMany(t =>
            part(t.SplitFor(1)).Select(i => (t.Table.Ids[i], t.Table.Paths[i])))];
        var test = Part(s => s.Test);
        string[] train = [.. Part(s => s.Train).Select(t => t.Path)];
        var pairs = Leakage.Find([.. test.Select(t => t.Path)], train, cancellation: cancellation);
        return pairs.Select(p => test[p.First].Id).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Extracts features and scores both test parts with probes trained on either set.</summary>
    /// <exception cref="KitException">Not two tasks, other classes, an image in training and test, or an unusable
    /// part.</exception>
    public static CrossSetRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, CrossSetPlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        Check(tasks);
        IReadOnlyList<ProbeTask> brought = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        var rows = new List<CrossRows>();
        int[]? firstRows = null;
        SuiteRun suite = SuiteRun.Visit(settings, brought, models, plan.Suite, "probing across sets", visit =>
        {
            // One feature set holds both sets' images: the first visit notes its rows, the second runs.
            if (visit.Task == brought[0]) firstRows = visit.RowOf;
            else rows.AddRange(Run(visit.Features, visit.Source, brought, [firstRows!, visit.RowOf], visit.Seed,
                plan.Suite.Probing, cancellation));
        }, progress, cancellation);
        return new(rows, suite);
    }

    internal static IReadOnlyList<CrossRows> Run(Tensor features, FeatureSource source,
        IReadOnlyList<ProbeTask> tasks, IReadOnlyList<int[]> rowOf, int seed, ProbingOptions options,
        CancellationToken cancellation = default)
    {
        Check(tasks);
        var rows = new List<CrossRows>();
        Split[] splits = [.. tasks.Select(t => t.SplitFor(seed))];
        int[] Read(int set, int[] part) => [.. part.Where(r => rowOf[set][r] >= 0)];
        int[][] test = [Read(0, splits[0].Test), Read(1, splits[1].Test)];
        foreach (Probe probe in options.Probes)
            for (int from = 0; from < 2; from++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                int[] train = Read(from, splits[from].Train);
                int[] labels = Array.ConvertAll(train, r => tasks[from].Labels[r]);
                Tensor fit = ProbeInput.Rows(features, train, rowOf[from]);
                Tensor held = cat([.. test.Select((part, set) => ProbeInput.Rows(features, part, rowOf[set]))], 0);
                ProbeOutcome outcome = probe.Run(fit, labels, held, 2, seed);
                for (int to = 0; to < 2; to++)
                {
                    ProbeTask task = tasks[to];
                    int start = to == 0 ? 0 : test[0].Length;
                    IEnumerable<int> own = Enumerable.Range(start, test[to].Length);
                    string stamp = Stamps.Join([tasks[from].Definition.Stamp, task.Definition.Stamp, source.Stamp]);
                    rows.Add(new(tasks[from].Definition.Name, task.Definition.Name, source.Model,
                        probe.Name, seed, stamp,
                        train.Length, Array.ConvertAll(test[to], r => task.Table.Ids[r]),
                        Array.ConvertAll(test[to], task.UnitOf), Array.ConvertAll(test[to], r => task.Labels[r]),
                        [.. own.Select(i => outcome.Predicted[i])], [.. own.Select(i => outcome.Probabilities[i, 1])]));
                }
            }
        return rows;
    }

    private static void Check(IReadOnlyList<ProbeTask> tasks)
    {
        if (tasks.Count != 2) throw new KitException($"Crossing sets: expected two tasks, found {tasks.Count}.");
        if (tasks.Any(t => t.ClassNames.Length != 2) || !tasks[0].ClassNames.SequenceEqual(tasks[1].ClassNames))
            throw new KitException("Crossing sets: expected the same two classes, found "
                + $"{string.Join(" and ", tasks.Select(t => Names.Listed(t.ClassNames)))}.");
        foreach ((ProbeTask a, ProbeTask b) in new[] { (tasks[0], tasks[1]), (tasks[1], tasks[0]) })
        {
            IEnumerable<string> train = a.SplitFor(1).Train.Select(i => a.Table.Ids[i]);
            if (train.Intersect(b.SplitFor(1).Test.Select(i => b.Table.Ids[i])).FirstOrDefault() is { } both)
                throw new KitException($"Crossing sets: image '{both}' is a training image of {a.Definition.Name} and "
                    + $"a test image of {b.Definition.Name}; leave it out of one.");
        }
    }
}
