using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Tables and figures of scores class by class.</summary>
public static class RareReport
{
    private const string Undefined = "Resamples of test units without the class say nothing of it and are left out.";

    /// <summary>Every class of every task by its training images, and whether it is one of the rare ones.</summary>
    public static Table Classes(IReadOnlyList<ProbeTask> tasks, RareConditionsPlan plan) => Tables.From("Classes by training images", tasks.SelectMany(task =>
        {
            Data.Split split = task.SplitFor(plan.Labels.Suite.Seeds[0]);
            IReadOnlyList<int> rare = RareConditions.Rarest(task, plan);
            int[] Of(int[] rows, int c) => [.. rows.Where(i => task.Labels[i] == c)];
            return Enumerable.Range(0, task.ClassNames.Length).Select(c => (Task: task, Name: task.ClassNames[c], Rare: rare.Contains(c), Share: (double)Of(split.Train, c).Length / split.Train.Length, Train: Of(split.Train, c), Test: Of(split.Test, c))).OrderBy(r => r.Train.Length);
        }), ("Task", r => r.Task.Definition.Name), ("Class", r => r.Name), ("Rare", r => r.Rare ? "rare" : ""), ("Training images", r => r.Train.Length), ("Share", r => $"{Math.Round(100 * r.Share, 1)} %"),
        ("Test images", r => r.Test.Length == 0 ? "no test image" : r.Test.Length), ("Test units", r => r.Test.Select(i => r.Task.UnitOf(i)).Distinct().Count())) with
    {
        Stamp = Stamps.Join(tasks.Select(t => t.Definition.Stamp)),
        Note = $"A unit is a patient or lesion where the set has ids, else an image. Rare: {(plan.Named is not null ? "named by the settings" : plan.Rare > 0 ? $"the {plan.Rare} with the fewest training images" : "the third of a task's classes with the fewest training images, rounded up")}; a class without a test image is not scored."
            + (plan.Fewest > 0 ? $" This mode thins the tasks: the rarest class keeps {plan.Fewest} training and {plan.Fewest} test images, one with four times as many keeps twice as many. Rare classes are therefore less rare here than in the whole set." : ""),
    };

    /// <summary>One metric of every class of a task, a row for each class and model and a column for each probe.</summary>
    /// <exception cref="KitException">There is no score of that task and metric.</exception>
    public static Table Scores(IReadOnlyList<ClassScore> scores, string task, string metric)
    {
        ClassScore[] own = Own(scores, task, metric);
        (string, Func<IGrouping<(ClassSize, string), ClassScore>, object?>)[] head = [("Class", g => g.First().Size.Class), ("n train", g => g.First().Size.TrainImages), ("n test (units)", g => Test(g.First().Size)), ("Model", g => g.First().Model)];
        var rows = own.GroupBy(s => (s.Size, s.Model)).OrderBy(g => g.Key.Size.TrainImages).ThenBy(g => g.Key.Size.Class, StringComparer.Ordinal);
        return Tables.From($"{task}: {Name(metric)} of each class [95 %]", rows,
            [.. head, .. own.Select(s => s.Probe).Distinct().Select(probe => (probe, (Func<IGrouping<(ClassSize, string), ClassScore>, object?>)(g => Cell(g.Single(s => s.Probe == probe)))))]) with
        {
            Stamp = Stamps.Join(own.Select(s => s.Stamp)),
            Basis = new("training images, test images and test units of the class in columns", Seeds(own.Select(s => s.Size)), Basis.Bootstrap(), "none here; differences stand in a table of their own"),
            Note = $"{Undefined} An interval without width, such as 0.00 [0.00, 0.00], says that no resample could change the score, not that it is certain.",
        };
    }

