using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>A number with the ends of its interval; NaN ends mean that there is no interval.</summary>
public readonly record struct Estimate(double Value, double Low = double.NaN, double High = double.NaN)
{
    /// <summary>True when both ends are known.</summary>
    public bool HasInterval => !double.IsNaN(Low) && !double.IsNaN(High);

    /// <summary>A number without interval.</summary>
    public static implicit operator Estimate(double value) => new(value);

    /// <summary>A value with its interval.</summary>
    public static Estimate Of(Interval interval) => new(interval.Value, interval.Low, interval.High);

    /// <summary>Such as 0.71 [0.66, 0.75].</summary>
    public override string ToString() => Tables.Interval(this);
}

/// <summary>One value for each category.</summary>
public sealed record BarSeries(string Name, IReadOnlyList<Estimate> Values);

/// <summary>Bars or points over categories, with asymmetric intervals; each series has a value for each.</summary>
public sealed record BarFigure(string Id, string Title, string Caption, string AltText,
    IReadOnlyList<string> Categories, IReadOnlyList<BarSeries> Series, string CategoryAxis, string ValueAxis)
    : Figure(Id, Title, Caption, AltText)
{
    /// <summary>Draws points instead of bars, for scales whose zero has no meaning.</summary>
    public bool Points { get; init; }

    /// <summary>Puts the categories on the vertical axis; better for long names.</summary>
    public bool Horizontal { get; init; }

    /// <summary>Ends of the value axis; null lets the renderer choose.</summary>
    public (double Low, double High)? Range { get; init; }

    /// <summary>A dashed line across, such as chance level.</summary>
    public (double Value, string Label)? Reference { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        if (Series.FirstOrDefault(s => s.Values.Count != Categories.Count) is { } wrong)
            throw Wrong($"series '{wrong.Name}' has {wrong.Values.Count} values for {Categories.Count} categories.");
        return new(Title, [CategoryAxis, .. Series.Select(s => s.Name)], [.. Categories.Select(Row)]) { Stamp = Stamp };

        IReadOnlyList<object?> Row(string name, int i) => [name, .. Series.Select(s => (object?)s.Values[i])];
    }
}

/// <summary>Ratios of one series, one for each category; null where there is none.</summary>
public sealed record RatioSeries(string Name, IReadOnlyList<SavingMedian?> Values);

/// <summary>Ratios with intervals over categories, on a logarithmic axis with a line at 1. Open marks are the ends of
/// ratios that are bounded, arrows the ends without bound.</summary>
public sealed record RatioFigure(string Id, string Title, string Caption, string AltText,
    IReadOnlyList<string> Categories, IReadOnlyList<RatioSeries> Series, string ValueAxis, Table Numbers)
    : Figure(Id, Title, Caption, AltText)
{
    /// <inheritdoc/>
    public override Table Data() => Series.FirstOrDefault(s => s.Values.Count != Categories.Count) is { } wrong
        ? throw Wrong($"series '{wrong.Name}' has {wrong.Values.Count} values for {Categories.Count} categories.")
        : Numbers;

    // Ends of an axis with room for every known end and for 1.
    internal (double Left, double Right) Ends
    {
        get
        {
            IEnumerable<double> all = Series.SelectMany(s => s.Values).OfType<SavingMedian>()
                .SelectMany(m => new[] { m.Lower, m.Upper, m.Low, m.High });
            double[] known = [.. all.Where(v => v > 0 && double.IsFinite(v)), 0.8, 1.25];
            return (known.Min() / 1.3, known.Max() * 1.3);
        }
    }

    // The median or its ends, the first with the interval, then an arrow where that has no end.
    internal IEnumerable<(Estimate At, string Symbol)> Marks(SavingMedian m, string symbol)
    {
        (double left, double right) = Ends;
        // To the digits that are printed.
        bool isKnown = m.Upper <= 1.005 * m.Lower;
        double[] ends = [.. new[] { m.Lower, m.Upper }.Where(e => e > 0 && double.IsFinite(e))];
        foreach (double end in ends.Take(isKnown ? 1 : 2))
            yield return (end != ends[0] ? end : new Estimate(end, Math.Max(m.Low, left), Math.Min(m.High, right)),
                symbol + (isKnown ? "" : "-open"));
        if (m.Low < left) yield return (left, "triangle-left");
        if (m.High > right) yield return (ends.Length > 0 ? right : new Estimate(right, left, right), "triangle-right");
    }
}

