using DermKit.Reporting;
using Plotly.NET;

namespace DermKit.Figures;

/// <summary>One method for each kind of figure: the traces and the layout.</summary>
internal static class Charts
{
    internal static (Trace[], Layout) Bars(BarFigure figure)
    {
        bool wide = figure.Horizontal, points = figure.Points;
        string[] names = [.. figure.Categories.Select(c => Look.Wrapped(c, wide ? 22 : 14))];
        bool printed = !points && figure.Categories.Count * figure.Series.Count <= 24 && !figure.Series.Any(s => s.Values.Any(v => v.HasInterval));
        var traces = figure.Series.Select((series, i) =>
        {
            object?[] values = [.. series.Values.Select(v => Look.Number(v.Value))];
            object error = Look.Part(("type", "data"), ("symmetric", false), ("thickness", 1.6), ("width", points ? 5 : 4), ("visible", series.Values.Any(v => v.HasInterval)),
                ("array", series.Values.Select(v => v.HasInterval ? v.High - v.Value : 0).ToArray()),
                ("arrayminus", series.Values.Select(v => v.HasInterval ? v.Value - v.Low : 0).ToArray()));
            if (points) Look.Fill((DynamicObj.DynamicObj)error, ("color", Look.Color(i)));
            return Look.Trace(points ? "scatter" : "bar",
                ("name", Look.Text(series.Name)), ("orientation", wide ? "h" : "v"), ("offsetgroup", $"{i}"),
                (wide ? "y" : "x", names), (wide ? "x" : "y", values), (wide ? "error_x" : "error_y", error),
                ("mode", points ? "markers" : null), ("cliponaxis", false),
                ("marker", points
                    ? Look.Part(("color", Look.Color(i)), ("symbol", Look.Symbol(i)), ("size", 10))
                    : Look.Part(("color", Look.Color(i)), ("line", Look.Part(("width", 0))),
                        ("pattern", Look.Part(("shape", Look.Pattern(i)), ("size", 7), ("solidity", 0.22), ("fillmode", "overlay"), ("fgcolor", "rgba(255,255,255,0.75)"))))),
                ("text", printed ? series.Values.Select(v => Tables.Number(v.Value)).ToArray() : null), ("textposition", printed ? "outside" : null), ("constraintext", printed ? "none" : null), ("textfont", printed ? Look.Part(("size", 12)) : null), ("textangle", printed ? 0 : null),
                ("hoverinfo", "text"), ("hovertext", series.Values.Select((v, c) => $"{Look.Text(figure.Categories[c])}<br>{Look.Text(series.Name)}: {v}").ToArray()));
        });
        int count = Math.Max(1, figure.Series.Count);
        // A row holds its marks and its name, whichever is higher.
        int row = Math.Max(18 + (points ? 16 : 20) * count, 6 + 16 * names.Select(n => n.Split("<br>").Length).DefaultIfEmpty(1).Max());
        Layout layout = Look.Layout(figure.Stamp, wide ? 90 + figure.Categories.Count * row : 380, figure.Series.Count > 1);
        object value = Look.Axis(figure.ValueAxis, ("showgrid", true), ("rangemode", points ? "normal" : "tozero"), ("range", Range(figure)), ("nticks", 7));
        object category = Look.Axis(figure.CategoryAxis, ("type", "category"), ("showgrid", points && wide), ("autorange", wide ? "reversed" : null), ("ticks", ""));
        Look.Fill(layout, (wide ? "xaxis" : "yaxis", value), (wide ? "yaxis" : "xaxis", category),
            ("meta", wide ? null : Names(names, figure.Categories)), ("bargap", count * figure.Categories.Count <= 4 ? 0.6 : 0.28), ("bargroupgap", 0.08), ("scattermode", points ? "group" : null), ("scattergap", points ? 0.3 : null));
        if (figure.Reference is { } reference)
        {
            string along = wide ? "x" : "y", across = wide ? "y" : "x";
            Look.Fill(layout,
                ("shapes", new[] { Look.Part(("type", "line"), (along + "0", reference.Value), (along + "1", reference.Value), (along + "ref", along), (across + "0", 0), (across + "1", 1), (across + "ref", "paper"), ("line", Look.Part(("width", 1.4), ("dash", "dash")))) }),
                ("annotations", new[] { Look.Part(("text", Look.Text(reference.Label)), (along, reference.Value), (along + "ref", along), (across, 1), (across + "ref", "paper"), ("showarrow", false), ("xanchor", wide ? "left" : "right"), ("yanchor", wide ? "top" : "bottom"), ("xshift", wide ? 4 : 0), ("font", Look.Part(("size", 12)))) }));
        }
        return ([.. traces], layout);
    }

