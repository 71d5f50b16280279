namespace DermKit.Evaluation;

/// <summary>What is known about a saving.</summary>
public enum SavingBound
{
    /// <summary>The model's curve has the baseline's F1: the ratio is read off.</summary>
    Exact,
    /// <summary>The model is above it with the fewest labels already: the ratio is this or more.</summary>
    AtLeast,
    /// <summary>The model does not reach it with the most labels: the ratio is this or less.</summary>
    AtMost,
}

/// <summary>How many labels the baseline takes for one that the model takes, at one size of the baseline.</summary>
/// <param name="BaselineSize">Labels of each class of the baseline.</param>
/// <param name="Ratio">n of the baseline / n of the model; above 1 the model saves labels.</param>
/// <param name="Bound">Whether that is the ratio or a bound of it.</param>
public sealed record SizeSaving(int BaselineSize, double Ratio, SavingBound Bound);

/// <summary>What is known of the median ratio over all pairs when some ratios are only bounded.</summary>
/// <param name="Lower">The median lies at or above this; 0 when it has no lower bound.</param>
/// <param name="Upper">The median lies at or below this, the same as <paramref name="Lower"/> when it is known;
/// infinity when it has no upper bound.</param>
/// <param name="Low">Lower end of the 95 % interval; 0 when open.</param>
/// <param name="High">Upper end of the 95 % interval; infinity when open.</param>
public sealed record SavingMedian(double Lower, double Upper, double Low, double High);

/// <summary>The label saving of a model against a baseline, on one task or over several.</summary>
/// <param name="Task">Name of the task, or of the group of tasks.</param>
/// <param name="Tasks">Number of tasks.</param>
/// <param name="Pairs">Pairs of a task and a size of the baseline; the same in every resample.</param>
/// <param name="Crossing">Pairs whose ratio is read off.</param>
/// <param name="AtLeast">Pairs with a lower bound only.</param>
/// <param name="AtMost">Pairs with an upper bound only.</param>
/// <param name="Median">Median ratio over all pairs, bounded ones included: the summary that intervals and headlines
/// rest on.</param>
/// <param name="Ratio">
/// Geometric mean over the crossing pairs of the curves as they are; NaN without any. It has no interval: which pairs
/// cross depends on the sample, so that each resample would answer another question.
/// </param>
/// <param name="Falling">Curves among those compared whose mean goes down between neighbouring sizes.</param>
/// <param name="Difference">F1 of the model minus that of the baseline with the most labels, mean over tasks, with its 95 % interval.</param>
public sealed record SavingRow(string Task, int Tasks, int Pairs, int Crossing, int AtLeast, int AtMost,
    SavingMedian Median, double Ratio, int Falling, Interval Difference);

/// <summary>
/// The kit's definition of a label saving (how the paper computed its factor is not published): mean F1 is interpolated over log n between the sizes; for each size of
/// the baseline the n is found at which the model has the same F1; reported is the geometric mean of n_baseline / n_model. Nothing is extrapolated: a pair
/// whose F1 the model's curve does not have is counted and bounded. Where a curve that goes down in between has the F1 more than once,
/// the n nearest to the baseline's counts, so that a bump never makes a saving larger (and a curve against itself gives 1).
/// That mean drops what is only bounded. Intervals therefore belong to the median over all pairs, in which a bounded
/// ratio stands for every value that it may have (<see cref="MedianOf"/>): the pairs are the same in every resample,
/// whether they cross there or not.
/// </summary>
public static class LabelSaving
{
    /// <summary>One entry for each size of the baseline.</summary>
    /// <param name="sizes">Labels of each class, ascending, the same for both.</param>
    /// <param name="model">Mean F1 of the model at each size.</param>
    /// <param name="baseline">Mean F1 of the baseline at each size.</param>
    /// <exception cref="KitException">There is no size, they do not ascend from 1, or the lengths differ.</exception>
    public static IReadOnlyList<SizeSaving> Compare(IReadOnlyList<int> sizes, IReadOnlyList<double> model, IReadOnlyList<double> baseline)
    {
        if (sizes.Count == 0 || sizes.Count != model.Count || sizes.Count != baseline.Count) throw new KitException($"Label saving: {sizes.Count} sizes, {model.Count} and {baseline.Count} scores; expected equal numbers, at least one.");
        if (sizes[0] < 1 || sizes.Zip(sizes.Skip(1)).Any(p => p.First >= p.Second)) throw new KitException($"Label saving: expected ascending sizes from 1, found [{string.Join(", ", sizes)}].");
        double[] log = [.. sizes.Select(n => Math.Log(n))];
        return [.. sizes.Select((n, i) =>
        {
            double[] met = [.. Meets(log, model, baseline[i])];
            return met.Length > 0 ? new SizeSaving(n, Math.Exp(log[i] - met.MinBy(m => Math.Abs(m - log[i]))), SavingBound.Exact)
                : model[0] > baseline[i] ? new(n, n / (double)sizes[0], SavingBound.AtLeast) : new(n, n / (double)sizes[^1], SavingBound.AtMost);
        })];
    }

