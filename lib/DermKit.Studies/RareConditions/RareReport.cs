using DermKit.Data;

namespace DermKit.Studies;

/// <summary>Tables and figures of scores by class.</summary>
public static class RareReport
{
    private const string Undefined = "Resamples of test units without the class are left out.";
    private const string InColumns = "test images and units of the class in a column";

    /// <summary>Training images of every class, and whether it is rare.</summary>
    public static Table Classes(IReadOnlyList<ProbeTask> tasks, RareConditionsPlan plan)
    {
        var rows = tasks.SelectMany(task =>
        {
            Split split = task.SplitFor(plan.Labels.Suite.Seeds[0]);
            IReadOnlyList<int> rare = RareConditions.Rarest(task, plan);
            int[] Of(int[] rows, int c) => [.. rows.Where(i => task.Labels[i] == c)];
            return task.ClassNames.Select((name, c) => (Task: task, Name: name, IsRare: rare.Contains(c),
                Train: Of(split.Train, c).Length, All: split.Train.Length, Test: Of(split.Test, c)))
                .OrderBy(r => r.Train);
        });
        string rare = plan.Named is not null ? "named by the settings"
            : plan.Rare > 0 ? $"the {plan.Rare} with the fewest training images"
            : "the third of a task's classes with the fewest training images, rounded up";
        string thinned = plan.Fewest == 0 ? ""
            : $" This mode thins the tasks: the rarest class keeps {plan.Fewest} training and {plan.Fewest} test "
            + "images, one with four times as many keeps twice as many, so rare classes are less rare here.";
        return Tables.From("Classes by training images", rows,
            ("Task", r => r.Task.Definition.Name), ("Class", r => r.Name), ("Rare", r => r.IsRare ? "rare" : ""),
            ("Training images", r => r.Train), ("Share", r => $"{Math.Round(100.0 * r.Train / r.All, 1)} %"),
            ("Test images", r => r.Test.Length == 0 ? "no test image" : r.Test.Length),
            ("Test units", r => r.Test.Select(r.Task.UnitOf).Distinct().Count())) with
        {
            Stamp = Stamps.Of(tasks),
            Note = $"A unit is a patient or lesion if known, else an image. Rare: {rare}; a class without "
                + $"a test image is not scored.{thinned}",
        };
    }

    /// <summary>A metric of a task: a row for each class and model, a column for each probe.</summary>
    /// <exception cref="KitException">There is no such score.</exception>
    public static Table Scores(IReadOnlyList<ClassScore> scores, string task, string metric)
    {
        ClassScore[] own = Own(scores, task, metric);
        string[] probes = [.. own.Select(s => s.Probe).Distinct()];
        var rows = own.GroupBy(s => (s.Size, s.Model)).OrderBy(g => g.Key.Size.TrainImages)
            .ThenBy(g => g.Key.Size.Class, StringComparer.Ordinal);
        IReadOnlyList<object?> Row(ClassSize size, string model, IEnumerable<ClassScore> of) =>
            [size.Class, size.TrainImages, Test(size), model,
            .. probes.Select(probe => Cell(of.Single(s => s.Probe == probe)))];
        return new($"{task}: {Name(metric)} of each class [95 %]",
            ["Class", "n train", "n test (units)", "Model", .. probes],
            [.. rows.Select(g => Row(g.Key.Size, g.Key.Model, g))])
        {
            Stamp = Stamps.Join(own.Select(s => s.Stamp)),
            Footnote = new("training and test images and test units of the class in columns",
                Seeds(own.Select(s => s.Size)), TableFootnote.Bootstrap(),
                "none here; differences are in a separate table"),
            Note = $"{Undefined} An interval without width, such as 0.00 [0.00, 0.00], says that no resample changes "
                + "the score, not that it is certain.",
        };
    }

