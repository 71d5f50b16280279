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

    /// <summary>Labels that kNN needs for one of the linear probe on the first trained model, else the first model; a
    /// sentence if one probe was not run.</summary>
    public static object Probes(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ModelDefinition> models)
    {
        string model = (models.FirstOrDefault(m => m.Source != "random") ?? models[0]).Name;
        bool areBoth = curves.Any(c => c.Probe == "knn") && curves.Any(c => c.Probe == "linear");
        return areBoth
            ? Savings(curves, (model, "linear"), (model, "knn"), models)
            : "Set probes to knn,linear to compare the two.";
    }

    /// <summary>Savings of one model against another with the same probe.</summary>
    public static Table Savings(IReadOnlyList<MeanCurve> curves, string model, string baseline, string probe,
        IReadOnlyList<ModelDefinition> models) => Savings(curves, (model, probe), (baseline, probe), models);

    /// <summary>Savings of one model and probe against another, on each task and over tasks
    /// (<see cref="LabelSaving.Table"/>). The headline names a factor only when the baseline was trained.</summary>
    /// <exception cref="KitException">The two have no task in common, or their draws differ.</exception>
    public static Table Savings(IReadOnlyList<MeanCurve> curves, (string Model, string Probe) model,
        (string Model, string Probe) baseline, IReadOnlyList<ModelDefinition> models)
    {
        string ours = $"{model.Model} ({model.Probe})";
        string theirs = $"{baseline.Model} ({baseline.Probe})";
        IReadOnlyList<SavingRow> rows = LabelSaving.Table(curves, model, baseline);
        if (rows.Count == 0)
            throw new KitException($"Label saving: {ours} and {theirs} have no task in common; run both.");
        MeanCurve[] drawn = [.. curves.Where(c => (c.Model, c.Probe) == model)];
        MeanCurve[] compared = [.. drawn, .. curves.Where(c => (c.Model, c.Probe) == baseline)];
        bool isTrained = models.Any(m => m.Name == baseline.Model && m.Source != "random");
        return Tables.From($"Labels that {theirs} takes for one that {ours} takes", rows,
            ("Task (n)", r => r.Tasks > 1 ? $"{r.Task} ({r.Tasks} tasks)"
                : $"{r.Task} ({drawn.First(c => c.Task == r.Task).Curves[0].TestRows})"),
            ("Pairs", r => r.Pairs),
            ("Read off", r => r.Crossing),
            ("≥", r => r.AtLeast),
            ("≤", r => r.AtMost),
            ("Median ratio, all pairs [95 %]", r => Median(r.Median)),
            ("Geometric mean, read off", r => r.Crossing == 0 ? "none" : r.Ratio),
            ("Falling", r => r.Falling),
            ("F1 gain [95 %]", r => Estimate.Of(r.Difference))) with
        {
            Stamp = Stamp(compared),
            Headline = model.Model == baseline.Model ? "" : Headline(rows, compared, model, baseline, isTrained),
            Footnote = new("test images, with each task", $"{Draws(drawn[0])}, averaged",
                $"95 %, percentile bootstrap over {Seeds}",
                $"{ours} against {theirs}, on the same draws and resamples"),
            Note = "A pair is a task and a size of the baseline; its ratio is n of the baseline / n of the model at "
                + "the same mean F1, interpolated over log n. ≥ (at least): the model is above that F1 with the "
                + "fewest labels. ≤ (at most): it does not reach it. The median is over all pairs, the same ones in "
                + "every resample; bounded ratios may bound it, and the interval is that of the bounds. The geometric "
                + "mean is over the pairs read off alone, which depend on the sample: it has no interval. Falling: "
                + "curves whose mean falls somewhere; of several n with one F1 the one nearest to the baseline's "
                + "counts. F1 gain: model minus baseline with the most labels.",
        };
    }

    /// <summary>Notes data, weights and seeds for the report's footer.</summary>
    public static void NoteProvenance(LabelRun run, KitSettings settings)
    {
        ProbingReport.NoteProvenance(run.Suite, settings);
        Provenance.Note("seeds", string.Join(", ", run.Curves.Select(c => c.Seed).Distinct()));
    }

    // Such as 2.00 [1.80, 2.31], 1.20 to 2.00 [1.00, 2.20], ≥ 4.00 [3.10, ∞), or not bounded.
    internal static string Median(SavingMedian median)
    {
        (double lower, double upper, double low, double high) = median;
        if (lower == 0 && double.IsPositiveInfinity(upper)) return "not bounded";
        string value = lower == 0 ? $"≤ {Two(upper)}" : double.IsPositiveInfinity(upper) ? $"≥ {Two(lower)}"
            : Two(lower) == Two(upper) ? Two(lower) : $"{Two(lower)} to {Two(upper)}";
        string end = double.IsPositiveInfinity(high) ? "∞)" : $"{Two(high)}]";
        return $"{value} {(low > 0 ? "[" : "(")}{Two(low)}, {end}";

        static string Two(double ratio) => ratio == 0 ? "0" : ratio.ToString("0.00", CultureInfo.InvariantCulture);
    }

    internal static string Name(MeanCurve curve) =>
        $"{Comparison.Shown(curve.Model, curve.Curves[0].Features)}, {curve.Probe}";

    private static string Headline(IReadOnlyList<SavingRow> rows, MeanCurve[] compared,
        (string Model, string Probe) model, (string Model, string Probe) baseline, bool isTrained)
    {
        MeanCurve[] counted = [.. Counted(compared).Where(c => (c.Model, c.Probe) == model)];
        SavingRow[] tasks = [.. rows.Where(r => counted.Any(c => c.Task == r.Task))];
        if (tasks.Length == 0) return "";
        var adjusted = PairedTest.Holm(tasks.Select(Difference));
        SavingRow[] shown = [.. tasks.Where((_, i) => adjusted[i].P < 0.05)];
        int above = shown.Count(r => r.Difference.Value > 0);
        // The least p of R resamples is 2 / (R + 1); Holm's first step multiplies it by the number of tasks.
        bool isTooFew = tasks.Length * 2.0 / (compared[0].Resampled.Length + 1) >= 0.05;
        string least = Tables.Interval(tasks.MinBy(r => r.Difference.Value)!.Difference);
        string most = Tables.Interval(tasks.MaxBy(r => r.Difference.Value)!.Difference);
        IEnumerable<string> factors = rows.Where(r => isTrained && r.Tasks > 1).Select(r =>
            $" Labels of {baseline.Model} for one of {model.Model}, {r.Task}: median of all {r.Pairs} pairs "
            + $"{Median(r.Median)} ({r.Crossing} read off, {r.AtLeast} at least, {r.AtMost} at most).");
        return $"{Stamps.Bracket(Stamp(compared))}{model.Model} against {baseline.Model} ({model.Probe}), each task "
            + $"with the most labels it has: above on {above}, below on {shown.Length - above} of {tasks.Length} tasks "
            + $"at 0.05 after Holm's correction over the {tasks.Length}, by the bootstrap over draws and test units"
            + $"{(isTooFew ? " (so few resamples can show none)" : "")} ({Draws(counted[0])}, {TestImages(counted)}); "
            + $"F1 differences from {least} to {most}.{string.Concat(factors)}";

        PairedDifference Difference(SavingRow row) => PairedDifference.Of(row.Difference.Value,
            [.. Resampled(row.Task, model).Zip(Resampled(row.Task, baseline), (a, b) => a[^1] - b[^1])]);
        double[][] Resampled(string task, (string, string) who) =>
            compared.First(c => c.Task == task && (c.Model, c.Probe) == who).Resampled;
    }

    private static IEnumerable<MeanCurve> Counted(IEnumerable<MeanCurve> curves) =>
        curves.Where(c => c.Curves[0].InMeans);

    private static string Span(MeanCurve c) =>
        $"{Stamps.Bracket(Stamp([c]))}{c.Task}, {Name(c)}: mean F1 {Tables.Interval(c.F1[0])} with {c.Sizes[0]} and "
        + $"{Tables.Interval(c.F1[^1])} with {c.Sizes[^1]} labels of each class ({Draws(c)}, 95 % intervals over draws "
        + $"and test units, {TestImages([c])}).";

    private static string Stamp(IEnumerable<MeanCurve> curves) => Stamps.Of(curves.SelectMany(c => c.Curves));

    private static string TestImages(IReadOnlyList<MeanCurve> curves)
    {
        int least = curves.Min(c => c.Curves[0].TestRows);
        int most = curves.Max(c => c.Curves[0].TestRows);
        return least == most ? $"n = {least} test images" : $"n = {least} to {most} test images";
    }

    private static string Draws(MeanCurve curve) =>
        $"{Tables.Counted(curve.Curves.Length, "seed")} x {curve.Curves[0].F1[0].Length} draws";
}