    /// <summary>Savings on every task that both have, then over those inside and those outside the pre-training data of the kit or of one of the two models; tasks outside of means are in no group.</summary>
    /// <param name="curves">Mean curves of one run.</param>
    /// <param name="model">Model and probe.</param>
    /// <param name="baseline">Model and probe to compare with.</param>
    /// <exception cref="KitException">The two were drawn with other seeds, repeats or resamples.</exception>
    public static IReadOnlyList<SavingRow> Table(IReadOnlyList<MeanCurve> curves, (string Model, string Probe) model, (string Model, string Probe) baseline)
    {
        MeanCurve[] Of((string Model, string Probe) who) => [.. curves.Where(c => c.Model == who.Model && c.Probe == who.Probe)];
        foreach (MeanCurve twice in Of(model).Concat(Of(baseline)).GroupBy(c => (c.Task, c.Model, c.Probe))
            .SelectMany(g => g.DistinctBy(c => c.Curves[0].Features).Skip(1)))
            throw new KitException($"Label saving, task '{twice.Task}': model '{twice.Model}' is there with several "
                + $"kinds of features, {twice.Curves[0].Features} among them; compare curves of one run.");
        (MeanCurve Model, MeanCurve Baseline)[] pairs = [.. Of(model).Join(Of(baseline), c => c.Task, c => c.Task, (a, b) => (a, b))];
        foreach ((MeanCurve a, MeanCurve b) in pairs)
            if (!a.Curves.Select(c => (c.Seed, c.DataHash, c.F1[0].Length)).SequenceEqual(b.Curves.Select(c => (c.Seed, c.DataHash, c.F1[0].Length))) || a.Resampled.Length != b.Resampled.Length || !a.Sizes.SequenceEqual(b.Sizes))
                throw new KitException($"Label saving, task '{a.Task}': {a.Model} ({a.Probe}) and {b.Model} ({b.Probe}) were not drawn alike; compare curves of one run.");
        var groups = pairs.Where(p => p.Model.Curves[0].InMeans).GroupBy(p => p.Model.Curves[0].InPretraining || p.Baseline.Curves[0].InPretraining).OrderBy(g => g.Key ? 0 : 1).Where(g => g.Count() > 1);
        return [.. pairs.Select(p => Row(p.Model.Task, [p])), .. groups.Select(g => Row(g.Key ? Comparison.Inside : Comparison.Outside, [.. g]))];
    }

