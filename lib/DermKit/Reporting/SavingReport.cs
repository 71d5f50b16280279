using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>Labels that models save against baselines, on each task and over tasks (<see cref="LabelSaving"/>). Models
/// are the trained ones that are no baselines, or without any the others; trained baselines are compared with the other
/// baselines too.</summary>
public static class SavingReport
{
    private const string HowToRead = "A pair is a task and a size of the baseline; its ratio is n of the baseline / n "
        + "of the model at the same mean F1, interpolated over log n; above 1 the model saves labels. ≥ (at least): "
        + "the model is above that F1 with the fewest labels. ≤ (at most): it does not reach it. The median is over "
        + "all pairs, the same ones in every resample; bounded ratios may bound it, and the interval is that of the "
        + "bounds.";

    /// <summary>Medians over the tasks of a group, with all baselines side by side. The headline is that of the first
    /// model against the first baseline; it names a factor only when that was trained.</summary>
    /// <exception cref="KitException">Two models have no task in common, or their draws differ.</exception>
    public static Table Savings(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ModelDefinition> models,
        IReadOnlyList<string> baselines)
    {
        string[] trained = [.. models.Where(IsTrained).Select(m => m.Name)];
        string[] shown = [.. Compared(models, baselines), .. baselines.Where(trained.Contains)];
        var lines = shown.SelectMany(model => Probed(curves).Select(probe => Against(curves, model, probe, baselines)))
            .Where(against => against.Any(p => p is not null)).ToArray();
        Pairing[] all = [.. lines.SelectMany(against => against.OfType<Pairing>())];
        IEnumerable<string> heads = baselines.SelectMany(b => new[] { $"{b}: median [95 %]", "read off, ≥, ≤" });
        return new("Labels that a baseline takes for one that a model takes",
            ["Model", "Probe", "Tasks (n)", .. heads], [.. lines.SelectMany(Rows)])
        {
            Stamp = Stamp(all),
            Headline = all.FirstOrDefault() is { } first && !baselines.Contains(first.Model.Model)
                ? Headline(first, trained.Contains(first.Baseline.Model)) : "",
            Footnote = all.Length == 0 ? null : Footnote(all[0], "each model against each baseline"),
            Note = all.Length == 0 ? "There is no second model to compare with."
                : $"–: the model itself. {HowToRead}",
        };

        static IEnumerable<IReadOnlyList<object?>> Rows(Pairing?[] against)
        {
            Pairing any = against.OfType<Pairing>().First();
            return any.Summary.Select(r => Tables.Row([any.Model.Model, any.Model.Probe, any.Label(r),
                .. against.SelectMany(p => Cells(p?.Rows.First(other => other.Task == r.Task)))]));
        }

        static string[] Cells(SavingRow? r) =>
            r is null ? ["–", "–"] : [Median(r.Median), $"{r.Crossing}, {r.AtLeast}, {r.AtMost}"];
    }

    /// <summary>A figure for each model: its medians over groups and on each task, against every baseline.</summary>
    /// <inheritdoc cref="Savings"/>
    public static IReadOnlyList<RatioFigure> Figures(IReadOnlyList<MeanCurve> curves,
        IReadOnlyList<ModelDefinition> models, IReadOnlyList<string> baselines) =>
        [.. Compared(models, baselines).Select((model, i) => Of($"label-saving-{i + 1}", model, [.. baselines
            .SelectMany(b => Probed(curves).Select(p => Pairing.Of(curves, (model, p), (b, p))))]))];

    /// <summary>Labels that kNN needs for one of the linear probe on the first trained model, else the first model; a
    /// sentence if one probe was not run.</summary>
    public static object Probes(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ModelDefinition> models)
    {
        string model = (models.FirstOrDefault(IsTrained) ?? models[0]).Name;
        if (!Probed(curves).Contains("knn") || !Probed(curves).Contains("linear"))
            return "Set probes to knn,linear to compare the two.";
        return Details($"Labels that kNN takes for one that the linear probe takes: {model}",
            [Pairing.Of(curves, (model, "linear"), (model, "knn"))]);
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

