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

/// <summary>Bars or points over categories, with asymmetric intervals.</summary>
/// <param name="Id">See <see cref="Figure.Id"/>.</param>
/// <param name="Title">See <see cref="Figure.Title"/>.</param>
/// <param name="Caption">See <see cref="Figure.Caption"/>.</param>
/// <param name="AltText">See <see cref="Figure.AltText"/>.</param>
/// <param name="Categories">Names along the category axis.</param>
/// <param name="Series">Values, as many as categories each.</param>
/// <param name="CategoryAxis">Title of the category axis.</param>
/// <param name="ValueAxis">Title of the value axis with its unit, such as "Macro F1 (0-1)".</param>
public sealed record BarFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<string> Categories,
    IReadOnlyList<BarSeries> Series, string CategoryAxis, string ValueAxis) : Figure(Id, Title, Caption, AltText)
{
    /// <summary>Points instead of bars: for scales whose zero means nothing.</summary>
    public bool Points { get; init; }

    /// <summary>Categories downwards; better for long names.</summary>
    public bool Horizontal { get; init; }

    /// <summary>Ends of the value axis; null for the renderer's choice.</summary>
    public (double Low, double High)? Range { get; init; }

    /// <summary>A dashed line across, such as chance level.</summary>
    public (double Value, string Label)? Reference { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        if (Series.FirstOrDefault(s => s.Values.Count != Categories.Count) is { } wrong)
            throw Wrong($"series '{wrong.Name}' has {wrong.Values.Count} values for {Categories.Count} categories.");
        return new(Title, [CategoryAxis, .. Series.Select(s => s.Name)],
            [.. Categories.Select((c, i) => (IReadOnlyList<object?>)[c, .. Series.Select(s => (object?)s.Values[i])])]) { Stamp = Stamp };
    }
}

/// <summary>One line, with a band where <paramref name="Low"/> and <paramref name="High"/> are given; all of one length.</summary>
public sealed record LineSeries(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y,
    IReadOnlyList<double>? Low = null, IReadOnlyList<double>? High = null);

/// <summary>Lines with bands over a number axis.</summary>
/// <param name="Id">See <see cref="Figure.Id"/>.</param>
/// <param name="Title">See <see cref="Figure.Title"/>.</param>
/// <param name="Caption">See <see cref="Figure.Caption"/>.</param>
/// <param name="AltText">See <see cref="Figure.AltText"/>.</param>
/// <param name="Series">The lines.</param>
/// <param name="XAxis">Title of the horizontal axis with its unit.</param>
/// <param name="YAxis">Title of the vertical axis with its unit.</param>
public sealed record LineFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<LineSeries> Series,
    string XAxis, string YAxis) : Figure(Id, Title, Caption, AltText)
{
    private const int TableRows = 400;

    /// <summary>Horizontal axis in powers of ten.</summary>
    public bool LogX { get; init; }

    /// <summary>Vertical axis in powers of ten.</summary>
    public bool LogY { get; init; }

    /// <summary>A marker at each value; off for long curves such as losses.</summary>
    public bool Markers { get; init; } = true;

    /// <summary>Where the horizontal axis is labelled; null for the renderer's choice.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        foreach (LineSeries s in Series)
        {
            if (s.Y.Count != s.X.Count || (s.Low?.Count ?? s.X.Count) != s.X.Count || (s.High?.Count ?? s.X.Count) != s.X.Count)
                throw Wrong($"line '{s.Name}' has {s.X.Count} x, {s.Y.Count} y, {s.Low?.Count} low and {s.High?.Count} high values; expected equal counts.");
            if ((LogX && s.X.Any(v => v <= 0)) || (LogY && s.Y.Any(v => v <= 0)))
                throw Wrong($"line '{s.Name}' has values of 0 or less on a logarithmic axis.");
        }
        int step = Series.Sum(s => s.X.Count) / TableRows + 1;
        return new(step == 1 ? Title : $"{Title} (one value in {step})", ["Line", XAxis, YAxis], [.. Series.SelectMany(s => Enumerable.Range(0, s.X.Count).Where(i => i % step == 0 || i == s.X.Count - 1).Select(i =>
            (IReadOnlyList<object?>)[s.Name, s.X[i], new Estimate(s.Y[i], s.Low?[i] ?? double.NaN, s.High?[i] ?? double.NaN)]))]) { Stamp = Stamp };
    }
}

