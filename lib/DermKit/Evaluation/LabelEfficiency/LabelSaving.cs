namespace DermKit.Evaluation;

/// <summary>Whether a saving is known or bounded.</summary>
public enum SavingBound
{
    /// <summary>The model's curve reaches the baseline's F1.</summary>
    Exact,
    /// <summary>The model is above it at the fewest labels: a lower bound.</summary>
    AtLeast,
    /// <summary>The model is below it at the most labels: an upper bound.</summary>
    AtMost,
}

/// <summary>n of the baseline / n of the model at one size of the baseline; above 1 the model saves labels.</summary>
public sealed record SizeSaving(int BaselineSize, double Ratio, SavingBound Bound);

/// <summary>Bounds of the median ratio over all pairs (equal when it is known), and its 95 % interval; 0 and infinity
/// mean unbounded.</summary>
public sealed record SavingMedian(double Lower, double Upper, double Low, double High);

/// <summary>Label saving of a model against a baseline on a task or group of tasks. Pairs of a task and a baseline size
/// have a known ratio (Crossing) or one bound. Ratio is the geometric mean over crossing pairs (NaN without any); it
/// has no interval, because the sample decides which pairs cross. Falling counts curves whose mean falls between sizes.
/// Difference is F1 of model minus baseline at the most labels, averaged over tasks.</summary>
public sealed record SavingRow(string Task, int Tasks, int Pairs, int Crossing, int AtLeast, int AtMost,
    SavingMedian Median, double Ratio, int Falling, Interval Difference)
{
    // Whether it stands for a group, which may have one task.
    internal bool IsGroup { get; init; }
}

/// <summary>The kit's label saving (the paper does not publish its computation). Mean F1 is interpolated over log n; at
/// each baseline size the saving is n_baseline / n_model, with the n_model of equal F1. A pair outside the model's
/// curve is bounded, not extrapolated. Of several crossings the n nearest to the baseline's counts, so that a bump
/// never enlarges a saving. <para>The geometric mean drops bounded pairs; the median keeps them, so that its pairs are
/// the same in every resample, and has the interval.</para></summary>
public static class LabelSaving
{
    /// <summary>One entry for each size, from mean F1 of both at the same ascending sizes.</summary>
    /// <exception cref="KitException">There is no size, sizes do not ascend from 1, or lengths differ.</exception>
    public static IReadOnlyList<SizeSaving> Compare(IReadOnlyList<int> sizes, IReadOnlyList<double> model,
        IReadOnlyList<double> baseline)
    {
        if (sizes.Count == 0 || sizes.Count != model.Count || sizes.Count != baseline.Count)
            throw new KitException($"Label saving: {sizes.Count} sizes, {model.Count} and {baseline.Count} scores; "
                + "expected equal numbers, at least one.");
        if (sizes[0] < 1 || sizes.Zip(sizes.Skip(1)).Any(p => p.First >= p.Second))
            throw new KitException(
                $"Label saving: expected ascending sizes from 1, found [{string.Join(", ", sizes)}].");
        double[] log = [.. sizes.Select(n => Math.Log(n))];
        return [.. sizes.Select((n, i) =>
        {
            double[] met = [.. Crossings(log, model, baseline[i])];
            return met.Length > 0
                ? new SizeSaving(n, Math.Exp(log[i] - met.MinBy(m => Math.Abs(m - log[i]))), SavingBound.Exact)
                : model[0] > baseline[i] ? new(n, n / (double)sizes[0], SavingBound.AtLeast)
                : new(n, n / (double)sizes[^1], SavingBound.AtMost);
        })];
    }

    // Savings on each shared task, then over tasks inside and outside the pre-training data of the kit or of any model
    // of the curves, so that groups are the same against every baseline; tasks outside of means are in no group.
    internal static IReadOnlyList<SavingRow> Table(IReadOnlyList<MeanCurve> curves, (string Model, string Probe) model,
        (string Model, string Probe) baseline)
    {
        MeanCurve[] Of((string Model, string Probe) who) =>
            [.. curves.Where(c => c.Model == who.Model && c.Probe == who.Probe)];
        foreach (MeanCurve twice in Of(model).Concat(Of(baseline)).GroupBy(c => (c.Task, c.Model, c.Probe))
            .SelectMany(g => g.DistinctBy(c => c.Curves[0].Features).Skip(1)))
            throw new KitException($"Label saving, task '{twice.Task}': model '{twice.Model}' has curves with several "
                + $"kinds of features, {twice.Curves[0].Features} among them; compare curves of one run.");
        (MeanCurve Model, MeanCurve Baseline)[] pairs = [.. Of(model)
            .Join(Of(baseline), c => c.Task, c => c.Task, (a, b) => (a, b))];
        foreach ((MeanCurve a, MeanCurve b) in pairs)
            if (!a.Curves.Select(c => (c.Seed, c.DataHash, c.F1[0].Length))
                .SequenceEqual(b.Curves.Select(c => (c.Seed, c.DataHash, c.F1[0].Length)))
                || a.Resampled.Length != b.Resampled.Length || !a.Sizes.SequenceEqual(b.Sizes))
                throw new KitException($"Label saving, task '{a.Task}': {a.Model} ({a.Probe}) and {b.Model} "
                    + $"({b.Probe}) were not drawn alike; compare curves of one run.");
        var groups = pairs.Where(p => p.Model.Curves[0].InMeans)
            .GroupBy(p => curves.Any(c => c.Task == p.Model.Task && c.Curves[0].InPretraining))
            .OrderBy(g => g.Key ? 0 : 1).ToLookup(g => g.Count() > 1);
        string[] alone = [.. groups[false].SelectMany(g => g.Select(p => p.Model.Task))];
        return [.. pairs.Select(p => Row(p.Model.Task, [p]) with { IsGroup = alone.Contains(p.Model.Task) }),
            .. groups[true].Select(g => Row(g.Key ? Comparison.Inside : Comparison.Outside, [.. g]) with
            {
                IsGroup = true,
            })];
    }