    /// <summary>One metric of every class over its training images, a group of points for each model with one probe. The figure of F1 has a headline about the rarest class.</summary>
    /// <exception cref="KitException">There is no score of that task and metric with the probe.</exception>
    public static ScatterFigure Figure(IReadOnlyList<ClassScore> scores, string task, string metric, string probe = "linear")
    {
        ClassScore[] own = [.. Own(scores, task, metric).Where(s => s.Probe == probe)], shown = [.. own.Where(s => s.Score is not null)];
        if (shown.Length == 0)
            throw new KitException($"Scores by class, task '{task}': no {metric} with the probe {probe}; it has {Names.Listed(scores.Select(s => s.Probe).Distinct())}.");
        string[] models = [.. shown.Select(s => s.Model).Distinct()], absent = [.. own.Where(s => s.Score is null).Select(s => s.Size.Class).Distinct()];
        // Names stand once, at the points of the last model.
        ScatterGroup[] groups = [.. models.Select(m => (Name: m, Points: shown.Where(s => s.Model == m).ToArray())).Select(g => new ScatterGroup(g.Name, [.. g.Points.Select(s => (double)s.Size.TrainImages)], [.. g.Points.Select(s => s.Score!.Value)],
            g.Name == models[^1] ? [.. g.Points.Select(s => s.Size.Class)] : null, [.. g.Points.Select(s => s.Score!.Low)], [.. g.Points.Select(s => s.Score!.High)]))];
        ClassScore[] rarest = [.. shown.Where(s => s.Size.Class == shown[0].Size.Class)];
        return new($"rare-{metric}-{task}", $"{Name(metric)} of each class: {task}", $"The {probe} probe on frozen features, trained on all labels. A point is a class, its place the number of its training images; bars are 95 % bootstrap intervals over test units, and models stand side by side. Test images: {string.Join(", ", shown.Select(s => s.Size).Distinct().Select(s => $"{s.Class} {s.TestImages}"))}.{(absent.Length > 0 ? $" Without a test image and not shown: {string.Join(", ", absent)}." : "")}",
            $"Points with intervals over the logarithm of training images: {string.Join("; ", shown.Select(s => $"{s.Size.Class} ({s.Size.TrainImages}), {s.Model} {Cell(s)}"))}.", groups, "Training images of the class (logarithmic)", $"{Name(metric)} (0-1)")
        {
            LogX = true, ShowLabels = true, SideBySide = true, XTicks = Ticks(shown.Min(s => s.Size.TrainImages), shown.Max(s => s.Size.TrainImages)), Stamp = Stamps.Join(shown.Select(s => s.Stamp)),
            Headline = metric != "f1" ? "" : $"{Stamps.Bracket(Stamps.Join(rarest.Select(s => s.Stamp)))}{task}, "
                + $"rarest class {rarest[0].Size.Class} ({rarest[0].Size.TrainImages} training images), {probe} "
                + $"probe: F1 {string.Join(", ", rarest.Select(s => $"{Cell(s)} with {s.Model}"))}, n = "
                + $"{rarest[0].Size.TestImages} test images of {rarest[0].Size.TestUnits} units.",
        };
    }

    /// <summary>Differences class by class.</summary>
    /// <param name="differences">From <see cref="RareConditionScores.Differences"/>.</param>
    /// <param name="caption">What is compared.</param>
    /// <param name="headline">What the report's index calls the comparison; empty for no headline.</param>
    public static Table Differences(IReadOnlyList<ClassDifference> differences, string caption, string headline = "")
    {
        ClassDifference[] tested = [.. differences.Where(d => d.Difference is not null)];
        ClassDifference[] shown = [.. tested.Where(d => d.AdjustedP < 0.05)];
        int up = shown.Count(d => d.Difference!.Difference.Value > 0);
        string family = string.Join(" or ", tested.Select(d => d.Family).Distinct().Order());
        string stamp = Stamps.Join(differences.Select(d => d.Stamp));
        return Tables.From(caption, differences, ("Task", d => d.Size.Task), ("Class", d => d.Size.Class), ("n train", d => d.Size.TrainImages), ("n test (units)", d => Test(d.Size)),
            ("Model", d => d.Model), ("Probe", d => d.Probe),
            ("Difference [95 %]", d => d.Difference is { } x ? Tables.Interval(x.Difference) : "no test image"),
            ("p (Holm)", d => Tables.P(d.AdjustedP, d.IsBound))) with
        {
            Stamp = stamp,
            Headline = headline.Length == 0 || tested.Length == 0 ? ""
                : $"{Stamps.Bracket(stamp)}{headline}: above on {up}, below on {shown.Length - up} of {tested.Length} "
                + $"pairs of class and probe after Holm's correction over all {family}, n = "
                + $"{tested.Min(d => d.Size.TestImages)} to {tested.Max(d => d.Size.TestImages)} test images of a "
                + "class.",
            Basis = new("test images and units of the class in a column", Seeds(differences.Select(d => d.Size)),
                Basis.Bootstrap(),
                Basis.Paired($"minus "
                + $"{string.Join("; ", differences.Select(d => $"{d.AgainstModel}, {d.AgainstProbe}").Distinct())}",
                $"all {family} differences of every task, model, probe and class", tested.Any(d => d.IsBound))),
            Note = $"{Undefined} An interval that holds 0 shows no difference, and does not show that there is none.",
        };
    }