    private static RatioFigure Of(string id, string model, Pairing[] against)
    {
        SavingRow[] rows = [.. against[0].Rows];
        RatioSeries[] series = Array.ConvertAll(against, p => new RatioSeries($"{p.Baseline.Model}, {p.Baseline.Probe}",
            Array.ConvertAll(rows, r => p.Rows.FirstOrDefault(o => o.Task == r.Task)?.Median)));
        IEnumerable<string> said = against.SelectMany(p => p.Rows.Where(r => r.IsGroup).Select(r =>
            $"against {p.Baseline.Model} ({p.Baseline.Probe}), {r.Task}: {Median(r.Median)}"));
        return new(id, $"Labels of a baseline for one of {model}",
            "Median ratio over all pairs of a task and a label number; right of the dashed line the model takes fewer "
            + $"labels. Lines are 95 % bootstrap intervals over {LabelReport.Seeds}. A filled mark is a known median. "
            + "Where bounded pairs decide, open marks are the ends of what it may be, and an arrow says that it or its "
            + "interval has no end on that side.",
            $"{series.Length} marks for each of {rows.Length} rows; {string.Join("; ", said)}.",
            Array.ConvertAll(rows, r => r.Tasks > 1 ? $"{r.Task} ({r.Tasks} tasks)" : r.Task), series,
            "Labels of the baseline for one of the model", Details($"Labels of a baseline for one of {model}", against))
        { Stamp = Stamp(against) };
    }

    private static Table Details(string caption, IReadOnlyList<Pairing> pairings) => Tables.From(caption,
        pairings.SelectMany(p => p.Rows.Select(r => (Pair: p, Row: r))),
        ("Task (n)", r => r.Pair.Label(r.Row)),
        ("Against", r => $"{r.Pair.Baseline.Model}, {r.Pair.Baseline.Probe}"),
        ("Pairs", r => r.Row.Pairs),
        ("Read off", r => r.Row.Crossing),
        ("≥", r => r.Row.AtLeast),
        ("≤", r => r.Row.AtMost),
        ("Median ratio, all pairs [95 %]", r => Median(r.Row.Median)),
        ("Geometric mean, read off", r => r.Row.Crossing == 0 ? "none" : r.Row.Ratio),
        ("Falling", r => r.Row.Falling),
        ("F1 gain [95 %]", r => Estimate.Of(r.Row.Difference))) with
    {
        Stamp = Stamp(pairings),
        Footnote = Footnote(pairings[0], "the model against each baseline"),
        Note = $"{HowToRead} The geometric mean is over the pairs read off alone, which depend on the sample: it has "
            + "no interval. Falling: curves whose mean falls somewhere; of several n with one F1 the one nearest to "
            + "the baseline's counts. F1 gain: model minus baseline with the most labels.",
    };

    private static TableFootnote Footnote(Pairing any, string comparison) => new("test images, with each task",
        $"{LabelReport.Draws(any.Curves[0])}, averaged", $"95 %, percentile bootstrap over {LabelReport.Seeds}",
        $"{comparison}, on the same draws and resamples");

