using DermKit.Data;
using DermKit.Imaging;
using System.Buffers.Binary;
using System.Diagnostics;

namespace DermKit.Evaluation;

/// <summary>A curve for each task, model, probe and seed, and the run's tasks, extractions and unreadable
/// images.</summary>
public sealed record LabelRun(IReadOnlyList<LabelCurve> Curves, SuiteRun Suite);

/// <summary>Label efficiency: the score on a fixed test part over the labels of each class that a probe may
/// use.</summary>
public static class LabelEfficiency
{
    /// <summary>Runs the plan as <see cref="SuiteRun.Run"/>; finished curves stay when cancelled.</summary>
    /// <inheritdoc cref="SuiteRun.Run"/>
    public static LabelRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, LabelPlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        plan.Check();
        string folder = Path.Combine(settings.CacheDir, "label-efficiency");
        tasks = SuiteRun.Bring(settings, tasks, plan.Suite, progress, cancellation);
        var curves = new List<LabelCurve>();
        SuiteRun suite = SuiteRun.Visit(settings, tasks, models, plan.Suite, "drawing labels", v => curves.AddRange(
            Run(v.Features, v.Source, v.Task, v.Seed, plan, folder, v.RowOf, cancellation)), progress, cancellation);
        return new(curves, suite);
    }

    // One curve for each probe and score (null: the paper's F1); a stored one for the same inputs is read. Of the plan,
    // tasks, models and seeds have no effect; other arguments as for Probing.Run.
    internal static IReadOnlyList<LabelCurve> Run(Tensor features, FeatureSource source, ProbeTask task, int seed,
        LabelPlan plan, string? folder = null, int[]? rowOf = null, CancellationToken cancellation = default,
        IReadOnlyList<(string Name, Func<ClassCounts, double> Of)>? scores = null)
    {
        plan.Check();
        (rowOf, int[] train, int[] test, string dataHash, string unread) =
            Probing.Parts(features, source, task, seed, rowOf);
        TaskDefinition definition = task.Definition;
        string where = $"Task '{definition.Name}', seed {seed}";
        int classes = task.ClassNames.Length, resamples = plan.Suite.Probing.Resamples;
        int[] labels = Array.ConvertAll(train, r => task.Labels[r]),
            truth = Array.ConvertAll(test, r => task.Labels[r]);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        if (Array.IndexOf(counts, 0) is var empty and >= 0)
            throw new KitException($"{where}: class '{task.ClassNames[empty]}' has no training image to draw; take "
                + "more training images, or leave the class out of the task.");
        scores ??= [("", c => c.PaperF1())];
        var curves = new List<LabelCurve>();
        foreach (Probe probe in plan.Suite.Probing.Probes)
        {
            string[] settings = [string.Join(',', plan.Sizes), $"{plan.Repeats}", $"{resamples}"];
            string[] keys = [.. scores.Select(s => Probing.Key(source, task, dataHash, seed, probe.Name, probe,
                s.Name.Length == 0 ? settings : [.. settings, s.Name]))];
            string?[] paths = Array.ConvertAll(keys, key => folder is null ? null
                : new Results(folder).PathOf(definition.Name, source.Model, source.Features, probe.Name, seed, key));
            LabelCurve?[] known = Array.ConvertAll(paths, p => p is null ? null : Results.TryRead<LabelCurve>(p));
            if (known.Zip(keys).All(k => k.First?.Key == k.Second))
            {
                curves.AddRange(known!);
                continue;
            }
            var clock = Stopwatch.StartNew();
            using var scope = NewDisposeScope();
            LabelDraw[] draws = [.. Enumerable.Range(0, plan.Repeats)
                .SelectMany(r => LabelDraws.Draw(labels, classes, plan.Sizes, seed, r))];
            if (draws.Length == 0)
                throw new KitException($"{where}: the smallest class has {counts.Min()} training images, fewer than "
                    + $"the smallest size to draw ({plan.Sizes[0]}); name smaller ones, or take more training images.");
            IReadOnlyList<DrawOutcome> outcomes = probe.RunDraws(ProbeInput.Rows(features, train, rowOf), labels,
                ProbeInput.Rows(features, test, rowOf), classes, draws, cancellation);
            int[] sizes = [.. draws.Select(d => d.PerClass).Distinct().Order()];
            var bySize = draws.Zip(outcomes).ToLookup(p => p.First.PerClass, p => p.Second);
            ushort[][] units = DrawUnits(string.Join(" + ", definition.DataSets.Keys),
                Array.ConvertAll(test, task.UnitOf), resamples);
            // [repeat][score].
            double[][] Scored(int size, ushort[] weights) => [.. bySize[size]
                .Select(o => ClassCounts.Of(truth, o.Predicted, classes, weights))
                .Select(c => scores.Select(s => s.Of(c)).ToArray())];
            double[][][] plain = Array.ConvertAll(sizes, n => Scored(n, []));
            double[][][] resampled = Array.ConvertAll(sizes, n => units.AsParallel().AsOrdered().Select(weights =>
            {
                double[][] each = Scored(n, weights);
                return scores.Select((_, s) => each.Average(v => v[s])).ToArray();
            }).ToArray());
            LabelDraw[] open = [.. draws.Where((_, d) => !outcomes[d].Converged)];
            foreach ((int s, (string name, _)) in scores.Index())
            {
                var curve = new LabelCurve(definition.Name, definition.Version, source.Model, source.Features,
                    probe.Name, seed, keys[s], source.WeightsHash, dataHash, source.HasSeen(definition),
                    definition.InMeans, Stamps.Join([definition.Stamp, source.Stamp]), classes, train.Length,
                    test.Length, sizes, [.. plain.Select(v => v.Select(x => x[s]).ToArray())],
                    [.. resampled.Select(v => v.Select(x => x[s]).ToArray())], Probing.Kit,
                    clock.Elapsed.TotalSeconds,
                    outcomes[0].K is null ? null : [.. sizes.Select(n => bySize[n].Select(o => o.K ?? 0).ToArray())],
                    $"{Unconverged(open, draws.Length)} {unread}".Trim(), name);
                if (paths[s] is { } path) Results.Write(path, curve);
                curves.Add(curve);
            }
        }
        return curves;
    }

    // Row counts [resample][row]. Each unit draws from Poisson(1) (Hanley and MacGibbon, Comput. Methods Programs
    // Biomed. 83, 2006) by a stream of data set and name alone: a patient counts as often in every task, split, seed
    // and model of a data set, which pairs differences.
    internal static ushort[][] DrawUnits(string dataSet, IReadOnlyList<string> units, int resamples)
    {
        // Cumulative Poisson(1); fewer than one in 10^10 lie beyond 12.
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
        : $"{open.Length} of {all} regressions did not converge, and their scores are lower bounds: "
            + $"{Names.Listed(open.Select(d => $"n = {d.PerClass} draw {d.Repeat + 1}"), 5)}.";
}