    private static SavingRow Row(string name, (MeanCurve Model, MeanCurve Baseline)[] tasks)
    {
        static double[] Values(MeanCurve curve) => Array.ConvertAll(curve.F1, f => f.Value);
        SizeSaving[] all =
            [.. tasks.SelectMany(t => Compare(t.Model.Sizes, Values(t.Model), Values(t.Baseline)))];
        int resamples = tasks[0].Model.Resampled.Length;
        double[] lower = new double[resamples], upper = new double[resamples], differences = new double[resamples];
        Parallel.For(0, resamples, r =>
        {
            // A resample without test units has no score and bounds nothing.
            bool scored = tasks.All(t => !t.Model.Resampled[r].Concat(t.Baseline.Resampled[r]).Any(double.IsNaN));
            var drawn = tasks.SelectMany(t => Compare(t.Model.Sizes, t.Model.Resampled[r], t.Baseline.Resampled[r]));
            (lower[r], upper[r]) = scored ? MedianOf([.. drawn]) : (0, double.PositiveInfinity);
            differences[r] = tasks.Average(t => t.Model.Resampled[r][^1] - t.Baseline.Resampled[r][^1]);
        });
        Array.Sort(lower);
        Array.Sort(upper);
        // Order statistics, rounded outwards: nothing can be interpolated between a number and infinity.
        double low = resamples == 0 ? double.NaN : lower[(int)Math.Floor(0.025 * (resamples - 1))];
        double high = resamples == 0 ? double.NaN : upper[(int)Math.Ceiling(0.975 * (resamples - 1))];
        int Count(SavingBound bound) => all.Count(s => s.Bound == bound);
        (double from, double to) = MedianOf(all);
        double[] logs = [.. all.Where(s => s.Bound == SavingBound.Exact).Select(s => Math.Log(s.Ratio))];
        return new(name, tasks.Length, all.Length, logs.Length, Count(SavingBound.AtLeast), Count(SavingBound.AtMost),
            new(from, to, low, high), logs.Length == 0 ? double.NaN : Math.Exp(logs.Average()),
            tasks.SelectMany(t => new[] { t.Model, t.Baseline }).Count(c => !c.Rises),
            Bootstrap.Percentiles(tasks.Average(t => t.Model.F1[^1].Value - t.Baseline.F1[^1].Value), differences));
    }

    // Sharp bounds of the median when some ratios are bounded: the median of the lowest possible values (0 for AtMost)
    // and of the highest (infinity for AtLeast), without assumptions (C. F. Manski, Partial Identification of
    // Probability Distributions, Springer 2003, chapter 1). An even number takes the geometric mean of the middle two.
    internal static (double Lower, double Upper) MedianOf(IReadOnlyList<SizeSaving> savings)
    {
        if (savings.Count == 0) throw new KitException("Label saving: a median of no pairs; expected at least one.");
        const double open = double.PositiveInfinity;
        return (Median(savings.Select(s => s.Bound == SavingBound.AtMost ? 0 : s.Ratio)),
            Median(savings.Select(s => s.Bound == SavingBound.AtLeast ? open : s.Ratio)));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        double one = sorted[(sorted.Length - 1) / 2], other = sorted[sorted.Length / 2];
        return one == other ? one : Math.Sqrt(one) * Math.Sqrt(other);
    }

    // Each log n where the curve has the value; a level stretch gives both ends.
    private static IEnumerable<double> Crossings(double[] log, IReadOnlyList<double> curve, double value)
    {
        for (int i = 0; i < log.Length; i++)
        {
            if (curve[i] == value) yield return log[i];
            if (i + 1 < log.Length && (curve[i] - value) * (curve[i + 1] - value) < 0)
                yield return log[i] + (log[i + 1] - log[i]) * (value - curve[i]) / (curve[i + 1] - curve[i]);
        }
    }
}
