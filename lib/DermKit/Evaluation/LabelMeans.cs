using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>The mean curve of one task, model and probe.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Sizes">Labels of each class that every seed has, ascending.</param>
/// <param name="F1">Mean over seeds and repeats at each size, with its 95 % interval.</param>
/// <param name="Curves">The curves behind it, one for each seed, in order of the seeds.</param>
public sealed record MeanCurve(string Task, string Model, string Probe, int[] Sizes, Interval[] F1, LabelCurve[] Curves)
{
    /// <summary>False when the mean goes down between two neighbouring sizes.</summary>
    public bool Rises => F1.Zip(F1.Skip(1)).All(p => p.First.Value <= p.Second.Value);

    /// <summary>[resample][size]: the mean curve on resampled draws.</summary>
    internal double[][] Resampled { get; init; } = [];
}

/// <summary>
/// Means over draws. The interval is a two-stage bootstrap of the draws: seeds with replacement, then within each the repeats with replacement, all sizes of a
/// repeat together. Test rows are not resampled: the interval says how far the mean depends on which images were labelled (and on random weights or a drawn split,
/// which go with the seed), and nothing about other patients. Models are resampled alike, so that their curves can be compared resample by resample.
/// </summary>
public static class LabelMeans
{
    /// <summary>A mean curve for each task, model and probe, in the order of the curves.</summary>
    /// <param name="curves">Any curves; one for each task, model, probe and seed.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    /// <param name="seed">Of the resamples.</param>
    /// <exception cref="KitException">A seed is there twice, or the seeds of a curve have no size in common or other numbers of repeats.</exception>
    public static IReadOnlyList<MeanCurve> Of(IEnumerable<LabelCurve> curves, int resamples = 1000, int seed = 1) =>
        [.. curves.GroupBy(c => (c.Task, Name: c.Features == "cls4" ? c.Model : $"{c.Model} ({c.Features})", c.Probe)).Select(g => Mean(g.Key.Task, g.Key.Name, g.Key.Probe, [.. g.OrderBy(c => c.Seed)], resamples, seed))];

    private static MeanCurve Mean(string task, string model, string probe, LabelCurve[] curves, int resamples, int seed)
    {
        string where = $"Label efficiency, task '{task}', model '{model}', probe {probe}";
        if (curves.CountBy(c => c.Seed).FirstOrDefault(s => s.Value > 1) is { Value: > 1 } twice) throw new KitException($"{where}: seed {twice.Key} is there {twice.Value} times; compare curves of one run.");
        int[] sizes = [.. curves.Select(c => c.Sizes.AsEnumerable()).Aggregate((a, b) => a.Intersect(b)).Order()];
        int repeats = curves[0].F1.FirstOrDefault([]).Length;
        if (sizes.Length == 0 || curves.Any(c => c.F1.Any(r => r.Length != repeats))) throw new KitException($"{where}: the seeds share {sizes.Length} sizes and have {string.Join(", ", curves.Select(c => c.F1.FirstOrDefault([]).Length).Distinct())} repeats; expected at least one size and equal repeats.");
        double[][][] values = [.. curves.Select(c => Array.ConvertAll(sizes, n => c.F1[Array.IndexOf(c.Sizes, n)]))];
        double[][] resampled = new double[resamples][];
        // Repeats of different tasks are drawn independently; seeds are shared, as random weights are.
        int own = task.Aggregate(seed, (hash, c) => unchecked(hash * 31 + c));
        Parallel.For(0, resamples, r =>
        {
            SplitMix64 seeds = new(((ulong)(uint)seed << 32) + (uint)r), draws = new(((ulong)(uint)own << 32) + (uint)r);
            double[] sum = new double[sizes.Length];
            for (int s = 0; s < curves.Length; s++)
            {
                double[][] chosen = values[seeds.Below(curves.Length)];
                for (int d = 0; d < repeats; d++)
                {
                    int repeat = draws.Below(repeats);
                    for (int n = 0; n < sizes.Length; n++) sum[n] += chosen[n][repeat];
                }
            }
            resampled[r] = Array.ConvertAll(sum, v => v / (curves.Length * repeats));
        });
        return new(task, model, probe, sizes, [.. sizes.Select((_, n) => Bootstrap.Percentiles(values.Average(v => v[n].Average()), [.. resampled.Select(r => r[n])]))], curves) { Resampled = resampled };
    }
}
