using DermKit.Reporting;
using DermKit.Evaluation;
using System.Globalization;

namespace DermKit.Studies;

/// <summary>Scores of models at their own width and at one width for all.</summary>
public static class WidthReport
{
    /// <summary>Each model at both widths, and the paired difference.</summary>
    /// <param name="rows">From <see cref="FeatureWidth.Compare"/>.</param>
    /// <param name="width">The width that was asked for.</param>
    public static Table Table(IReadOnlyList<WidthRow> rows, int width) => Tables.From($"Own width against {width} principal components", rows,
        ("Model", r => r.Model), ("Probe", r => r.Probe), ("Tasks (n)", r => $"{ProbingReport.MeanOver(r.Task, r.Tasks)} ({r.Units})"), ("Width", r => $"{Range(r.Kept, k => k.From, "0")} → {Range(r.Kept, k => k.Width, "0")}"),
        ("Variance kept", r => Range(r.Kept, k => k.Share, "0.0000")), ("F1, own [95 %]", r => Estimate.Of(r.Own)),
        ("F1, components [95 %]", r => Estimate.Of(r.Narrow)),
        ("Difference [95 %]", r => Estimate.Of(r.Difference.Difference)),
        ("p (Holm)", r => Tables.P(r.AdjustedP, r.IsBound))) with
    {
        Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
        Basis = new($"{Basis.Units} of all tasks of a mean, with the tasks", Basis.Mean(rows.Select(r => r.Seeds)),
            Basis.Bootstrap(), Basis.Paired("components minus own width", $"the {rows.Count} rows",
            rows.Any(r => r.IsBound))),
        Note = $"Components are learned from the training images of each task and seed alone, centred and not scaled (kNN measures angles around the mean then, not around zero). {(rows.SelectMany(r => r.Kept).Any(k => k.Width < width) ? $"Fewer than {width}: the training images differ in no more directions, of which there are at most as many as features, and as images minus one. " : "")}Variance kept: of the training images, from the least to the most over tasks and seeds. {ProbingReport.SeenNote}",
    };

    /// <summary>Each model at both widths, with intervals.</summary>
    /// <param name="rows">From <see cref="FeatureWidth.Compare"/>.</param>
    /// <param name="width">The width that was asked for.</param>
    public static BarFigure Figure(IReadOnlyList<WidthRow> rows, int width)
    {
        string Name(WidthRow r) => $"{r.Model}, {r.Probe}{(rows.Select(x => x.Task).Distinct().Count() > 1 ? r.Task == Comparison.Inside ? ", seen" : ", unseen" : "")}";
        return new("width", $"F1 at own width and at {width}", $"Mean over tasks; bars are 95 % bootstrap intervals over test patients, lesions or images. Both scores of a line share their test images, so the table's paired difference says more than the overlap of the bars.{(rows.Any(r => r.Task == Comparison.Inside) ? $" {ProbingReport.SeenNote}" : "")}",
            $"Points with intervals: {string.Join("; ", rows.Select(r => $"{Name(r)} {Tables.Interval(r.Own)} at its own width and {Tables.Interval(r.Narrow)} with components"))}.",
            [.. rows.Select(Name)], [new("own width", [.. rows.Select(r => Estimate.Of(r.Own))]), new($"{width} components", [.. rows.Select(r => Estimate.Of(r.Narrow))])], "Model and probe", "Mean F1 (0-1)") { Points = true, Horizontal = true, Stamp = Stamps.Join(rows.Select(r => r.Stamp)) };
    }

    private static string Range(IReadOnlyList<Reduction> kept, Func<Reduction, double> value, string format)
    {
        string low = kept.Min(value).ToString(format, CultureInfo.InvariantCulture), high = kept.Max(value).ToString(format, CultureInfo.InvariantCulture);
        return low == high ? low : $"{low} to {high}";
    }
}