    private static SavingRow Row(string name, (MeanCurve Model, MeanCurve Baseline)[] tasks)
    {
        SizeSaving[] all = [.. tasks.SelectMany(t => Compare(t.Model.Sizes, [.. t.Model.F1.Select(f => f.Value)], [.. t.Baseline.F1.Select(f => f.Value)]))];
        int resamples = tasks[0].Model.Resampled.Length;
        double[] lower = new double[resamples], upper = new double[resamples], differences = new double[resamples];
        Parallel.For(0, resamples, r =>
        {
            // A resample without any test unit has no score, and says nothing of the ratios.
            bool scored = tasks.All(t => !t.Model.Resampled[r].Concat(t.Baseline.Resampled[r]).Any(double.IsNaN));
            var drawn = tasks.SelectMany(t => Compare(t.Model.Sizes, t.Model.Resampled[r], t.Baseline.Resampled[r]));
            (lower[r], upper[r]) = scored ? MedianOf([.. drawn]) : (0, double.PositiveInfinity);
            differences[r] = tasks.Average(t => t.Model.Resampled[r][^1] - t.Baseline.Resampled[r][^1]);
        });
        int least = all.Count(s => s.Bound == SavingBound.AtLeast), most = all.Count(s => s.Bound == SavingBound.AtMost);
        Array.Sort(lower);
        Array.Sort(upper);
        // Whole order statistics, rounded outwards: between a number and infinity there is nothing to interpolate.
        double Low(double level) => resamples == 0 ? double.NaN : lower[(int)Math.Floor(level * (resamples - 1))];
        double High(double level) => resamples == 0 ? double.NaN : upper[(int)Math.Ceiling(level * (resamples - 1))];
        (double from, double to) = MedianOf(all);
        return new(name, tasks.Length, all.Length, all.Length - least - most, least, most,
            new(from, to, Low(0.025), High(0.975)), Geometric(all.Where(s => s.Bound == SavingBound.Exact)),
            tasks.SelectMany(t => new[] { t.Model, t.Baseline }).Count(c => !c.Rises), Bootstrap.Percentiles(tasks.Average(t => t.Model.F1[^1].Value - t.Baseline.F1[^1].Value), differences));
    }

    /// <summary>
    /// Sharp bounds of the median of ratios of which some are bounded: the median of the lowest values that they may
    /// have, 0 for <see cref="SavingBound.AtMost"/>, and that of the highest, infinity for
    /// <see cref="SavingBound.AtLeast"/>. Nothing is assumed of the values behind the bounds (bounds of quantiles from
    /// interval data: C. F. Manski, Partial Identification of Probability Distributions, Springer 2003, chapter 1);
    /// Turnbull's estimate would take the bounds for unrelated to the ratios, which they are not. Of an even number
    /// the geometric mean of the two in the middle counts.
    /// </summary>
    /// <param name="savings">At least one.</param>
    /// <exception cref="KitException">There is no pair.</exception>
    public static (double Lower, double Upper) MedianOf(IReadOnlyList<SizeSaving> savings)
    {
        if (savings.Count == 0) throw new KitException("Label saving: a median of no pairs; expected at least one.");
        const double open = double.PositiveInfinity;
        double[] least = [.. savings.Select(s => s.Bound == SavingBound.AtMost ? 0 : s.Ratio).Order()];
        double[] most = [.. savings.Select(s => s.Bound == SavingBound.AtLeast ? open : s.Ratio).Order()];
        return (Middle(least), Middle(most));
    }

    private static double Middle(double[] sorted)
    {
        double one = sorted[(sorted.Length - 1) / 2], other = sorted[sorted.Length / 2];
        return one == other ? one : Math.Sqrt(one) * Math.Sqrt(other);
    }

    private static double Geometric(IEnumerable<SizeSaving> savings)
    {
        double[] logs = [.. savings.Select(s => Math.Log(s.Ratio))];
        return logs.Length == 0 ? double.NaN : Math.Exp(logs.Average());
    }

    // Every log n at which the curve has the value; of a level stretch both ends and, through the pieces beside it, no more.
    private static IEnumerable<double> Meets(double[] log, IReadOnlyList<double> curve, double value)
    {
        for (int i = 0; i < log.Length; i++)
        {
            if (curve[i] == value) yield return log[i];
            if (i + 1 < log.Length && (curve[i] - value) * (curve[i + 1] - value) < 0) yield return log[i] + (log[i + 1] - log[i]) * (value - curve[i]) / (curve[i + 1] - curve[i]);
        }
    }
}
