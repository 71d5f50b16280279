using DermKit.Evaluation;
using System.Globalization;

namespace DermKit.Reporting;

/// <summary>Tables and figures over a <see cref="LabelRun"/>, for the label-efficiency notebook.</summary>
public static class LabelReport
{
    /// <summary>What bands and intervals of curves resample (<see cref="LabelMeans"/>).</summary>
    internal const string Seeds =
        "seeds with their draws (with one seed its draws) and test patients, lesions or images together";

    private const string Band = "its 95 % bootstrap interval, which resamples " + Seeds;

    /// <summary>Which sizes each task can be drawn at: its smallest training class decides.</summary>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks, LabelPlan plan) => Tables.From("Labels that can be drawn", tasks.Select(t => (Task: t, Smallest: Smallest(t, plan.Suite.Seeds[0]), Test: t.SplitFor(plan.Suite.Seeds[0]).Test.Length)),
        ("Task", t => t.Task.Definition.Name), ("Classes", t => t.Task.ClassNames.Length), ("Smallest training class", t => $"{t.Smallest.Name}: {t.Smallest.Images}"),
        ("Labels of each class", t => string.Join(", ", plan.Sizes.Where(n => n <= t.Smallest.Images))), ("Left out", t => string.Join(", ", plan.Sizes.Where(n => n > t.Smallest.Images))), ("Test images", t => t.Test)) with
    {
        Stamp = Stamps.Of(tasks),
        Note = "A size is left out when any class has fewer training images.",
    };

    /// <summary>How long the draws took.</summary>
    public static Table Speed(LabelRun run) => Tables.From("Draws", run.Curves.GroupBy(c => (c.Task, c.Probe)),
        ("Task", g => g.Key.Task), ("Probe", g => g.Key.Probe), ("Draws", g => g.Sum(Draws)), ("Seconds", g => g.Sum(c => c.Seconds)), ("Draws/s", g => g.Sum(Draws) / Math.Max(g.Sum(c => c.Seconds), 1e-3))) with
    {
        Stamp = Stamps.Of(run.Curves),
        Note = "A draw is one labelled set: chosen, fitted, scored on all test images and on their bootstrap resamples. Time of features is not in it. A curve that was read back tells the time it took when it was made.",
    };

    /// <summary>Curves with a remark, such as draws whose regression did not converge; a sentence where there is none.</summary>
    public static object Remarks(LabelRun run) => ProbingReport.Remarks(run.Curves.Select(c => (c.Task, c.Model, c.Probe, c.Seed, c.Note)), Stamps.Join(run.Curves.Select(c => c.Stamp)));

    /// <summary>Mean F1 over labels of each class on one task, a line with its band for each model and probe. The figure of the task with the most labels has a headline.</summary>
    /// <exception cref="KitException">There is no curve of that task.</exception>
    public static LineFigure Curves(IReadOnlyList<MeanCurve> curves, ProbeTask task)
    {
        MeanCurve[] own = [.. curves.Where(c => c.Task == task.Definition.Name)];
        if (own.Length == 0) throw new KitException($"No label curve of task '{task.Definition.Name}'; run it first.");
        MeanCurve best = own.MaxBy(c => c.F1[^1].Value)!;
        double[] ticks = [.. own.SelectMany(c => c.Sizes).Distinct().Order().Select(n => (double)n)];
        return new($"curve-{task.Definition.Name}", $"Labels and score: {task.Definition.Title}",
            $"Mean over {Draws(own[0])} at each size; the band is {Band}. {own[0].Curves[0].TestRows} test images, {own[0].Curves[0].TrainRows} training images to draw from.{(own.Any(c => !c.Rises) ? $" Not rising everywhere: {string.Join("; ", own.Where(c => !c.Rises).Select(Name))}." : "")}",
            $"{own.Length} lines over {ticks.Length} numbers of labels. With {best.Sizes[^1]} labels of each class the highest is {Name(best)} at {Tables.Interval(best.F1[^1])}; {string.Join("; ", own.Select(c => $"{Name(c)} goes from {Tables.Number(c.F1[0].Value)} to {Tables.Number(c.F1[^1].Value)}"))}.",
            [.. own.Select(c => new LineSeries(Name(c), [.. c.Sizes.Select(n => (double)n)], [.. c.F1.Select(f => f.Value)], [.. c.F1.Select(f => f.Low)], [.. c.F1.Select(f => f.High)]))],
            "Labels of each class (images, logarithmic)", task.ClassNames.Length > 2 ? "Macro F1 (0-1)" : $"F1 of {task.ClassNames[1]} (0-1)")
        { LogX = true, XTicks = ticks, Stamp = Stamp(own),
        Headline = Longest(curves) is { } longest && longest.Task == task.Definition.Name ? Span(longest) : "" };
    }

    /// <summary>Savings of one model and probe against another, on each task and then over tasks, from <see cref="LabelSaving.Table"/>.</summary>
    /// <param name="curves">Mean curves of one run.</param>
    /// <param name="model">Who is compared.</param>
    /// <param name="baseline">With whom.</param>
    /// <param name="models">Models of the run: against another model the table has a headline, which names a factor only where the baseline was trained.</param>
    /// <exception cref="KitException">The two have no task in common, or were not drawn alike.</exception>
    public static Table Savings(IReadOnlyList<MeanCurve> curves, (string Model, string Probe) model, (string Model, string Probe) baseline, IReadOnlyList<ModelDefinition> models)
    {
        IReadOnlyList<SavingRow> rows = LabelSaving.Table(curves, model, baseline);
        if (rows.Count == 0) throw new KitException($"Label saving: {model.Model} ({model.Probe}) and {baseline.Model} ({baseline.Probe}) have no task in common; run both.");
        MeanCurve[] drawn = [.. curves.Where(c => (c.Model, c.Probe) == model)], counted = [.. Counted(drawn)];
        MeanCurve[] compared = [.. drawn, .. curves.Where(c => (c.Model, c.Probe) == baseline)];
        SavingRow[] tasks = [.. rows.Where(r => counted.Any(c => c.Task == r.Task))];
        string headline = "";
        if (model.Model != baseline.Model && tasks.Length > 0)
        {
            bool trained = models.Any(m => m.Name == baseline.Model && m.Source != "random");
            (int above, int below, string family) = Shown(tasks, compared, model, baseline);
            headline = $"{Stamps.Bracket(Stamp(compared))}{model.Model} against {baseline.Model} ({model.Probe}), "
                + $"each task with the most labels it has: above on {above}, below on {below} of {tasks.Length} "
                + $"tasks{family} ({Draws(counted[0])}, {TestImages(counted)}); F1 differences from "
                + $"{Tables.Interval(tasks.MinBy(r => r.Difference.Value)!.Difference)} to "
                + $"{Tables.Interval(tasks.MaxBy(r => r.Difference.Value)!.Difference)}."
                + string.Concat(rows.Where(r => trained && r.Tasks > 1).Select(Factor));
            string Factor(SavingRow r) => $" Labels of {baseline.Model} for one of {model.Model}, {r.Task}: "
                + $"median of all {r.Pairs} pairs {Median(r.Median)} "
                + $"({r.Crossing} read off, {r.AtLeast} at least, {r.AtMost} at most).";
        }
        return Tables.From($"Labels that {baseline.Model} ({baseline.Probe}) takes for one that {model.Model} ({model.Probe}) takes", rows,
            ("Task (n)", r => r.Tasks > 1 ? $"{r.Task} ({r.Tasks} tasks)" : $"{r.Task} ({drawn.First(c => c.Task == r.Task).Curves[0].TestRows})"), ("Pairs", r => r.Pairs), ("Read off", r => r.Crossing), ("≥", r => r.AtLeast), ("≤", r => r.AtMost),
            ("Median ratio, all pairs [95 %]", r => Median(r.Median)),
            ("Geometric mean, read off", r => r.Crossing == 0 ? "none" : r.Ratio),
            ("Falling", r => r.Falling), ("F1 gain [95 %]", r => Estimate.Of(r.Difference))) with
        {
            Stamp = Stamp(compared),
            Headline = headline,
            Basis = new("test images, with each task", $"{Draws(drawn[0])}, averaged",
                $"95 %, percentile bootstrap over {Seeds}",
                $"{model.Model} ({model.Probe}) against {baseline.Model} ({baseline.Probe}), "
                    + "on the same draws and resamples"),
            Note = "A pair is a task and a size of the baseline; its ratio is n of the baseline / n of the model "
                + "at the same mean F1, interpolated over log n. ≥ (at least): the model is above that F1 with the "
                + "fewest labels already. ≤ (at most): the model does not reach it. Median ratio: over all pairs, the "
                + "same in every resample; a bounded ratio stands for every value that it may have, so that the median "
                + "may be bounded too. The interval is that of the bounds. Geometric mean: over the pairs read off "
                + "alone; which they are depends on the sample, so that it has no interval. "
                + "Falling: curves whose mean goes down somewhere; where one has an F1 more than once, the n nearest to the baseline's counts. F1 gain: model minus baseline with the most labels.",
        };
    }

    /// <summary>Notes the run's data, weights and seeds for the report's footer.</summary>
    public static void NoteProvenance(LabelRun run, KitSettings settings)
    {
        ProbingReport.NoteProvenance(run.Suite, settings);
        Provenance.Note("seeds", string.Join(", ", run.Curves.Select(c => c.Seed).Distinct()));
    }

    private static (string Name, int Images) Smallest(ProbeTask task, int seed)
    {
        int[] train = task.SplitFor(seed).Train;
        return task.ClassNames.Select((name, c) => (name, train.Count(i => task.Labels[i] == c))).MinBy(p => p.Item2);
    }

    /// <summary>
    /// Number of tasks whose difference with the most labels is above 0 and below it at 0.05, and how that was
    /// tested.
    /// </summary>
    private static (int Above, int Below, string How) Shown(SavingRow[] tasks, MeanCurve[] curves,
        (string, string) model, (string, string) baseline)
    {
        MeanCurve Of(string task, (string, string) who) =>
            curves.First(c => c.Task == task && (c.Model, c.Probe) == who);
        PairedDifference Difference(SavingRow row) => PairedDifference.Of(row.Difference.Value,
            [.. Of(row.Task, model).Resampled.Zip(Of(row.Task, baseline).Resampled, (a, b) => a[^1] - b[^1])]);
        var adjusted = PairedTest.Holm(tasks.Select(Difference));
        SavingRow[] shown = [.. tasks.Where((_, i) => adjusted[i].P < 0.05)];
        int above = shown.Count(r => r.Difference.Value > 0);
        // The least p of R resamples is 2 / (R + 1), and Holm's first step multiplies it by the number of tasks.
        bool tooFew = tasks.Length * 2.0 / (curves[0].Resampled.Length + 1) >= 0.05;
        return (above, shown.Length - above, $" at 0.05 after Holm's correction over the {tasks.Length}, by the "
            + $"bootstrap over draws and test units{(tooFew ? " (so few resamples can show none)" : "")}");
    }

    private static IEnumerable<MeanCurve> Counted(IEnumerable<MeanCurve> curves) => curves.Where(c => c.Curves[0].InMeans);

    /// <summary>The curve with the most labels, the highest of equals, among tasks that count in means.</summary>
    private static MeanCurve? Longest(IReadOnlyList<MeanCurve> curves) => Counted(curves).OrderByDescending(c => c.Sizes[^1]).ThenByDescending(c => c.F1[^1].Value).FirstOrDefault();

    private static string Span(MeanCurve c) =>
        $"{Stamps.Bracket(Stamp([c]))}{c.Task}, {Name(c)}: mean F1 {Tables.Interval(c.F1[0])} with {c.Sizes[0]} and "
        + $"{Tables.Interval(c.F1[^1])} with {c.Sizes[^1]} labels of each class ({Draws(c)}, 95 % intervals over "
        + $"draws and test units, {TestImages([c])}).";

    private static string Stamp(IEnumerable<MeanCurve> curves) => Stamps.Of(curves.SelectMany(c => c.Curves));

    /// <summary>Such as 2.00 [1.80, 2.31], 1.20 to 2.00 [1.00, 2.20], ≥ 4.00 [3.10, ∞), or not bounded.</summary>
    internal static string Median(SavingMedian median)
    {
        (double lower, double upper, double low, double high) = median;
        bool above = lower > 0, below = !double.IsPositiveInfinity(upper);
        if (!above && !below) return "not bounded";
        string known = Two(lower) == Two(upper) ? Two(lower) : $"{Two(lower)} to {Two(upper)}";
        string value = !below ? $"≥ {Two(lower)}" : !above ? $"≤ {Two(upper)}" : known;
        string end = double.IsPositiveInfinity(high) ? "∞)" : $"{Two(high)}]";
        return $"{value} {(low > 0 ? "[" : "(")}{Two(low)}, {end}";
    }

    private static string Two(double ratio) => ratio == 0 ? "0" : ratio.ToString("0.00", CultureInfo.InvariantCulture);

    private static string TestImages(IReadOnlyList<MeanCurve> curves) =>
        (curves.Min(c => c.Curves[0].TestRows), curves.Max(c => c.Curves[0].TestRows)) is var (least, most) && least == most ? $"n = {least} test images" : $"n = {least} to {most} test images";

    private static int Draws(LabelCurve curve) => curve.F1.Sum(r => r.Length);

    private static string Draws(MeanCurve curve) => $"{curve.Curves.Length} seed{(curve.Curves.Length == 1 ? "" : "s")} x {curve.Curves[0].F1[0].Length} draws";

    internal static string Name(MeanCurve curve) =>
        $"{Comparison.Shown(curve.Model, curve.Curves[0].Features)}, {curve.Probe}";
}
