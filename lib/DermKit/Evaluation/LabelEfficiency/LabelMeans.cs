using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>The mean curve of one task, model and probe.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Model">Name of the model, by which curves are compared; the curves behind it name its features.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Sizes">Labels of each class that every seed has, ascending.</param>
/// <param name="F1">Mean over seeds and repeats at each size, with its 95 % interval.</param>
/// <param name="Curves">The curves behind it, one for each seed, in order of the seeds; they name the score when it is not the paper's F1.</param>
public sealed record MeanCurve(string Task, string Model, string Probe, int[] Sizes, Interval[] F1, LabelCurve[] Curves)
{
    /// <summary>False when the mean goes down between two neighbouring sizes.</summary>
    public bool Rises => F1.Zip(F1.Skip(1)).All(p => p.First.Value <= p.Second.Value);

    /// <summary>[resample][size]: the mean curve on resampled draws.</summary>
    internal double[][] Resampled { get; init; } = [];
}

/// <summary>
/// Means over draws. The interval is a bootstrap of what was drawn: seeds with replacement, each with all its draws,
/// random weights and drawn split (of a single seed, its repeats with replacement, all sizes of a repeat together), and
/// the test units (patients or lesions, else images). Draws and test units act on a mean independently, so that the
/// shift by resampled test units is added to the mean over resampled seeds. The draws of a seed are not resampled
/// within it: the spread of the seeds' means holds their noise already (Davison and Hinkley, Bootstrap Methods and
/// their Application, 1997, section 3.8). A resampled mean of n values varies by (n - 1) / n of what a mean of n varies
/// by, so that deviations are multiplied by the root of n / (n - 1). The ends are percentiles, without the wider
/// quantiles that a t distribution has for few seeds: where seeds differ more than test units do, an interval over five
/// covers less than 95 %. Models are resampled alike, so that their curves can be compared resample by resample.
/// </summary>
public static class LabelMeans
{
    /// <summary>A mean curve for each task, model, probe and score, in the order of the curves.</summary>
    /// <param name="curves">Any curves; one for each task, model, probe, score and seed.</param>
    /// <param name="seed">Of the resamples of draws.</param>
    /// <exception cref="KitException">A seed is there twice, or the seeds of a curve have no size in common or other numbers of repeats or resamples.</exception>
    public static IReadOnlyList<MeanCurve> Of(IEnumerable<LabelCurve> curves, int seed = 1) =>
        [.. curves.GroupBy(c => (c.Task, c.Model, c.Features, c.Probe, c.Score))
        .Select(g => Mean(g.Key.Task, g.Key.Model, g.Key.Probe, [.. g.OrderBy(c => c.Seed)], seed))];

    private static MeanCurve Mean(string task, string model, string probe, LabelCurve[] curves, int seed)
    {
        string where = $"Label efficiency, task '{task}', model '{model}', probe {probe}";
        if (curves.CountBy(c => c.Seed).FirstOrDefault(s => s.Value > 1) is { Value: > 1 } twice) throw new KitException($"{where}: seed {twice.Key} is there {twice.Value} times; compare curves of one run.");
        int[] sizes = [.. curves.Select(c => c.Sizes.AsEnumerable()).Aggregate((a, b) => a.Intersect(b)).Order()];
        int repeats = curves[0].F1.FirstOrDefault([]).Length, resamples = curves[0].Resampled.FirstOrDefault([]).Length;
        if (sizes.Length == 0 || curves.Any(c => c.F1.Any(r => r.Length != repeats) || c.Resampled.Any(r => r.Length != resamples))) throw new KitException($"{where}: the seeds share {sizes.Length} sizes and have {string.Join(", ", curves.Select(c => c.F1.FirstOrDefault([]).Length).Distinct())} repeats; expected at least one size, and equal numbers of repeats and resamples.");
        double[][][] values = [.. curves.Select(c => Array.ConvertAll(sizes, n => c.F1[Array.IndexOf(c.Sizes, n)]))], onUnits = [.. curves.Select(c => Array.ConvertAll(sizes, n => c.Resampled[Array.IndexOf(c.Sizes, n)]))];
        double[][] means = [.. values.Select(v => Array.ConvertAll(v, r => r.Average()))];
        double[][] resampled = new double[resamples][];
        // What is drawn with replacement, [item][size]: seeds, the same for all tasks, as random weights are; or the
        // repeats of the one seed.
        bool several = curves.Length > 1;
        double[] Repeat(int d) => Array.ConvertAll(values[0], v => v[d]);
        double[][] drawn = several ? means : [.. Enumerable.Range(0, repeats).Select(Repeat)];
        int stream = several ? seed : task.Aggregate(seed, (hash, c) => unchecked(hash * 31 + c));
        double few = drawn.Length > 1 ? Math.Sqrt(drawn.Length / (drawn.Length - 1.0)) : 0;
        double[] mean = [.. sizes.Select((_, n) => means.Average(m => m[n]))];
        double[][] shifts = [.. sizes.Select((_, n) => Enumerable.Range(0, resamples)
            .Select(r => curves.Select((_, s) => onUnits[s][n][r] - means[s][n]).Average()).ToArray())];
        Parallel.For(0, resamples, r =>
        {
            SplitMix64 random = new(((ulong)(uint)stream << 32) + (uint)r);
            int[] chosen = [.. drawn.Select(_ => random.Below(drawn.Length))];
            resampled[r] = [.. sizes.Select((_, n) =>
                Math.Clamp(mean[n] + few * (chosen.Average(i => drawn[i][n]) - mean[n]) + shifts[n][r], 0, 1))];
        });
        Interval Band(int n) => Bootstrap.Percentiles(mean[n], Array.ConvertAll(resampled, r => r[n]));
        Interval[] bands = [.. sizes.Select((_, n) => Band(n))];
        return new(task, model, probe, sizes, bands, curves) { Resampled = resampled };
    }
}
