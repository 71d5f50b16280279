using System.Globalization;

namespace DermKit.Studies;

/// <summary>Scores at each model's own width and at one width for all.</summary>
public static class WidthReport
{
    /// <summary>Both widths of each model, and the paired difference.</summary>
    public static Table Table(IReadOnlyList<WidthRow> rows, int width)
    {
        string fewer = rows.SelectMany(r => r.Kept).All(k => k.Width >= width) ? ""
            : $"Fewer than {width}: the training images differ in no more directions. ";
        return Tables.From($"Own width against {width} principal components", rows,
            ("Model", r => r.Model), ("Probe", r => r.Probe),
            ("Tasks (n)", r => $"{StudyReport.MeanOver(r.Task, r.Tasks)} ({r.Units})"),
            ("Width", r => $"{Range(r.Kept, k => k.From, "0")} → {Range(r.Kept, k => k.Width, "0")}"),
            ("Variance kept", r => Range(r.Kept, k => k.Share, "0.0000")),
            ("F1, own [95 %]", r => Estimate.Of(r.Own)), ("F1, components [95 %]", r => Estimate.Of(r.Narrow)),
            ("Difference [95 %]", r => Estimate.Of(r.Difference!.Difference)), ("p (Holm)", r => r.ShownP)) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Footnote = new($"{TableFootnote.Units} of all tasks of a mean, with the tasks",
                TableFootnote.Mean(rows.Select(r => r.Seeds)),
                TableFootnote.Bootstrap(), TableFootnote.Paired("components minus own width", $"the {rows.Count} rows",
                rows.Any(r => r.IsBound))),
            Note = "Components are learned from the training images of each task and seed alone, centred and not "
                + $"scaled. {fewer}Variance kept: of the training images, "
                + $"least to most over tasks and seeds. {StudyReport.SeenNote}",
        };
    }

    /// <summary>Both widths of each model, with intervals.</summary>
    public static BarFigure Figure(IReadOnlyList<WidthRow> rows, int width)
    {
        bool severalMeans = rows.Select(x => x.Task).Distinct().Count() > 1;
        string Mean(WidthRow r) => !severalMeans ? "" : r.Task == Comparison.Inside ? ", seen" : ", unseen";
        string Name(WidthRow r) => $"{r.Model}, {r.Probe}{Mean(r)}";
        string seen = rows.Any(r => r.Task == Comparison.Inside) ? $" {StudyReport.SeenNote}" : "";
        var points = rows.Select(r => $"{Name(r)} {Tables.Interval(r.Own)} at its own width and "
            + $"{Tables.Interval(r.Narrow)} with components");
        return new("width", $"F1 at own width and at {width}",
            $"Mean over tasks; bars are 95 % bootstrap intervals over {TableFootnote.Units}. Overlapping bars do not "
            + $"settle a difference: the table pairs them.{seen}",
            $"Points with intervals: {string.Join("; ", points)}.", [.. rows.Select(Name)],
            [new("own width", [.. rows.Select(r => Estimate.Of(r.Own))]),
            new($"{width} components", [.. rows.Select(r => Estimate.Of(r.Narrow))])],
            "Model and probe", "Mean F1 (0-1)")
        {
            Points = true,
            Horizontal = true,
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
        };
    }

    private static string Range(IReadOnlyList<Reduction> kept, Func<Reduction, double> value, string format)
    {
        string low = kept.Min(value).ToString(format, CultureInfo.InvariantCulture);
        string high = kept.Max(value).ToString(format, CultureInfo.InvariantCulture);
        return low == high ? low : $"{low} to {high}";
    }
}