    /// <summary>What the numbers of test images allow to say of each class.</summary>
    /// <param name="differences">Of one metric, from <see cref="RareConditionScores.Differences"/>.</param>
    /// <param name="difference">The difference that one would like to show.</param>
    public static Table Allows(IReadOnlyList<ClassDifference> differences, double difference = 0.1) => Tables.From($"Could a difference of {difference} be shown?", differences.Where(d => d.Difference is not null),
        ("Task", d => d.Size.Task), ("Class", d => d.Size.Class), ("n test (units)", d => Test(d.Size)), ("Model and probe", d => $"{d.Model}, {d.Probe}"), ("Standard error", d => d.StandardError > 0 ? d.StandardError : "–"),
        ("Found four times in five", d => d.StandardError > 0 ? PairedTest.Detectable(d.StandardError, d.Family) : "–"),
        ($"Times the units for {difference}", d => d.StandardError > 0
        ? PairedTest.TimesTheUnits(d.StandardError, difference, d.Family) : "–"),
        ("Shown?", d => !(d.StandardError > 0) ? "not known"
        : PairedTest.Detectable(d.StandardError, d.Family) <= difference ? "yes" : "no, too few"),
        ("Recall that no hit leaves open", d => 1 - Math.Pow(0.05, 1.0 / d.Size.TestUnits))) with
    {
        Stamp = Stamps.Join(differences.Select(d => d.Stamp)),
        Basis = new("test images and units of the class in a column", Seeds(differences.Select(d => d.Size)), "standard error from the resampled differences", $"{string.Join(", ", differences.Select(d => $"{Name(d.Metric)}, against {d.AgainstModel}").Distinct())}; no test is made here"),
        Note = $"Found four times in five: {Power(differences.Select(d => d.Family))}. No standard error (–): both "
            + "call the class alike in every resample, as when neither calls it at all. "
            + "Recall that no hit leaves open: if not one of the class's n test units is called right, its recall can still be this much (1 - 0.05^(1/n), one-sided 95 %).",
    };

    /// <summary>F1 or recall of one class over the labels of each class, a line with its band for each model and probe.</summary>
    /// <param name="curves">From <see cref="LabelMeans"/>.</param>
    /// <param name="scores">The same class with all labels, for the caption.</param>
    /// <param name="task">The task.</param>
    /// <param name="className">Name of the class.</param>
    /// <param name="metric">f1 or recall.</param>
    /// <exception cref="KitException">There is no such curve.</exception>
    public static LineFigure FewShot(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ClassScore> scores, ProbeTask task, string className, string metric = "f1")
    {
        MeanCurve[] own = Own(curves, task, className, metric);
        ClassScore[] all = [.. scores.Where(s => (s.Size.Task, s.Size.Class, s.Metric) == (task.Definition.Name, className, metric) && s.Score is not null)];
        LabelCurve one = own[0].Curves[0];
        static string Ends(MeanCurve c) => $"{LabelReport.Name(c)} from {Tables.Interval(c.F1[0])} with {c.Sizes[0]} "
            + $"to {Tables.Interval(c.F1[^1])} with {c.Sizes[^1]}";
        return new($"few-{metric}-{task.Definition.Name}-{new string([.. className.Where(char.IsAsciiLetterOrDigit)])}", $"Few labels: {Name(metric)} of {className}",
            $"{task.Definition.Title}. n images of every class are drawn, so that all classes count alike. Mean over "
            + $"{own[0].Curves.Length} seeds x {one.F1[0].Length} draws; the band is its 95 % bootstrap interval over {LabelReport.Seeds}. {one.TestRows} test images, {all[0].Size.TestImages} of them {className}. With all labels, as frequent as they are ({all[0].Size.TrainImages} of {className}): {string.Join("; ", all.Select(s => $"{s.Model}, {s.Probe} {Cell(s)}"))}.",
            $"{own.Length} lines over {own[0].Sizes.Length} numbers of labels: "
            + $"{string.Join("; ", own.Select(Ends))}.",
            [.. own.Select(c => new LineSeries(LabelReport.Name(c), [.. c.Sizes.Select(n => (double)n)],
            [.. c.F1.Select(f => f.Value)], [.. c.F1.Select(f => f.Low)], [.. c.F1.Select(f => f.High)]))],
            "Labels of each class (images, logarithmic)", $"{Name(metric)} of {className} (0-1)")
        { LogX = true, XTicks = [.. own.SelectMany(c => c.Sizes).Distinct().Order().Select(n => (double)n)],
        Stamp = Stamp(own, all) };
    }