/// <summary>One line, in a band when <paramref name="Low"/> and <paramref name="High"/> are given.</summary>
public sealed record LineSeries(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y,
    IReadOnlyList<double>? Low = null, IReadOnlyList<double>? High = null)
{
    // A line with a band from values with intervals.
    internal static LineSeries Of(string name, IEnumerable<double> x, IEnumerable<Estimate> y)
    {
        Estimate[] values = [.. y];
        return new(name, [.. x], Array.ConvertAll(values, v => v.Value), Array.ConvertAll(values, v => v.Low),
            Array.ConvertAll(values, v => v.High));
    }

    internal Estimate At(int i) => new(Y[i], Low?[i] ?? double.NaN, High?[i] ?? double.NaN);
}

/// <summary>Lines with bands over a number axis. Axis titles contain the units.</summary>
public sealed record LineFigure(string Id, string Title, string Caption, string AltText,
    IReadOnlyList<LineSeries> Series, string XAxis, string YAxis) : Figure(Id, Title, Caption, AltText)
{
    private const int TableRows = 400;

    /// <summary>Logarithmic horizontal axis.</summary>
    public bool LogX { get; init; }

    /// <summary>Logarithmic vertical axis.</summary>
    public bool LogY { get; init; }

    /// <summary>A marker at each value; false for long curves such as losses.</summary>
    public bool Markers { get; init; } = true;

    /// <summary>Places of the labels on the horizontal axis; null lets the renderer choose.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        foreach (LineSeries s in Series)
        {
            if (!SameCount(s.X, s.Y, s.Low, s.High))
                throw Wrong($"line '{s.Name}' has {s.X.Count} x, {s.Y.Count} y, {s.Low?.Count} low and {s.High?.Count} "
                    + "high values; expected equal counts.");
            if ((LogX && s.X.Any(v => v <= 0)) || (LogY && s.Y.Any(v => v <= 0)))
                throw Wrong($"line '{s.Name}' has values of 0 or less on a logarithmic axis.");
        }
        int step = Series.Sum(s => s.X.Count) / TableRows + 1;
        string title = step == 1 ? Title : $"{Title} (one value in {step})";
        return new(title, ["Line", XAxis, YAxis], [.. Series.SelectMany(Rows)]) { Stamp = Stamp };

        IEnumerable<IReadOnlyList<object?>> Rows(LineSeries s) => Enumerable.Range(0, s.X.Count)
            .Where(i => i % step == 0 || i == s.X.Count - 1)
            .Select(i => Tables.Row([s.Name, s.X[i], s.At(i)]));
    }
}

/// <summary>A confusion matrix of counts, coloured by the share of their row. Rows are named from the top.</summary>
public sealed record HeatmapFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<string> Rows,
    IReadOnlyList<string> Columns, double[,] Values) : Figure(Id, Title, Caption, AltText)
{
    internal const string RowAxis = "True class", ColumnAxis = "Predicted class";

    // Values divided by the sum of their row; a row without counts gives zeros.
    internal double[,] RowShares()
    {
        var shares = new double[Rows.Count, Columns.Count];
        for (int r = 0; r < Rows.Count; r++)
        {
            double sum = Enumerable.Range(0, Columns.Count).Sum(c => Values[r, c]);
            for (int c = 0; c < Columns.Count && sum > 0; c++) shares[r, c] = Values[r, c] / sum;
        }
        return shares;
    }

    /// <inheritdoc/>
    public override Table Data()
    {
        if (Values.GetLength(0) != Rows.Count || Values.GetLength(1) != Columns.Count)
            throw Wrong($"the matrix is {Values.GetLength(0)} x {Values.GetLength(1)} for {Rows.Count} row and "
                + $"{Columns.Count} column names.");
        double[,] shares = RowShares();
        return new(Title, [$"{RowAxis} \\ {ColumnAxis}", .. Columns], [.. Rows.Select(Row)]) { Stamp = Stamp };

        IReadOnlyList<object?> Row(string name, int r) => [name, .. Columns.Select((_, c) => Cell(r, c))];
        object Cell(int r, int c) => $"{Tables.Number(Values[r, c])} ({Tables.Percent(shares[r, c])})";
    }
}