    internal static (Trace[], Layout) Lines(LineFigure figure)
    {
        var bands = figure.Series.Select((s, i) => (s, i)).Where(p => p.s.Low is not null && p.s.High is not null).Select(p => Look.Trace("scatter",
            ("name", Look.Text(p.s.Name)), ("x", p.s.X.Concat(p.s.X.Reverse()).ToArray()), ("y", p.s.High!.Concat(p.s.Low!.Reverse()).Select(Look.Number).ToArray()),
            ("mode", "lines"), ("line", Look.Part(("width", 0))), ("fill", "toself"), ("fillcolor", Look.Translucent(p.i, "0.18")), ("hoverinfo", "skip"), ("showlegend", false)));
        var lines = figure.Series.Select((s, i) => Look.Trace("scatter",
            ("name", Look.Text(s.Name)), ("x", s.X.ToArray()), ("y", s.Y.Select(Look.Number).ToArray()), ("mode", figure.Markers ? "lines+markers" : "lines"),
            ("line", Look.Part(("color", Look.Color(i)), ("dash", Look.Dash(i)), ("width", 2.2))), ("marker", Look.Part(("color", Look.Color(i)), ("symbol", Look.Symbol(i)), ("size", 8))), ("cliponaxis", false),
            ("hoverinfo", "text"), ("hovertext", s.X.Select((x, k) => $"{Look.Text(s.Name)}<br>{Tables.Number(x)}: {new Estimate(s.Y[k], s.Low?[k] ?? double.NaN, s.High?[k] ?? double.NaN)}").ToArray())));
        Layout layout = Look.Layout(figure.Stamp, 380, figure.Series.Count > 1);
        Look.Fill(layout,
            ("xaxis", Look.Axis(figure.XAxis, ("showgrid", true), ("type", figure.LogX ? "log" : "linear"), ("dtick", Decades(figure.LogX, figure.Series.SelectMany(s => s.X))),
                ("tickvals", figure.XTicks?.ToArray()), ("ticktext", figure.XTicks?.Select(Tables.Number).ToArray()), ("nticks", 8))),
            ("yaxis", Look.Axis(figure.YAxis, ("showgrid", true), ("type", figure.LogY ? "log" : "linear"), ("dtick", Decades(figure.LogY, figure.Series.SelectMany(s => s.Y))), ("nticks", 7))));
        return ([.. bands, .. lines], layout);
    }