    private static string Headline(Pairing pair, bool isTrained)
    {
        ((string model, string probe), (string baseline, _), IReadOnlyList<SavingRow> rows, MeanCurve[] curves) = pair;
        MeanCurve[] counted = [.. curves.Where(c => c.Curves[0].InMeans && c.Model == model)];
        SavingRow[] tasks = [.. rows.Where(r => counted.Any(c => c.Task == r.Task))];
        if (tasks.Length == 0) return "";
        var adjusted = PairedTest.Holm(tasks.Select(Difference));
        SavingRow[] shown = [.. tasks.Where((_, i) => adjusted[i].P < 0.05)];
        int above = shown.Count(r => r.Difference.Value > 0);
        // The least p of R resamples is 2 / (R + 1); Holm's first step multiplies it by the number of tasks.
        bool isTooFew = tasks.Length * 2.0 / (curves[0].Resampled.Length + 1) >= 0.05;
        string least = Tables.Interval(tasks.MinBy(r => r.Difference.Value)!.Difference);
        string most = Tables.Interval(tasks.MaxBy(r => r.Difference.Value)!.Difference);
        IEnumerable<string> factors = rows.Where(r => isTrained && r.Tasks > 1).Select(r =>
            $" Labels of {baseline} for one of {model}, {r.Task}: median of all {r.Pairs} pairs "
            + $"{Median(r.Median)} ({r.Crossing} read off, {r.AtLeast} at least, {r.AtMost} at most).");
        return $"{Stamps.Bracket(Stamp([pair]))}{model} against {baseline} ({probe}), each task "
            + $"with the most labels it has: above on {above}, below on {shown.Length - above} of {tasks.Length} tasks "
            + $"at 0.05 after Holm's correction over the {tasks.Length}, by the bootstrap over draws and test units"
            + $"{(isTooFew ? " (so few resamples can show none)" : "")} ({LabelReport.Draws(counted[0])}, "
            + $"{LabelReport.TestImages(counted)}); F1 differences from {least} to {most}.{string.Concat(factors)}";

        PairedDifference Difference(SavingRow row) => PairedDifference.Of(row.Difference.Value,
            [.. Resampled(row.Task, model).Zip(Resampled(row.Task, baseline), (a, b) => a[^1] - b[^1])]);
        double[][] Resampled(string task, string who) => curves.First(c => c.Task == task && c.Model == who).Resampled;
    }

    private static IEnumerable<string> Compared(IReadOnlyList<ModelDefinition> models, IReadOnlyList<string> baselines)
    {
        ModelDefinition[] others = [.. models.Where(m => !baselines.Contains(m.Name))];
        return others.Where(m => IsTrained(m) || !others.Any(IsTrained)).Select(m => m.Name);
    }

    private static bool IsTrained(ModelDefinition model) => model.Source != "random";

    private static IEnumerable<string> Probed(IReadOnlyList<MeanCurve> curves) =>
        curves.Select(c => c.Probe).Distinct();

    // Null for the model itself.
    private static Pairing?[] Against(IReadOnlyList<MeanCurve> curves, string model, string probe,
        IReadOnlyList<string> baselines) => [.. baselines.Select(b => b == model ? null
            : Pairing.Of(curves, (model, probe), (b, probe)))];

    private static string Stamp(IEnumerable<Pairing> pairings) =>
        LabelReport.Stamp(pairings.SelectMany(p => p.Curves));

    // Rows of a model against a baseline, groups first, and the curves of both.
    private sealed record Pairing((string Model, string Probe) Model, (string Model, string Probe) Baseline,
        IReadOnlyList<SavingRow> Rows, MeanCurve[] Curves)
    {
        // Groups and single tasks of a group, or all tasks where none counts in means.
        public IEnumerable<SavingRow> Summary => Rows.Any(r => r.IsGroup) ? Rows.Where(r => r.IsGroup) : Rows;

        public static Pairing Of(IReadOnlyList<MeanCurve> curves, (string Model, string Probe) model,
            (string Model, string Probe) baseline)
        {
            IReadOnlyList<SavingRow> rows = LabelSaving.Table(curves, model, baseline);
            if (rows.Count == 0)
                throw new KitException($"Label saving: {model.Model} ({model.Probe}) and {baseline.Model} "
                    + $"({baseline.Probe}) have no task in common; run both.");
            return new(model, baseline, [.. rows.OrderBy(r => r.Tasks > 1 ? 0 : 1)],
                [.. curves.Where(c => (c.Model, c.Probe) == model || (c.Model, c.Probe) == baseline)]);
        }

        public string Label(SavingRow row) => row.Tasks > 1 ? $"{row.Task} ({row.Tasks} tasks)"
            : $"{row.Task} ({Curves.First(c => c.Task == row.Task).Curves[0].TestRows})";
    }
}
