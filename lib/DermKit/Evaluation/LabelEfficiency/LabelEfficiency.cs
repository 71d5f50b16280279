using DermKit.Data;
using DermKit.Imaging;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Every curve of a plan.</summary>
/// <param name="Curves">One for each task, model, probe and seed.</param>
/// <param name="Suite">Tasks, extraction and unreadable images behind them; it holds no results.</param>
public sealed record LabelRun(IReadOnlyList<LabelCurve> Curves, SuiteRun Suite);

/// <summary>The label-efficiency protocol: the score on a fixed test part over the number of labels of each class that a probe may see.</summary>
public static class LabelEfficiency
{
    /// <summary>Runs the plan. Features and curves that are there already for the same inputs are read, so an interrupted run goes on where it stopped.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="SuiteRun.Open"/>.</param>
    /// <param name="models">From <see cref="SuiteRun.Choose"/>.</param>
    /// <param name="plan">How much.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches and probes; what is finished stays.</param>
    /// <exception cref="KitException">A number of the plan is not usable, or a task cannot be probed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static LabelRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<ModelDefinition> models, LabelPlan plan,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        plan.Check();
        Device device = settings.TorchDevice();
        tasks = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        var curves = new List<LabelCurve>();
        int all = tasks.Count * models.Count * plan.Suite.Seeds.Count;
        (IReadOnlyList<Extraction> extractions, IReadOnlyList<Quarantined> quarantine) = SuiteRun.Visit(settings, tasks, models, plan.Suite, (features, model, task, seed, rowOf) =>
        {
            using Tensor values = features.ToTensor(device);
            curves.AddRange(Run(values, FeatureSource.Of(features, model), task, seed, plan, Path.Combine(settings.CacheDir, "label-efficiency"), rowOf, cancellation));
            progress?.Invoke("drawing labels", curves.Count / plan.Suite.Probing.Probes.Length, all);
        }, progress, cancellation);
        return new(curves, new([], tasks, extractions, quarantine));
    }

    /// <summary>One curve for each probe of the plan and each score. A curve that the folder holds for the same inputs is read, not made again.</summary>
    /// <param name="features">[n, D] on the device to work on.</param>
    /// <param name="source">What made the features.</param>
    /// <param name="task">Labels, classes and split.</param>
    /// <param name="seed">Of the split and of the draws.</param>
    /// <param name="plan">Sizes, repeats and probes; its tasks, models and seeds are of no effect here.</param>
    /// <param name="folder">Where curves are kept, as &lt;task&gt;/&lt;model&gt;.&lt;features&gt;.&lt;probe&gt;.&lt;seed&gt;.&lt;head of the key&gt;.json; null keeps none.</param>
    /// <param name="rowOf">Feature row of each row of the task's table, -1 where the image could not be read; null: the same rows.</param>
    /// <param name="cancellation">Stops between draws.</param>
    /// <param name="scores">Names and scores of the test calls, all of the same draws; the paper's F1 when null.</param>
    /// <exception cref="KitException">A number of the plan is not usable, features do not fit the table, or a class has no training image.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; finished curves stay.</exception>
    public static IReadOnlyList<LabelCurve> Run(Tensor features, FeatureSource source, ProbeTask task, int seed, LabelPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default, IReadOnlyList<(string Name, Func<ClassCounts, double> Of)>? scores = null)
    {
        plan.Check();
        (rowOf, int[] train, int[] test, string dataHash, string unread) = Probing.Parts(features, source, task, seed, rowOf);
        TaskDefinition definition = task.Definition;
        int classes = task.ClassNames.Length;
        int[] labels = Array.ConvertAll(train, r => task.Labels[r]), truth = Array.ConvertAll(test, r => task.Labels[r]);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        if (Array.IndexOf(counts, 0) is var empty and >= 0)
            throw new KitException($"Task '{definition.Name}', seed {seed}: class '{task.ClassNames[empty]}' has no training image to draw; take more training images, or leave the class out of the task.");
        scores ??= [("", c => c.PaperF1())];
        var curves = new List<LabelCurve>();
        foreach (string probe in plan.Suite.Probing.Probes)
        {
            string[] keys = [.. scores.Select(s => Probing.Key(source, task, dataHash, seed, probe, probe == "knn" ? plan.Suite.Probing.Knn : plan.Suite.Probing.Linear,
                [string.Join(',', plan.Sizes), $"{plan.Repeats}", $"{plan.Suite.Probing.Resamples}", .. s.Name.Length == 0 ? Array.Empty<string>() : [s.Name]]))];
            string?[] paths = [.. keys.Select(key => folder is null ? null : new Results(folder).PathOf(definition.Name, source.Model, source.Features, probe, seed, key))];
            LabelCurve?[] made = [.. paths.Select(path => path is null ? null : Results.TryRead<LabelCurve>(path))];
            if (made.Zip(keys).Any(m => m.First?.Key != m.Second))
            {
                var clock = Stopwatch.StartNew();
                using var scope = NewDisposeScope();
                LabelDraw[] draws = [.. Enumerable.Range(0, plan.Repeats).SelectMany(r => LabelDraws.Draw(labels, classes, plan.Sizes, seed, r))];
                if (draws.Length == 0)
                    throw new KitException($"Task '{definition.Name}', seed {seed}: the smallest class has {counts.Min()} training images, fewer than the smallest size to draw ({plan.Sizes[0]}); name smaller sizes, or take more training images.");
                Tensor fit = ProbeInput.Rows(features, train, rowOf), held = ProbeInput.Rows(features, test, rowOf);
                LabelDraw[] open = [];
                (int[] Predicted, int K)[] calls;
                if (probe == "knn") calls = SubsetKnn.Predict(fit, labels, held, classes, draws, plan.Suite.Probing.Knn, cancellation);
                else
                {
                    (int[][] predicted, open) = SubsetLinear.Predict(fit, labels, held, classes, draws, plan.Suite.Probing.Linear, cancellation);
                    calls = [.. predicted.Select(p => (p, 0))];
                }
                ILookup<int, (int[] Predicted, int K)> bySize = draws.Zip(calls).ToLookup(p => p.First.PerClass, p => p.Second);
                int[] sizes = [.. bySize.Select(g => g.Key).Order()];
                string[] unitOf = Array.ConvertAll(test, task.UnitOf);
                string set = string.Join(" + ", definition.DataSets.Keys);
                ushort[][] units = DrawUnits(set, unitOf, plan.Suite.Probing.Resamples);
                // Calls are counted once for all scores.
                double[][] Scored(int size, ushort[] weights) => [.. bySize[size].Select(s => ClassCounts.Of(truth, s.Predicted, classes, weights)).Select(c => scores.Select(s => s.Of(c)).ToArray())];
                double[][][] plain = [.. sizes.Select(n => Scored(n, []))], resampled = [.. sizes.Select(n =>
                {
                    double[][] means = new double[units.Length][];
                    Parallel.For(0, units.Length, r =>
                    {
                        double[][] each = Scored(n, units[r]);
                        means[r] = [.. scores.Select((_, s) => each.Average(v => v[s]))];
                    });
                    return means;
                })];
                made = [.. scores.Select((score, s) => new LabelCurve(definition.Name, definition.Version, source.Model, source.Features, probe, seed, keys[s], source.WeightsHash, dataHash, source.HasSeen(definition), definition.InMeans,
                    Stamps.Join([definition.Stamp, source.Stamp]), classes, train.Length, test.Length, sizes, [.. plain.Select(v => v.Select(x => x[s]).ToArray())], [.. resampled.Select(v => v.Select(x => x[s]).ToArray())], Probing.Kit, clock.Elapsed.TotalSeconds,
                    probe == "knn" ? [.. sizes.Select(n => bySize[n].Select(c => c.K).ToArray())] : null, $"{Unconverged(open, draws.Length)} {unread}".Trim(), score.Name))];
                foreach ((string? path, LabelCurve? curve) in paths.Zip(made))
                    if (path is not null) Results.Write(path, curve!);
            }
            curves.AddRange(made!);
        }
        return curves;
    }

    /// <summary>
    /// How often each test row counts in each resample, [resample][row]. Each unit draws its number from the Poisson
    /// distribution with mean 1 (the Poisson bootstrap: Hanley and MacGibbon, Comput. Methods Programs Biomed. 83,
    /// 2006), by a stream of its own that depends on the data set and the unit's name alone. So a patient counts as
    /// often in every task, split, seed and model of a data set, and their differences are paired, while units of
    /// different data sets are independent.
    /// </summary>
    /// <param name="dataSet">Names of the data sets of the task.</param>
    /// <param name="units">Unit of each row.</param>
    /// <param name="resamples">Number of resamples.</param>
    internal static ushort[][] DrawUnits(string dataSet, IReadOnlyList<string> units, int resamples)
    {
        // Shares of the Poisson distribution with mean 1 up to 0, 1, 2, ...; beyond 12 lie fewer than one in 10^10.
        double[] upTo = new double[13];
        double share = Math.Exp(-1);
        for (int n = 0; n < upTo.Length; n++)
        {
            upTo[n] = share + (n > 0 ? upTo[n - 1] : 0);
            share /= n + 1;
        }
        ushort[][] draws = [.. Enumerable.Range(0, resamples).Select(_ => new ushort[units.Count])];
        foreach (var unit in Enumerable.Range(0, units.Count).GroupBy(i => units[i], StringComparer.Ordinal))
        {
            int[] rows = [.. unit];
            byte[] name = SHA256.HashData(Encoding.UTF8.GetBytes($"{dataSet}\n{unit.Key}"));
            var random = new SplitMix64(BinaryPrimitives.ReadUInt64LittleEndian(name));
            foreach (ushort[] draw in draws)
            {
                double value = (random.Next() >> 11) * Math.Pow(2, -53);
                ushort times = (ushort)upTo.Count(u => u <= value);
                foreach (int row in rows) draw[row] = times;
            }
        }
        return draws;
    }

    private static string Unconverged(LabelDraw[] open, int all) => open.Length == 0 ? ""
        : $"{open.Length} of {all} regressions did not converge, and their scores are lower bounds: {Names.Listed(open.Select(d => $"n = {d.PerClass} draw {d.Repeat + 1}"), 5)}.";
}