    internal static (Trace[], Layout) Heatmap(HeatmapFigure figure)
    {
        int rows = figure.Rows.Count, columns = figure.Columns.Count;
        double[,] shade = figure.RowNormalised ? figure.RowShares() : figure.Values;
        double[] all = [.. shade.Cast<double>().Where(double.IsFinite)];
        double low = figure.RowNormalised ? 0 : all.DefaultIfEmpty(0).Min(), high = figure.RowNormalised ? 1 : all.DefaultIfEmpty(1).Max();
        string Cell(int r, int c) => figure.RowNormalised ? $"{Tables.Number(figure.Values[r, c])} ({Tables.Percent(shade[r, c])})" : Tables.Number(figure.Values[r, c]);
        // Strength of one hue over the page's own background: dark ink reads on the lower part, white on the upper.
        string[] names = [.. figure.Rows.Select(r => Look.Wrapped(r, 14))], heads = [.. figure.Columns.Select(c => Look.Wrapped(c, 10))];
        Trace trace = Look.Trace("heatmap",
            ("z", Enumerable.Range(0, rows).Select(r => Enumerable.Range(0, columns).Select(c => Look.Number(shade[r, c])).ToArray()).ToArray()),
            ("x", Enumerable.Range(0, columns).ToArray()), ("y", Enumerable.Range(0, rows).ToArray()), ("zmin", low), ("zmax", high), ("showscale", false), ("xgap", 2), ("ygap", 2),
            ("colorscale", new object[] { new object[] { 0, "rgba(18,70,120,0.05)" }, new object[] { 1, "rgba(18,70,120,1)" } }),
            ("hoverinfo", "text"), ("hovertext", Enumerable.Range(0, rows).Select(r => Enumerable.Range(0, columns).Select(c => $"{Look.Text(figure.Rows[r])} → {Look.Text(figure.Columns[c])}<br>{Cell(r, c)}").ToArray()).ToArray()));
        int size = columns <= 8 ? 13 : columns <= 12 ? 11 : 9;
        bool share = figure.RowNormalised && columns <= 12;
        var cells = from r in Enumerable.Range(0, rows)
                    from c in Enumerable.Range(0, columns)
                    where columns <= 20
                    let strong = (shade[r, c] - low) / Math.Max(high - low, 1e-12) > 0.68
                    select Look.Part(("name", "cell"), ("x", c), ("y", r), ("showarrow", false),
                        ("text", share ? $"<b>{Tables.Number(figure.Values[r, c])}</b><br>{Tables.Percent(shade[r, c])}" : figure.RowNormalised ? Tables.Number(figure.Values[r, c]) : Tables.Interval(figure.Values[r, c])),
                        ("font", Look.Part(("size", size), ("color", strong ? "#ffffff" : null))));
        int tall = Math.Clamp(rows * 56, 120, 640);
        Layout layout = Look.Layout(figure.Stamp, tall + 110, legend: false);
        Look.Fill(layout, ("annotations", cells.ToArray()), ("meta", Names(Enumerable.Range(0, columns), figure.Columns)),
            ("xaxis", Look.Axis(figure.ColumnAxis, ("tickvals", Enumerable.Range(0, columns).ToArray()), ("ticktext", heads), ("showgrid", false), ("showline", false), ("ticks", ""))),
            ("yaxis", Look.Axis(figure.RowAxis, ("tickvals", Enumerable.Range(0, rows).ToArray()), ("ticktext", names), ("showgrid", false), ("showline", false), ("ticks", ""), ("autorange", "reversed"))));
        return ([trace], layout);
    }

