using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Mean curve of a task, model and probe over seeds and repeats, with 95 % intervals at the sizes that every
/// seed has, from one curve for each seed.</summary>
public sealed record MeanCurve(string Task, string Model, string Probe, int[] Sizes, Interval[] F1, LabelCurve[] Curves)
{
    /// <summary>False when the mean falls between neighbouring sizes.</summary>
    public bool Rises => F1.Zip(F1.Skip(1)).All(p => p.First.Value <= p.Second.Value);

    // [resample][size].
    internal double[][] Resampled { get; init; } = [];
}

/// <summary>Means over draws, with bootstrap intervals over seeds, each with all its draws (over repeats of a single
/// seed), and test units. <para>Both act independently, so their shifts are added. A seed's draws are not resampled
/// within it: the spread of the seeds' means holds their noise (Davison and Hinkley, Bootstrap Methods and their
/// Application, 1997, section 3.8). A resampled mean of n has (n - 1) / n of the variance, so deviations are multiplied
/// by sqrt(n / (n - 1)). Percentiles have no t correction: over five seeds an interval may cover less than 95 %. Models
/// are resampled alike.</para></summary>
public static class LabelMeans
{
    /// <summary>A mean curve for each task, model, probe and score, in order; the seed is that of the
    /// resamples.</summary>
    /// <exception cref="KitException">A seed occurs twice, or seeds share no size or differ in repeats or
    /// resamples.</exception>
    public static IReadOnlyList<MeanCurve> Of(IEnumerable<LabelCurve> curves, int seed = 1) =>
        [.. curves.GroupBy(c => (c.Task, c.Model, c.Features, c.Probe, c.Score))
            .Select(g => Mean(g.Key.Task, g.Key.Model, g.Key.Probe, [.. g.OrderBy(c => c.Seed)], seed))];

    private static MeanCurve Mean(string task, string model, string probe, LabelCurve[] curves, int seed)
    {
        string where = $"Label efficiency, task '{task}', model '{model}', probe {probe}";
        if (curves.CountBy(c => c.Seed).FirstOrDefault(s => s.Value > 1) is { Value: > 1 } twice)
            throw new KitException(
                $"{where}: seed {twice.Key} is there {twice.Value} times; compare curves of one run.");
        int[] sizes = [.. curves.Select(c => c.Sizes.AsEnumerable()).Aggregate((a, b) => a.Intersect(b)).Order()];
        int repeats = curves[0].F1.FirstOrDefault([]).Length, resamples = curves[0].Resampled.FirstOrDefault([]).Length;
        if (sizes.Length == 0
            || curves.Any(c => c.F1.Any(r => r.Length != repeats) || c.Resampled.Any(r => r.Length != resamples)))
            throw new KitException($"{where}: the seeds share {sizes.Length} sizes and "
                + $"have {string.Join(", ", curves.Select(c => c.F1.FirstOrDefault([]).Length).Distinct())} repeats; "
                + "expected at least one size, and equal numbers of repeats and resamples.");
        // [seed][size][repeat or resample].
        double[][][] values = [.. curves.Select(c => Array.ConvertAll(sizes, n => c.F1[Array.IndexOf(c.Sizes, n)]))];
        double[][][] onUnits =
            [.. curves.Select(c => Array.ConvertAll(sizes, n => c.Resampled[Array.IndexOf(c.Sizes, n)]))];
        double[][] means = Array.ConvertAll(values, v => Array.ConvertAll(v, r => r.Average()));
        // [item][size] of the resampled items: seeds (alike for all tasks, as random weights are), or one seed's
        // repeats.
        bool several = curves.Length > 1;
        double[][] drawn = several ? means
            : [.. Enumerable.Range(0, repeats).Select(d => Array.ConvertAll(values[0], v => v[d]))];
        int stream = several ? seed : task.Aggregate(seed, (hash, c) => unchecked(hash * 31 + c));
        double widening = drawn.Length > 1 ? Math.Sqrt(drawn.Length / (drawn.Length - 1.0)) : 0;
        double[] mean = [.. sizes.Select((_, n) => means.Average(m => m[n]))];
        double Shift(int n, int r) => curves.Select((_, s) => onUnits[s][n][r] - means[s][n]).Average();
        double[][] resampled = new double[resamples][];
        Parallel.For(0, resamples, r =>
        {
            SplitMix64 random = new(((ulong)(uint)stream << 32) + (uint)r);
            int[] chosen = [.. drawn.Select(_ => random.Below(drawn.Length))];
            double At(int n) => mean[n] + widening * (chosen.Average(i => drawn[i][n]) - mean[n]) + Shift(n, r);
            resampled[r] = [.. sizes.Select((_, n) => Math.Clamp(At(n), 0, 1))];
        });
        Interval[] bands =
            [.. sizes.Select((_, n) => Bootstrap.Percentiles(mean[n], Array.ConvertAll(resampled, r => r[n])))];
        return new(task, model, probe, sizes, bands, curves) { Resampled = resampled };
    }
}