    /// <summary>One metric of the rare classes of a task with n labels of each class, beside all labels, as frequent as they are and weighted.</summary>
    /// <exception cref="KitException">There is no such curve.</exception>
    public static Table FewShot(IReadOnlyList<MeanCurve> curves, IReadOnlyList<ClassScore> scores, ProbeTask task, IReadOnlyList<int> rare, string metric)
    {
        var rows = rare.SelectMany(c => Own(curves, task, task.ClassNames[c], metric).Select(curve => (Class: task.ClassNames[c], Curve: curve))).ToArray();
        string All(string className, MeanCurve curve, string probe) => scores.FirstOrDefault(s => (s.Size.Task, s.Size.Class, s.Metric, s.Model, s.Probe) == (curve.Task, className, metric, curve.Model, probe)) is { } s ? Cell(s) : "–";
        (string, Func<(string Class, MeanCurve Curve), object?>)[] head = [("Class", r => r.Class), ("Model", r => r.Curve.Model), ("Probe", r => r.Curve.Probe)],
            tail = [("all labels", r => All(r.Class, r.Curve, r.Curve.Probe)), ("all, weighted", r => r.Curve.Probe == "linear" ? All(r.Class, r.Curve, RareConditions.Weighted) : "–")];
        return Tables.From($"{task.Definition.Name}: {Name(metric)} of the rare classes [95 %]", rows,
            [.. head, .. rows[0].Curve.Sizes.Select((n, i) => ($"n = {n}", (Func<(string Class, MeanCurve Curve), object?>)(r => Tables.Interval(r.Curve.F1[i])))), .. tail]) with
        {
            Stamp = Stamp(rows.Select(r => r.Curve), scores.Where(s => s.Size.Task == task.Definition.Name)),
            Basis = new($"{rows[0].Curve.Curves[0].TestRows} test images", $"{rows[0].Curve.Curves.Length} seed{(rows[0].Curve.Curves.Length == 1 ? "" : "s")} x {rows[0].Curve.Curves[0].F1[0].Length} draws, averaged", $"95 %, percentile bootstrap over {Basis.Units}; those of draws resample {LabelReport.Seeds}", "none here"),
            Note = $"n labels of each class, drawn; then all training images as frequent as they are; then all of them with each class weighing the same in the loss (linear probe). A size stops where the smallest class has no more images.",
        };
    }

    /// <summary>What a difference that is found four times in five rests on, for tables that show it.</summary>
    /// <param name="families">Numbers of comparisons that are corrected together.</param>
    internal static string Power(IEnumerable<int> families) => string.Join("; ", families.Distinct().Order().Select(m =>
        $"{Tables.Number(Math.Round(PairedTest.ErrorsToFind(m), 2))} standard errors, as the two-sided test at 0.05 "
        + $"with Holm's first step over {m} comparison{(m == 1 ? "" : "s")} asks by the normal approximation"));

    private static ClassScore[] Own(IReadOnlyList<ClassScore> scores, string task, string metric) =>
        scores.Where(s => s.Size.Task == task && s.Metric == metric).ToArray() is { Length: > 0 } own ? own
            : throw new KitException($"Scores by class: no {metric} of task '{task}'; there are {Names.Listed(scores.Select(s => $"{s.Metric} of {s.Size.Task}").Distinct())}.");

    private static MeanCurve[] Own(IReadOnlyList<MeanCurve> curves, ProbeTask task, string className, string metric) =>
        curves.Where(c => c.Task == task.Definition.Name && c.Curves[0].Score == RareConditions.ScoreName(metric, className)).ToArray() is { Length: > 0 } own ? own
            : throw new KitException($"Few labels: no curve of {RareConditions.ScoreName(metric, className)} on task '{task.Definition.Name}'; there are {Names.Listed(curves.Select(c => $"{c.Curves[0].Score} on {c.Task}").Distinct())}.");

    // 1, 2, 5, 10, 20, ..., and more within a short span, from the last that is not above the least to the first that is not below the most.
    private static double[] Ticks(double least, double most)
    {
        double[] all = [.. Enumerable.Range(0, 7).SelectMany(decade => (most < 10 * least ? new[] { 1, 1.5, 2, 3, 5, 7 } : [1, 2, 5]).Select(d => d * Math.Pow(10, decade)))];
        return [.. all.Where(t => t >= all.Last(a => a <= Math.Max(1, least)) && t <= all.First(a => a >= most))];
    }

    private static string Stamp(IEnumerable<MeanCurve> curves, IEnumerable<ClassScore> scores) =>
        Stamps.Join([Stamps.Of(curves.SelectMany(c => c.Curves)), .. scores.Select(s => s.Stamp)]);

    private static string Name(string metric) => metric switch { "auroc" => "AUROC", "f1" => "F1", "recall" => "Recall", _ => metric };

    private static string Seeds(IEnumerable<ClassSize> sizes) => Basis.Mean(sizes.Select(s => s.Seeds));

    private static string Test(ClassSize size) => $"{size.TestImages} ({size.TestUnits})";

    private static string Cell(ClassScore score) => score.Score is { } interval ? Tables.Interval(interval) : "no test image";
}
