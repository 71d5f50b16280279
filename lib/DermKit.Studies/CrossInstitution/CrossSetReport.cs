using DermKit.Data;

namespace DermKit.Studies;

/// <summary>Tables and figures of probes trained on one set and tested on another.</summary>
public static class CrossSetReport
{
    /// <summary>Training and test images of each set, and the positive ones.</summary>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks, CrossSetPlan plan)
    {
        static int Positives((ProbeTask Task, Split Split) set, int[] rows) => rows.Count(i => set.Task.Labels[i] == 1);
        string size = plan.Suite.Geometry is var (width, height)
            ? $"Every image is resized to {width} x {height} pixels before the protocol's transform; its compression "
            + "stays what it was."
            : "Images keep their own sizes.";
        string equal = plan.EqualTraining ? " Both sets are cut to the training images of the smaller one." : "";
        return Tables.From("The two sets", tasks.Select(t => (Task: t, Split: t.SplitFor(1))),
            ("Set", t => t.Task.Definition.Name), ("What", t => t.Task.Definition.Title),
            ("Training images", t => t.Split.Train.Length), ("Positive", t => Positives(t, t.Split.Train)),
            ("Test images", t => t.Split.Test.Length), ("Positive in test", t => Positives(t, t.Split.Test)),
            ("Test units", t => t.Split.Test.Select(t.Task.UnitOf).Distinct().Count())) with
        {
            Stamp = Stamps.Of(tasks),
            Note = $"{size}{equal} A unit is a lesion or patient if known, else an image.",
        };
    }

    /// <summary>Scores within and across and the paired drop for each test set, model, probe and metric; optionally
    /// headed by the largest drop of AUROC.</summary>
    public static Table Drops(IReadOnlyList<CrossDrop> drops, string caption, bool headline = false)
    {
        string stamp = Stamps.Join(drops.Select(d => d.Stamp));
        return Tables.From(caption, drops,
            ("Test set", d => d.Test), ("Model", d => d.Model), ("Probe", d => d.Probe),
            ("Metric", d => d.Metric == "auroc" ? "AUROC" : "F1"), ("n (positive)", d => $"{d.Images} ({d.Positives})"),
            ("Within [95 %]", d => Tables.Interval(d.Within)), ("Across [95 %]", d => Tables.Interval(d.Across)),
            ("Drop [95 %]", d => d.Shown), ("p (Holm)", d => d.ShownP)) with
        {
            Stamp = stamp,
            Headline = headline ? Stamps.Bracket(stamp) + Headline(drops) : "",
            Footnote = new("test images, positive ones in brackets, in a column",
                TableFootnote.Mean(drops.Select(d => d.Seeds)),
                TableFootnote.Bootstrap(), TableFootnote.Paired("drop: within minus across", $"the {drops.Count} rows",
                drops.Any(d => d.IsBound))),
            Note = "Within: trained on the test set's own training part; across: on the other set's. F1 of the "
                + "positive class depends on how frequent it is in training; AUROC hardly does.",
        };
    }

    /// <summary>The drops without copies of training images, or a sentence when there are none.</summary>
    public static object WithoutCopies(CrossSetRun run, IReadOnlySet<string> copies, int resamples = 1000) =>
        copies.Count == 0
            ? "No test image of this run was found to be a copy of a training image: the table above stays."
            : Drops(CrossDrop.Of(run.Rows, copies, resamples),
                $"The same without {copies.Count} test images that are copies of training images");

    /// <summary>AUROC within and across for each test set.</summary>
    public static BarFigure Figure(IReadOnlyList<CrossDrop> drops)
    {
        CrossDrop[] auroc = Auroc(drops);
        string[] names = [.. auroc.Select(d => $"{d.Test}: {d.Model}, {d.Probe}")];
        BarSeries[] series =
        [
            new("trained within", [.. auroc.Select(d => Estimate.Of(d.Within))]),
            new("trained on the other set", [.. auroc.Select(d => Estimate.Of(d.Across))]),
        ];
        var pairs = auroc.Select((d, i) =>
            $"{names[i]} {Tables.Interval(d.Within)} within, {Tables.Interval(d.Across)} across");
        return new("cross-auroc", "AUROC within a set and from the other",
            "Bars are 95 % bootstrap intervals over test units. Overlapping bars do not settle a difference: the table "
            + "pairs them.",
            $"Pairs of points with intervals: {string.Join("; ", pairs)}.", names, series,
            "Test set, model and probe", "AUROC (0-1)")
        {
            Points = true,
            Horizontal = true,
            Reference = (0.5, "chance"),
            Stamp = Stamps.Join(drops.Select(d => d.Stamp)),
        };
    }

    private static CrossDrop[] Auroc(IReadOnlyList<CrossDrop> drops) => [.. drops.Where(d => d.Metric == "auroc")];

    private static string Headline(IReadOnlyList<CrossDrop> drops)
    {
        CrossDrop[] auroc = Auroc(drops);
        CrossDrop largest = auroc.MaxBy(d => d.Difference!.Difference.Value)!;
        return $"Trained on {largest.Train}, tested on {largest.Test}: AUROC {Tables.Interval(largest.Across)} "
            + $"against {Tables.Interval(largest.Within)} within, the largest of {auroc.Length} drops, "
            + $"{largest.Shown}, p {largest.ShownP} after Holm's correction over all {drops.Count} "
            + $"({largest.Model}, {largest.Probe}, n = {largest.Units} test units).";
    }
}