/// <summary>A matrix as coloured cells with the values printed in them; by default a confusion matrix of counts, coloured by share of the row.</summary>
/// <param name="Id">See <see cref="Figure.Id"/>.</param>
/// <param name="Title">See <see cref="Figure.Title"/>.</param>
/// <param name="Caption">See <see cref="Figure.Caption"/>.</param>
/// <param name="AltText">See <see cref="Figure.AltText"/>.</param>
/// <param name="Rows">Row names from the top (true classes).</param>
/// <param name="Columns">Column names from the left (predicted classes).</param>
/// <param name="Values">[rows, columns].</param>
/// <param name="RowAxis">Title of the rows.</param>
/// <param name="ColumnAxis">Title of the columns.</param>
public sealed record HeatmapFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<string> Rows,
    IReadOnlyList<string> Columns, double[,] Values, string RowAxis = "True class", string ColumnAxis = "Predicted class") : Figure(Id, Title, Caption, AltText)
{
    /// <summary>Counts: colour and per cent are shares of the row's sum. Off: colour is the value itself, printed with two decimals.</summary>
    public bool RowNormalised { get; init; } = true;

    /// <summary>Values / sum of their row; a row without counts gives zeros.</summary>
    public double[,] RowShares()
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
            throw Wrong($"the matrix is {Values.GetLength(0)} x {Values.GetLength(1)} for {Rows.Count} row and {Columns.Count} column names.");
        double[,] shares = RowShares();
        object Text(int r, int c) => RowNormalised ? $"{Tables.Number(Values[r, c])} ({Tables.Percent(shares[r, c])})" : Values[r, c];
        return new(Title, [$"{RowAxis} \\ {ColumnAxis}", .. Columns],
            [.. Rows.Select((name, r) => (IReadOnlyList<object?>)[name, .. Columns.Select((_, c) => Text(r, c))])]) { Stamp = Stamp };
    }
}

/// <summary>Points of one name; <paramref name="Labels"/> name single points, in the image when <see cref="ScatterFigure.ShowLabels"/> is on; with the ends of their intervals where <paramref name="Low"/> and <paramref name="High"/> are given.</summary>
public sealed record ScatterGroup(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y, IReadOnlyList<string>? Labels = null,
    IReadOnlyList<double>? Low = null, IReadOnlyList<double>? High = null);

/// <summary>Points over two number axes, a symbol for each group.</summary>
/// <param name="Id">See <see cref="Figure.Id"/>.</param>
/// <param name="Title">See <see cref="Figure.Title"/>.</param>
/// <param name="Caption">See <see cref="Figure.Caption"/>.</param>
/// <param name="AltText">See <see cref="Figure.AltText"/>.</param>
/// <param name="Groups">The points.</param>
/// <param name="XAxis">Title of the horizontal axis with its unit.</param>
/// <param name="YAxis">Title of the vertical axis with its unit.</param>
public sealed record ScatterFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<ScatterGroup> Groups,
    string XAxis, string YAxis) : Figure(Id, Title, Caption, AltText)
{
    private const int TableRows = 200;

    /// <summary>Horizontal axis in powers of ten.</summary>
    public bool LogX { get; init; }

    /// <summary>Print the points' labels beside them.</summary>
    public bool ShowLabels { get; init; }

    /// <summary>Where the horizontal axis is labelled; null for the renderer's choice.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <summary>Draws the groups a little to the left and right of one another, so that intervals at the same place stay apart, and the labels of near points above the higher and below the lower ones; the table of the data has the true places.</summary>
    public bool SideBySide { get; init; }

    /// <summary>A dashed line upwards, such as where a missing point would stand.</summary>
    public (double X, string Label)? Mark { get; init; }

    /// <inheritdoc/>
    public override Table Data()
    {
        foreach (ScatterGroup g in Groups)
            if (g.X.Count != g.Y.Count || (g.Labels?.Count ?? g.X.Count) != g.X.Count || (g.Low?.Count ?? g.X.Count) != g.X.Count || (g.High?.Count ?? g.X.Count) != g.X.Count)
                throw Wrong($"group '{g.Name}' has {g.X.Count} x, {g.Y.Count} y, {g.Labels?.Count} labels, {g.Low?.Count} low and {g.High?.Count} high values; expected equal counts.");
        int total = Groups.Sum(g => g.X.Count);
        bool labels = Groups.Any(g => g.Labels is not null);
        string title = total > TableRows ? $"{Title} (first {TableRows} of {total} points)" : Title;
        return new(title, ["Group", .. labels ? new[] { "Label" } : [], XAxis, YAxis],
            [.. Groups.SelectMany(g => Enumerable.Range(0, g.X.Count).Select(i =>
                (IReadOnlyList<object?>)[g.Name, .. labels ? new[] { g.Labels?[i] } : [], g.X[i], g.Low is null ? g.Y[i] : new Estimate(g.Y[i], g.Low[i], g.High?[i] ?? double.NaN)])).Take(TableRows)]) { Stamp = Stamp };
    }
}