/// <summary>A point with its place on each horizontal axis of a <see cref="PanelFigure"/>, NaN where unknown, in the
/// panels of a row. A value of NaN is drawn as a dashed line in every row.</summary>
public sealed record PanelPoint(string Name, string Row, IReadOnlyList<double> X, Estimate Y);

/// <summary>The same values over several logarithmic axes, a column of panels for each; names are in the legend. Axis
/// titles contain the units.</summary>
public sealed record PanelFigure(string Id, string Title, string Caption, string AltText,
    IReadOnlyList<PanelPoint> Points, IReadOnlyList<string> XAxes, string YAxis) : Figure(Id, Title, Caption, AltText)
{
    /// <inheritdoc/>
    public override Table Data()
    {
        if (Points.FirstOrDefault(p => p.X.Count != XAxes.Count || p.X.Any(x => x <= 0)) is { } wrong)
            throw Wrong($"point '{wrong.Name}' is at [{string.Join(", ", wrong.X.Select(Tables.Number))}]; expected "
                + $"{XAxes.Count} places above 0, or NaN.");
        return new(Title, ["", "Panels", .. XAxes, YAxis], [.. Points.Select(Row)]) { Stamp = Stamp };

        static IReadOnlyList<object?> Row(PanelPoint p) => [p.Name, p.Row, .. p.X.Cast<object?>(), p.Y];
    }
}

/// <summary>Points of one group. Labels name single points; all points or none have intervals.</summary>
public sealed record ScatterGroup(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y,
    IReadOnlyList<string>? Labels = null, IReadOnlyList<double>? Low = null, IReadOnlyList<double>? High = null)
{
    // The value of a point with its interval, or the number alone.
    internal object At(int i) => Low is null ? Y[i] : new Estimate(Y[i], Low[i], High?[i] ?? double.NaN);
}

/// <summary>Points over a logarithmic and a number axis, a symbol for each group, with their labels. Groups are drawn a
/// little apart, so that their intervals do not overlap; the data table has the true places. Axis titles contain the
/// units.</summary>
public sealed record ScatterFigure(string Id, string Title, string Caption, string AltText,
    IReadOnlyList<ScatterGroup> Groups, string XAxis, string YAxis) : Figure(Id, Title, Caption, AltText)
{
    private const int TableRows = 200;

    /// <summary>Places of the labels on the horizontal axis; null lets the renderer choose.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        if (Groups.FirstOrDefault(g => !SameCount(g.X, g.Y, g.Low, g.High, g.Labels)) is { } wrong)
            throw Wrong($"group '{wrong.Name}' has {wrong.X.Count} x, {wrong.Y.Count} y, {wrong.Labels?.Count} labels, "
                + $"{wrong.Low?.Count} low and {wrong.High?.Count} high values; expected equal counts.");
        int total = Groups.Sum(g => g.X.Count);
        bool hasLabels = Groups.Any(g => g.Labels is not null);
        string title = total > TableRows ? $"{Title} (first {TableRows} of {total} points)" : Title;
        string[] heads = hasLabels ? ["Group", "Label", XAxis, YAxis] : ["Group", XAxis, YAxis];
        return new(title, heads, [.. Groups.SelectMany(Rows).Take(TableRows)]) { Stamp = Stamp };

        IEnumerable<IReadOnlyList<object?>> Rows(ScatterGroup g) => g.X.Select((x, i) =>
            Tables.Row(hasLabels ? [g.Name, g.Labels?[i], x, g.At(i)] : [g.Name, x, g.At(i)]));
    }
}