    internal static (Trace[], Layout) Scatter(ScatterFigure figure)
    {
        int points = figure.Groups.Sum(g => g.X.Count);
        double[] xs = [.. figure.Groups.SelectMany(g => g.X).Concat(figure.Mark is { } m ? [m.X] : []).Select(Scale).Where(double.IsFinite)];
        double Scale(double x) => figure.LogX ? Math.Log10(x) : x;
        // Three hundredths of the axis between neighbours.
        double step = figure.SideBySide ? 0.03 * (xs.DefaultIfEmpty(0).Max() - xs.DefaultIfEmpty(0).Min()) : 0;
        // Of neighbours the lower ones have their names below.
        string Height(ScatterGroup g, int k) => figure.SideBySide && g.Y[k] < g.Y.Where((_, i) => Math.Abs(Scale(g.X[i]) - Scale(g.X[k])) <= 4 * step).Average() ? "bottom" : "top";
        // A label near an edge leans inwards, or the image would cut it.
        string Side(ScatterGroup g, int k) => (Scale(g.X[k]) - xs.Min()) / Math.Max(xs.Max() - xs.Min(), 1e-12) is var at && at > 0.75 ? $"{Height(g, k)} left" : at < 0.25 ? $"{Height(g, k)} right" : $"{Height(g, k)} center";
        double Aside(double x, int group) => step == 0 ? x : Scale(x) + step * (group - (figure.Groups.Count - 1) / 2.0) is var moved && figure.LogX ? Math.Pow(10, moved) : moved;
        var traces = figure.Groups.Select((g, i) => Look.Trace("scatter",
            ("name", Look.Text(g.Name)), ("x", g.X.Select(x => Look.Number(Aside(x, i))).ToArray()), ("y", g.Y.Select(Look.Number).ToArray()), ("mode", figure.ShowLabels && g.Labels is not null ? "markers+text" : "markers"),
            ("marker", Look.Part(("color", Look.Color(i)), ("symbol", Look.Symbol(i)), ("size", points <= 60 ? 11 : points <= 600 ? 7 : 5), ("opacity", points <= 60 ? 1.0 : 0.75))), ("cliponaxis", false),
            ("error_y", g.Low is null || g.High is null ? null : Look.Part(("type", "data"), ("symmetric", false), ("thickness", 1.6), ("width", 5), ("color", Look.Color(i)),
                ("array", g.High.Zip(g.Y, (high, y) => high - y).ToArray()), ("arrayminus", g.Y.Zip(g.Low, (y, low) => y - low).ToArray()))),
            ("text", g.Labels?.Select(Look.Text).ToArray()), ("textposition", g.X.Select((_, k) => Side(g, k)).ToArray()), ("textfont", Look.Part(("size", 12))),
            ("hoverinfo", "text"), ("hovertext", g.X.Select((x, k) => $"{Look.Text(g.Labels?[k] ?? g.Name)}<br>{Tables.Number(x)}, {(g.Low is null ? Tables.Number(g.Y[k]) : new Estimate(g.Y[k], g.Low[k], g.High?[k] ?? double.NaN))}").ToArray())));
        Layout layout = Look.Layout(figure.Stamp, 430, figure.Groups.Count > 1);
        Look.Fill(layout,
            ("xaxis", Look.Axis(figure.XAxis, ("showgrid", true), ("type", figure.LogX ? "log" : "linear"), ("dtick", figure.XTicks is null ? Decades(figure.LogX, xs.Select(x => figure.LogX ? Math.Pow(10, x) : x)) : null),
                ("tickvals", figure.XTicks?.ToArray()), ("ticktext", figure.XTicks?.Select(Tables.Number).ToArray()), ("nticks", 8))),
            ("yaxis", Look.Axis(figure.YAxis, ("showgrid", true), ("nticks", 7))));
        // On a logarithmic axis plotly takes a line's place as it is and a label's as its logarithm.
        if (figure.Mark is { } mark)
            Look.Fill(layout,
                ("shapes", new[] { Look.Part(("type", "line"), ("x0", mark.X), ("x1", mark.X), ("xref", "x"), ("y0", 0), ("y1", 1), ("yref", "paper"), ("line", Look.Part(("width", 1.4), ("dash", "dash")))) }),
                ("annotations", new[] { Look.Part(("text", Look.Text(mark.Label)), ("x", Scale(mark.X)), ("xref", "x"), ("y", 1), ("yref", "paper"), ("showarrow", false), ("xanchor", "right"), ("yanchor", "top"), ("xshift", -4), ("font", Look.Part(("size", 12)))) }));
        return ([.. traces], layout);
    }

    /// <summary>For the drawing script, which tilts names where they do not fit side by side: ticks and names on one line.</summary>
    private static object Names<T>(IEnumerable<T> ticks, IEnumerable<string> names) => Look.Part(("ticks", ticks.ToArray()), ("names", names.Select(Look.Text).ToArray()));

    /// <summary>Bars from zero with room for the numbers above them; points need no zero: the intervals and the reference, with a margin.</summary>
    private static double[]? Range(BarFigure figure)
    {
        if (figure.Range is { } range) return [range.Low, range.High];
        double[] ends = [.. figure.Series.SelectMany(s => s.Values).SelectMany(v => new[] { v.Value, v.Low, v.High }).Append(figure.Reference?.Value ?? double.NaN).Where(double.IsFinite)];
        if (ends.Length == 0 || (!figure.Points && ends.Min() < 0)) return null;
        if (!figure.Points) return [0, 1.1 * Math.Max(ends.Max(), 1e-9)];
        double margin = Math.Max(0.06 * (ends.Max() - ends.Min()), 1e-3);
        return [ends.Min() - margin, ends.Max() + margin];
    }

    /// <summary>Labels at powers of ten only, when the axis spans enough of them.</summary>
    private static object? Decades(bool log, IEnumerable<double> values) =>
        log && values.Where(double.IsFinite).DefaultIfEmpty(1).ToArray() is var v && v.Max() / v.Min() > 30 ? 1 : null;
}
