using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Tables and figures of a probe that is trained on one set and tested on another.</summary>
public static class CrossSetReport
{
    /// <summary>What each set brings: training and test images and the positive ones among them.</summary>
    /// <param name="tasks">From <see cref="CrossSet.Open"/>.</param>
    /// <param name="plan">Names the size that images are brought to.</param>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks, CrossSetPlan plan) => Tables.From("The two sets", tasks.Select(t => (Task: t, Split: t.SplitFor(1))),
        ("Set", t => t.Task.Definition.Name), ("What", t => t.Task.Definition.Title), ("Training images", t => t.Split.Train.Length), ("Positive", t => t.Split.Train.Count(i => t.Task.Labels[i] == 1)),
        ("Test images", t => t.Split.Test.Length), ("Positive in test", t => t.Split.Test.Count(i => t.Task.Labels[i] == 1)), ("Test units", t => t.Split.Test.Select(i => t.Task.UnitOf(i)).Distinct().Count())) with
    {
        Stamp = Stamps.Join(tasks.Select(t => t.Definition.Stamp)),
        Note = $"{(plan.Suite.Geometry is var (width, height) ? $"Every image is brought to {width} x {height} pixels (bilinear, antialiased) before the protocol's transform; its compression stays what it was." : "Images are not brought to one size.")} {(plan.EqualTraining ? "Both sets are cut to the training images of the smaller one." : "")} A unit is a lesion or patient where the set has ids, else an image.".Replace("  ", " "),
    };

    /// <summary>Scores within and across, and the paired drop, for every test set, model, probe and metric.</summary>
    /// <param name="drops">From <see cref="CrossDrop.Of"/>.</param>
    /// <param name="caption">Caption.</param>
    /// <param name="headline">Whether the report's index names the largest drop of AUROC.</param>
    public static Table Drops(IReadOnlyList<CrossDrop> drops, string caption, bool headline = false)
    {
        var adjusted = PairedTest.Holm(drops.Select(d => d.Drop));
        CrossDrop[] auroc = [.. drops.Where(d => d.Metric == "auroc")];
        CrossDrop? largest = auroc.MaxBy(d => d.Drop.Difference.Value);
        string P(CrossDrop drop) => adjusted[drops.Index().First(d => d.Item == drop).Index] is var (p, isBound)
            ? Tables.P(p, isBound) : "";
        string stamp = Stamps.Join(drops.Select(d => d.Stamp));
        return Tables.From(caption, drops.Select(d => (Drop: d, P: P(d))),
            ("Test set", r => r.Drop.Test), ("Model", r => r.Drop.Model), ("Probe", r => r.Drop.Probe), ("Metric", r => r.Drop.Metric == "auroc" ? "AUROC" : "F1"),
            ("n (positive)", r => $"{r.Drop.Images} ({r.Drop.Positives})"), ("Within [95 %]", r => Tables.Interval(r.Drop.Within)), ("Across [95 %]", r => Tables.Interval(r.Drop.Across)), ("Drop [95 %]", r => Tables.Interval(r.Drop.Drop.Difference)), ("p (Holm)", r => r.P)) with
        {
            Stamp = stamp,
            Headline = !headline || largest is null ? ""
                : $"{Stamps.Bracket(stamp)}Trained on {largest.Train}, tested on {largest.Test}: AUROC "
                + $"{Tables.Interval(largest.Across)} "
                + $"against {Tables.Interval(largest.Within)} within, the largest of {auroc.Length} drops, "
                + $"{Tables.Interval(largest.Drop.Difference)}, "
                + $"p {P(largest)} after Holm's correction over all {drops.Count} ({largest.Model}, {largest.Probe}, "
                + $"n = {largest.Units} test units).",
            Basis = new("test images, positive ones in brackets, in a column", Basis.Mean(drops.Select(d => d.Seeds)),
                Basis.Bootstrap(),
                Basis.Paired("drop: within minus across", $"the {drops.Count} rows", adjusted.Any(p => p.IsBound))),
            Note = "Within: trained on the test set's own training part; across: on that of the other set. F1 is that of the positive class at probability 0.5, and depends on how frequent it is in either training part; AUROC does so little.",
        };
    }

    /// <summary>AUROC within and across for each test set.</summary>
    /// <param name="drops">From <see cref="CrossDrop.Of"/>.</param>
    public static BarFigure Figure(IReadOnlyList<CrossDrop> drops)
    {
        CrossDrop[] auroc = [.. drops.Where(d => d.Metric == "auroc")];
        var series = new[] { ("trained within", (Func<CrossDrop, Interval>)(d => d.Within)), ("trained on the other set", d => d.Across) }
            .Select(s => new BarSeries(s.Item1, [.. auroc.Select(d => Estimate.Of(s.Item2(d)))])).ToArray();
        string[] names = [.. auroc.Select(d => $"{d.Test}: {d.Model}, {d.Probe}")];
        return new("cross-auroc", "AUROC within a set and from the other", "Bars are 95 % bootstrap intervals over test units; two that overlap may still differ, because both probes are scored on the same images: the table pairs them.",
            $"Pairs of points with intervals: {string.Join("; ", auroc.Select((d, i) => $"{names[i]} {Tables.Interval(d.Within)} within, {Tables.Interval(d.Across)} across"))}.", names, series, "Test set, model and probe", "AUROC (0-1)")
        { Points = true, Horizontal = true, Reference = (0.5, "chance"), Stamp = Stamps.Join(drops.Select(d => d.Stamp)) };
    }
}