    /// <summary>A metric of every class over its training images; F1's headline names the rarest class.</summary>
    /// <exception cref="KitException">There is no such score.</exception>
    public static ScatterFigure Figure(IReadOnlyList<ClassScore> scores, string task, string metric,
        string probe = "linear")
    {
        ClassScore[] own = [.. Own(scores, task, metric).Where(s => s.Probe == probe)];
        ClassScore[] shown = [.. own.Where(s => s.Score is not null)];
        if (shown.Length == 0)
            throw new KitException($"Scores by class, task '{task}': no {metric} with the probe {probe}; it has "
                + $"{Names.Listed(scores.Select(s => s.Probe).Distinct())}.");
        string[] models = [.. shown.Select(s => s.Model).Distinct()];
        string[] untested = [.. own.Where(s => s.Score is null).Select(s => s.Size.Class).Distinct()];
        ScatterGroup Group(string model)
        {
            ClassScore[] points = [.. shown.Where(s => s.Model == model)];
            // Names only at the points of the last model.
            string[]? names = model == models[^1] ? [.. points.Select(s => s.Size.Class)] : null;
            return new(model, [.. points.Select(s => (double)s.Size.TrainImages)],
                [.. points.Select(s => s.Score!.Value)], names, [.. points.Select(s => s.Score!.Low)],
                [.. points.Select(s => s.Score!.High)]);
        }
        IEnumerable<ClassSize> sizes = shown.Select(s => s.Size).Distinct();
        string tests = string.Join(", ", sizes.Select(s => $"{s.Class} {s.TestImages}"));
        string absent = untested.Length == 0 ? ""
            : $" Without a test image and not shown: {string.Join(", ", untested)}.";
        var points = shown.Select(s => $"{s.Size.Class} ({s.Size.TrainImages}), {s.Model} {Cell(s)}");
        return new($"rare-{metric}-{task}", $"{Name(metric)} of each class: {task}",
            $"The {probe} probe on frozen features, trained on all labels. A point is a class; bars are 95 % bootstrap "
            + $"intervals over test units, and models stand side by side. Test images: {tests}.{absent}",
            $"Points with intervals over the logarithm of training images: {string.Join("; ", points)}.",
            [.. models.Select(Group)], "Training images of the class (logarithmic)", $"{Name(metric)} (0-1)")
        {
            XTicks = Ticks(shown.Min(s => s.Size.TrainImages), shown.Max(s => s.Size.TrainImages)),
            Stamp = Stamps.Join(shown.Select(s => s.Stamp)),
            Headline = metric == "f1" ? Headline(task, probe, shown) : "",
        };
    }

    private static string Headline(string task, string probe, ClassScore[] shown)
    {
        ClassSize size = shown[0].Size;
        ClassScore[] rarest = [.. shown.Where(s => s.Size.Class == size.Class)];
        return $"{Stamps.Bracket(Stamps.Join(rarest.Select(s => s.Stamp)))}{task}, rarest class {size.Class} "
            + $"({size.TrainImages} training images), {probe} probe: F1 "
            + $"{string.Join(", ", rarest.Select(s => $"{Cell(s)} with {s.Model}"))}, n = {size.TestImages} test "
            + $"images of {size.TestUnits} units.";
    }

    /// <summary>Differences by class.</summary>
    public static Table Differences(IReadOnlyList<ClassDifference> differences, string caption, string headline = "")
    {
        ClassDifference[] tested = [.. differences.Where(d => d.Difference is not null)];
        int up = tested.Count(d => d.IsFound && d.Difference!.Difference.Value > 0);
        int down = tested.Count(d => d.IsFound) - up;
        string family = string.Join(" or ", tested.Select(d => d.Family).Distinct().Order());
        string stamp = Stamps.Join(differences.Select(d => d.Stamp));
        var others = differences.Select(d => $"{d.AgainstModel}, {d.AgainstProbe}").Distinct();
        return Tables.From(caption, differences,
            ("Task", d => d.Size.Task), ("Class", d => d.Size.Class), ("n train", d => d.Size.TrainImages),
            ("n test (units)", d => Test(d.Size)), ("Model", d => d.Model), ("Probe", d => d.Probe),
            ("Difference [95 %]", d => d.Difference is null ? "no test image" : d.Shown),
            ("p (Holm)", d => d.ShownP)) with
        {
            Stamp = stamp,
            Headline = headline.Length == 0 || tested.Length == 0 ? ""
                : $"{Stamps.Bracket(stamp)}{headline}: above on {up}, below on {down} of {tested.Length} pairs of "
                + $"class and probe after Holm's correction over all {family}, n = "
                + $"{tested.Min(d => d.Size.TestImages)} to {tested.Max(d => d.Size.TestImages)} test images of a "
                + "class.",
            Footnote = new(InColumns, Seeds(differences.Select(d => d.Size)), TableFootnote.Bootstrap(),
                TableFootnote.Paired($"minus {string.Join("; ", others)}",
                $"all {family} differences of every task, model, probe and class", tested.Any(d => d.IsBound))),
            Note = differences.Count == 0 ? "There is no second model to compare with."
                : $"{Undefined} An interval that includes 0 shows no difference, but does not exclude one.",
        };
    }

