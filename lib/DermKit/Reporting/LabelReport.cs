using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>Tables and figures of a <see cref="LabelRun"/>.</summary>
public static class LabelReport
{
    // What bands and intervals of curves resample (LabelMeans).
    internal const string Seeds =
        "seeds with their draws (with one seed its draws) and test patients, lesions or images together";

    /// <summary>Possible numbers of labels of each task; the smallest training class limits them.</summary>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks, LabelPlan plan)
    {
        var rows = tasks.Select(t => (Task: t, Split: t.SplitFor(plan.Suite.Seeds[0])))
            .Select(t => (t.Task, t.Split.Test, Smallest: ProbingReport.SmallestClass(t.Task, t.Split.Train)));
        return Tables.From("Labels that can be drawn", rows,
            ("Task", t => t.Task.Definition.Name),
            ("Classes", t => t.Task.ClassNames.Length),
            ("Smallest training class", t => $"{t.Smallest.Name}: {t.Smallest.Images}"),
            ("Labels of each class", t => string.Join(", ", plan.Sizes.Where(n => n <= t.Smallest.Images))),
            ("Left out", t => string.Join(", ", plan.Sizes.Where(n => n > t.Smallest.Images))),
            ("Test images", t => t.Test.Length)) with
        {
            Stamp = Stamps.Of(tasks),
            Note = "A size is left out when any class has fewer training images.",
        };
    }

    /// <summary>Number, time and rate of the draws.</summary>
    public static Table Speed(LabelRun run)
    {
        var rows = run.Curves.GroupBy(c => (c.Task, c.Probe)).Select(g => (g.Key,
            Draws: g.Sum(c => c.F1.Sum(r => r.Length)), Seconds: g.Sum(c => c.Seconds)));
        return Tables.From("Draws", rows,
            ("Task", r => r.Key.Task),
            ("Probe", r => r.Key.Probe),
            ("Draws", r => r.Draws),
            ("Seconds", r => r.Seconds),
            ("Draws/s", r => r.Draws / Math.Max(r.Seconds, 1e-3))) with
        {
            Stamp = Stamps.Of(run.Curves),
            Note = "A draw is one labelled set: chosen, fitted, scored on all test images and their resamples, without "
                + "feature extraction. A curve from the cache has the time of its first run.",
        };
    }

    /// <summary>Curves with a remark, such as a regression that did not converge, or a sentence.</summary>
    public static object Remarks(LabelRun run) => ProbingReport.Remarks(
        run.Curves.Select(c => (c.Task, c.Model, c.Probe, c.Seed, c.Note)), Stamps.Of(run.Curves));

    /// <summary>Mean F1 over labels of each class on one task; the task with the most labels has a headline.</summary>
    /// <exception cref="KitException">The task has no curve.</exception>
    public static LineFigure Curves(IReadOnlyList<MeanCurve> curves, ProbeTask task)
    {
        MeanCurve[] own = [.. curves.Where(c => c.Task == task.Definition.Name)];
        if (own.Length == 0) throw new KitException($"No label curve of task '{task.Definition.Name}'; run it first.");
        MeanCurve best = own.MaxBy(c => c.F1[^1].Value)!;
        double[] ticks = [.. own.SelectMany(c => c.Sizes).Distinct().Order().Select(n => (double)n)];
        string[] falling = [.. own.Where(c => !c.Rises).Select(Name)];
        string falls = falling.Length > 0 ? $" Not rising everywhere: {string.Join("; ", falling)}." : "";
        IEnumerable<string> spans = own.Select(c =>
            $"{Name(c)} goes from {Tables.Number(c.F1[0].Value)} to {Tables.Number(c.F1[^1].Value)}");
        LineSeries[] lines = Array.ConvertAll(own, c =>
            LineSeries.Of(Name(c), c.Sizes.Select(n => (double)n), c.F1.Select(Estimate.Of)));
        return new($"curve-{task.Definition.Name}", $"Labels and score: {task.Definition.Title}",
            $"Mean over {Draws(own[0])} at each size; the band is its 95 % bootstrap interval, which resamples "
            + $"{Seeds}. {own[0].Curves[0].TestRows} test images, {own[0].Curves[0].TrainRows} training images to draw "
            + $"from.{falls}",
            $"{own.Length} lines over {ticks.Length} numbers of labels. With {best.Sizes[^1]} labels of each class the "
            + $"highest is {Name(best)} at {Tables.Interval(best.F1[^1])}; {string.Join("; ", spans)}.",
            lines, "Labels of each class (images, logarithmic)",
            task.ClassNames.Length > 2 ? "Macro F1 (0-1)" : $"F1 of {task.ClassNames[1]} (0-1)")
        {
            LogX = true,
            XTicks = ticks,
            Stamp = Stamp(own),
            Headline = Counted(curves).MaxBy(c => (c.Sizes[^1], c.F1[^1].Value)) is { } longest && own.Contains(longest)
                ? Span(longest) : "",
        };
    }