    /// <summary>What the numbers of test images allow to say of each class.</summary>
    public static Table Allows(IReadOnlyList<ClassDifference> differences, double difference = 0.1)
    {
        static object IfKnown(ClassDifference d, object value) => d.StandardError > 0 ? value : "–";
        static string Compared(ClassDifference d) => $"{Name(d.Metric)}, against {d.AgainstModel}";
        string IsShown(ClassDifference d) =>
            !(d.StandardError > 0) ? "not known" : d.Detectable <= difference ? "yes" : "no, too few";
        string compared = string.Join(", ", differences.Select(Compared).Distinct());
        return Tables.From($"Could a difference of {difference} be shown?",
            differences.Where(d => d.Difference is not null),
            ("Task", d => d.Size.Task), ("Class", d => d.Size.Class), ("n test (units)", d => Test(d.Size)),
            ("Model and probe", d => $"{d.Model}, {d.Probe}"),
            ("Standard error", d => IfKnown(d, d.StandardError)),
            ("Found four times in five", d => IfKnown(d, d.Detectable)),
            ($"Times the units for {difference}", d => IfKnown(d, d.TimesTheUnits(difference))),
            ("Shown?", d => IsShown(d)),
            ("Recall that no hit leaves open", d => 1 - Math.Pow(0.05, 1.0 / d.Size.TestUnits))) with
        {
            Stamp = Stamps.Join(differences.Select(d => d.Stamp)),
            Footnote = new(InColumns, Seeds(differences.Select(d => d.Size)),
                "standard error from the resampled differences", $"{compared}; no test is made here"),
            Note = differences.Count == 0 ? "There is no second model to compare with."
                : $"Found four times in five: {StudyReport.Power(differences)}. No standard error (–): both predict "
                + "the class alike in every resample, for example never. Recall that no hit leaves open: what recall "
                + "can be if none of the class's n test units is predicted right (1 - 0.05^(1/n), one-sided 95 %).",
        };
    }

    /// <summary>F1 or recall of a class over its labels, a line with band for each model and probe.</summary>
    public static LineFigure FewShot(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ClassScore> scores, ProbeTask task,
        string className, string metric = "f1")
    {
        MeanCurve[] own = Own(curves, task, className, metric);
        string name = task.Definition.Name;
        ClassScore[] all = [.. scores.Where(s => s.Score is not null
            && (s.Size.Task, s.Size.Class, s.Metric) == (name, className, metric))];
        LabelCurve one = own[0].Curves[0];
        ClassSize size = all[0].Size;
        static string Ends(MeanCurve c) => $"{LabelReport.Name(c)} from {Tables.Interval(c.F1[0])} with {c.Sizes[0]} "
            + $"to {Tables.Interval(c.F1[^1])} with {c.Sizes[^1]}";
        static double[] Numbers(IEnumerable<int> sizes) => [.. sizes.Select(n => (double)n)];
        static LineSeries Line(MeanCurve c) =>
            LineSeries.Of(LabelReport.Name(c), Numbers(c.Sizes), c.F1.Select(Estimate.Of));
        string inId = new([.. className.Where(char.IsAsciiLetterOrDigit)]);
        return new($"few-{metric}-{name}-{inId}", $"Few labels: {Name(metric)} of {className}",
            $"{task.Definition.Title}. n images of every class are drawn. Mean over {own[0].Curves.Length} seeds x "
            + $"{one.F1[0].Length} draws; the band is its 95 % bootstrap interval over {LabelReport.Seeds}. "
            + $"{one.TestRows} test images, {size.TestImages} of them {className}. With all labels, as frequent as "
            + $"they are ({size.TrainImages} of {className}): "
            + $"{string.Join("; ", all.Select(s => $"{s.Model}, {s.Probe} {Cell(s)}"))}.",
            $"{own.Length} lines over {own[0].Sizes.Length} numbers of labels: "
            + $"{string.Join("; ", own.Select(Ends))}.", [.. own.Select(Line)],
            "Labels of each class (images, logarithmic)", $"{Name(metric)} of {className} (0-1)")
        {
            LogX = true,
            XTicks = Numbers(own.SelectMany(c => c.Sizes).Distinct().Order()),
            Stamp = Stamp(own, all),
        };
    }