    /// <summary>Mean F1 at each number of labels.</summary>
    public static Table Means(IReadOnlyList<MeanCurve> curves)
    {
        int[] sizes = [.. curves.SelectMany(c => c.Sizes).Distinct().Order()];
        return new("Mean F1 at each number of labels of each class",
            ["Task (n)", "Model", "Probe", .. sizes.Select(n => $"{n} [95 %]")], [.. curves.Select(Row)])
        {
            Stamp = Stamp(curves),
            Footnote = new("test images, with each task", $"{Draws(curves[0])}, averaged",
                $"95 %, percentile bootstrap over {Seeds}", "none; savings are in a table of their own"),
            Note = "–: some class has fewer training images.",
        };

        IReadOnlyList<object?> Row(MeanCurve c) =>
            [$"{c.Task} ({c.Curves[0].TestRows})", c.Model, c.Probe, .. sizes.Select(size => At(c, size))];

        static object At(MeanCurve c, int size) =>
            Array.IndexOf(c.Sizes, size) is >= 0 and var i ? Estimate.Of(c.F1[i]) : "–";
    }

    /// <summary>Notes data, weights and seeds for the report's footer.</summary>
    public static void NoteProvenance(LabelRun run, KitSettings settings)
    {
        ProbingReport.NoteProvenance(run.Suite, settings);
        Provenance.Note("seeds", string.Join(", ", run.Curves.Select(c => c.Seed).Distinct()));
    }

    internal static string Name(MeanCurve curve) =>
        $"{Comparison.Shown(curve.Model, curve.Curves[0].Features)}, {curve.Probe}";

    private static IEnumerable<MeanCurve> Counted(IEnumerable<MeanCurve> curves) =>
        curves.Where(c => c.Curves[0].InMeans);

    private static string Span(MeanCurve c) =>
        $"{Stamps.Bracket(Stamp([c]))}{c.Task}, {Name(c)}: mean F1 {Tables.Interval(c.F1[0])} with {c.Sizes[0]} and "
        + $"{Tables.Interval(c.F1[^1])} with {c.Sizes[^1]} labels of each class ({Draws(c)}, 95 % intervals over draws "
        + $"and test units, {TestImages([c])}).";

    internal static string Stamp(IEnumerable<MeanCurve> curves) => Stamps.Of(curves.SelectMany(c => c.Curves));

    internal static string TestImages(IReadOnlyList<MeanCurve> curves)
    {
        int least = curves.Min(c => c.Curves[0].TestRows);
        int most = curves.Max(c => c.Curves[0].TestRows);
        return least == most ? $"n = {least} test images" : $"n = {least} to {most} test images";
    }

    internal static string Draws(MeanCurve curve) =>
        $"{Tables.Counted(curve.Curves.Length, "seed")} x {curve.Curves[0].F1[0].Length} draws";
}