    /// <summary>A metric of the rare classes with n labels of each, beside all labels, unweighted and
    /// weighted.</summary>
    public static Table FewShot(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ClassScore> scores, ProbeTask task,
        IReadOnlyList<int> rare, string metric)
    {
        string name = task.Definition.Name;
        var rows = rare.Select(c => task.ClassNames[c]).SelectMany(label =>
            Own(curves, task, label, metric).Select(curve => (Class: label, Curve: curve))).ToArray();
        MeanCurve first = rows[0].Curve;
        int seeds = first.Curves.Length;
        string All(string label, string model, string probe)
        {
            ClassScore? score = scores.FirstOrDefault(s => (s.Size.Task, s.Size.Class, s.Metric, s.Model, s.Probe)
                == (name, label, metric, model, probe));
            return score is null ? "–" : Cell(score);
        }
        IReadOnlyList<object?> Row(string label, MeanCurve curve) =>
        [
            label, curve.Model, curve.Probe,
            .. first.Sizes.Select((_, i) => Tables.Interval(curve.F1[i])),
            All(label, curve.Model, curve.Probe),
            curve.Probe == "linear" ? All(label, curve.Model, RareConditions.Weighted) : "–",
        ];
        return new($"{name}: {Name(metric)} of the rare classes [95 %]",
            ["Class", "Model", "Probe", .. first.Sizes.Select(n => $"n = {n}"), "all labels", "all, weighted"],
            [.. rows.Select(r => Row(r.Class, r.Curve))])
        {
            Stamp = Stamp(rows.Select(r => r.Curve), scores.Where(s => s.Size.Task == name)),
            Footnote = new($"{first.Curves[0].TestRows} test images",
                $"{Tables.Counted(seeds, "seed")} x {first.Curves[0].F1[0].Length} draws, averaged",
                $"95 %, percentile bootstrap over {TableFootnote.Units}; those of draws resample {LabelReport.Seeds}",
                "none here"),
            Note = "n labels of each class, drawn; then all training images as frequent as they are; then with each "
                + "class weighing the same in the loss (linear probe). The smallest class limits n.",
        };
    }

    private static ClassScore[] Own(IReadOnlyList<ClassScore> scores, string task, string metric)
    {
        ClassScore[] own = [.. scores.Where(s => s.Size.Task == task && s.Metric == metric)];
        return own.Length > 0 ? own : throw new KitException($"Scores by class: no {metric} of task '{task}'; there "
            + $"are {Names.Listed(scores.Select(s => $"{s.Metric} of {s.Size.Task}").Distinct())}.");
    }

    private static MeanCurve[] Own(IReadOnlyList<MeanCurve> curves, ProbeTask task, string className, string metric)
    {
        string name = task.Definition.Name;
        string score = RareConditions.ScoreName(metric, className);
        MeanCurve[] own = [.. curves.Where(c => c.Task == name && c.Curves[0].Score == score)];
        return own.Length > 0 ? own : throw new KitException($"Few labels: no curve of {score} on task '{name}'; there "
            + $"are {Names.Listed(curves.Select(c => $"{c.Curves[0].Score} on {c.Task}").Distinct())}.");
    }

    // 1, 2, 5, 10, 20, ..., more in a short span, from the last not above the least to the first not below the most.
    private static double[] Ticks(double least, double most)
    {
        double[] steps = most < 10 * least ? [1, 1.5, 2, 3, 5, 7] : [1, 2, 5];
        double[] all = [.. Enumerable.Range(0, 7).SelectMany(decade => steps.Select(d => d * Math.Pow(10, decade)))];
        double start = all.Last(a => a <= Math.Max(1, least));
        double end = all.First(a => a >= most);
        return [.. all.Where(t => t >= start && t <= end)];
    }

    private static string Stamp(IEnumerable<MeanCurve> curves, IEnumerable<ClassScore> scores) =>
        Stamps.Join([Stamps.Of(curves.SelectMany(c => c.Curves)), .. scores.Select(s => s.Stamp)]);

    private static string Name(string metric) =>
        metric switch { "auroc" => "AUROC", "f1" => "F1", "recall" => "Recall", _ => metric };

    private static string Seeds(IEnumerable<ClassSize> sizes) => TableFootnote.Mean(sizes.Select(s => s.Seeds));

    private static string Test(ClassSize size) => $"{size.TestImages} ({size.TestUnits})";

    private static string Cell(ClassScore score) =>
        score.Score is { } interval ? Tables.Interval(interval) : "no test image";
}
