using DermKit.Reporting;
using Plotly.NET;

namespace DermKit.Figures;

internal static class Charts
{
    internal static (Trace[], Layout) Bars(BarFigure figure)
    {
        bool isWide = figure.Horizontal;
        bool isPoints = figure.Points;
        int count = Math.Max(1, figure.Series.Count);
        string[] names = [.. figure.Categories.Select(c => Look.Wrapped(c, isWide ? 22 : 14))];
        bool hasIntervals = figure.Series.Any(s => s.Values.Any(v => v.HasInterval));
        bool isPrinted = !isPoints && !hasIntervals && figure.Categories.Count * figure.Series.Count <= 24;
        // A row has room for its marks and for its name.
        int lines = names.Select(n => n.Split("<br>").Length).DefaultIfEmpty(1).Max();
        int row = Math.Max(18 + (isPoints ? 16 : 20) * count, 6 + 16 * lines);
        int height = isWide ? 90 + figure.Categories.Count * row : 380;
        Layout layout = Look.Layout(figure.Stamp, height, figure.Series.Count > 1);
        object value = Look.Axis(figure.ValueAxis, ("showgrid", true), ("rangemode", isPoints ? "normal" : "tozero"),
            ("range", Range(figure)), ("nticks", 7));
        object category = Look.Axis(figure.CategoryAxis, ("type", "category"), ("showgrid", isPoints && isWide),
            ("autorange", isWide ? "reversed" : null), ("ticks", ""));
        Look.Fill(layout,
            (isWide ? "xaxis" : "yaxis", value),
            (isWide ? "yaxis" : "xaxis", category),
            ("meta", isWide ? null : Names(names, figure.Categories)),
            ("bargap", count * figure.Categories.Count <= 4 ? 0.6 : 0.28),
            ("bargroupgap", 0.08),
            ("scattermode", isPoints ? "group" : null),
            ("scattergap", isPoints ? 0.3 : null));
        if (figure.Reference is { } reference)
            DashedLine(layout, isWide ? "x" : "y", reference.Value, reference.Value, reference.Label,
                isWide ? ("left", "top", 4) : ("right", "bottom", 0));
        return ([.. figure.Series.Select(Bar)], layout);

        Trace Bar(BarSeries series, int i) => Look.Trace(isPoints ? "scatter" : "bar",
            ("name", Look.Text(series.Name)),
            ("orientation", isWide ? "h" : "v"),
            ("offsetgroup", $"{i}"),
            (isWide ? "y" : "x", names),
            (isWide ? "x" : "y", series.Values.Select(v => Look.Number(v.Value)).ToArray()),
            (isWide ? "error_x" : "error_y", Look.Errors(series.Values, isPoints ? Look.Color(i) : null)),
            ("mode", isPoints ? "markers" : null),
            ("cliponaxis", false),
            ("marker", isPoints ? Marker(i, 10) : Look.Part(
                ("color", Look.Color(i)),
                ("line", Look.Part(("width", 0))),
                ("pattern", Look.Part(("shape", Look.Pattern(i)), ("size", 7), ("solidity", 0.22),
                    ("fillmode", "overlay"), ("fgcolor", "rgba(255,255,255,0.75)"))))),
            ("text", isPrinted ? series.Values.Select(v => Tables.Number(v.Value)).ToArray() : null),
            ("textposition", isPrinted ? "outside" : null),
            ("constraintext", isPrinted ? "none" : null),
            ("textfont", isPrinted ? Look.Part(("size", 12)) : null),
            ("textangle", isPrinted ? 0 : null),
            ("hoverinfo", "text"),
            ("hovertext", series.Values.Select((v, c) =>
                $"{Look.Text(figure.Categories[c])}<br>{Look.Text(series.Name)}: {v}").ToArray()));
    }

    internal static (Trace[], Layout) Lines(LineFigure figure)
    {
        Layout layout = Look.Layout(figure.Stamp, 380, figure.Series.Count > 1);
        Look.Fill(layout,
            ("xaxis", NumberAxis(figure.XAxis, figure.LogX, figure.Series.SelectMany(s => s.X), figure.XTicks, 8)),
            ("yaxis", NumberAxis(figure.YAxis, figure.LogY, figure.Series.SelectMany(s => s.Y), null, 7)));
        IEnumerable<Trace> bands = figure.Series.Index()
            .Where(s => s.Item.Low is not null && s.Item.High is not null).Select(s => Band(s.Item, s.Index));
        return ([.. bands, .. figure.Series.Select(Line)], layout);

        static Trace Band(LineSeries s, int i) => Look.Trace("scatter",
            ("name", Look.Text(s.Name)),
            ("x", s.X.Concat(s.X.Reverse()).ToArray()),
            ("y", s.High!.Concat(s.Low!.Reverse()).Select(Look.Number).ToArray()),
            ("mode", "lines"),
            ("line", Look.Part(("width", 0))),
            ("fill", "toself"),
            ("fillcolor", Look.Translucent(i, "0.18")),
            ("hoverinfo", "skip"),
            ("showlegend", false));

        Trace Line(LineSeries s, int i) => Look.Trace("scatter",
            ("name", Look.Text(s.Name)),
            ("x", s.X.ToArray()),
            ("y", s.Y.Select(Look.Number).ToArray()),
            ("mode", figure.Markers ? "lines+markers" : "lines"),
            ("line", Look.Part(("color", Look.Color(i)), ("dash", Look.Dash(i)), ("width", 2.2))),
            ("marker", Marker(i, 8)),
            ("cliponaxis", false),
            ("hoverinfo", "text"),
            ("hovertext", s.X.Select((x, k) => $"{Look.Text(s.Name)}<br>{Tables.Number(x)}: {s.At(k)}").ToArray()));
    }

    internal static (Trace[], Layout) Heatmap(HeatmapFigure figure)
    {
        int[] rows = [.. Enumerable.Range(0, figure.Rows.Count)];
        int[] columns = [.. Enumerable.Range(0, figure.Columns.Count)];
        double[,] shares = figure.RowShares();
        int size = columns.Length <= 8 ? 13 : columns.Length <= 12 ? 11 : 9;
        // One hue over the page's background: dark ink is legible on the lower part, white on the upper.
        Trace trace = Look.Trace("heatmap",
            ("z", Array.ConvertAll(rows, r => Array.ConvertAll(columns, c => Look.Number(shares[r, c])))),
            ("x", columns),
            ("y", rows),
            ("zmin", 0),
            ("zmax", 1),
            ("showscale", false),
            ("xgap", 2),
            ("ygap", 2),
            ("colorscale",
                new object[] { new object[] { 0, "rgba(18,70,120,0.05)" }, new object[] { 1, "rgba(18,70,120,1)" } }),
            ("hoverinfo", "text"),
            ("hovertext", Array.ConvertAll(rows, r => Array.ConvertAll(columns, c => Hover(r, c)))));
        IEnumerable<object> cells = columns.Length > 20 ? [] : rows.SelectMany(r => columns.Select(c => Cell(r, c)));
        Layout layout = Look.Layout(figure.Stamp, Math.Clamp(rows.Length * 56, 120, 640) + 110, legend: false);
        Look.Fill(layout,
            ("annotations", cells.ToArray()),
            ("meta", Names(columns, figure.Columns)),
            ("xaxis", Axis(HeatmapFigure.ColumnAxis, columns, figure.Columns, 10)),
            ("yaxis", Look.Fill(Axis(HeatmapFigure.RowAxis, rows, figure.Rows, 14), ("autorange", "reversed"))));
        return ([trace], layout);

        string Hover(int r, int c) => $"{Look.Text(figure.Rows[r])} → {Look.Text(figure.Columns[c])}<br>"
            + $"{Tables.Number(figure.Values[r, c])} ({Tables.Percent(shares[r, c])})";

        object Cell(int r, int c)
        {
            string text = Tables.Number(figure.Values[r, c]);
            if (columns.Length <= 12) text = $"<b>{text}</b><br>{Tables.Percent(shares[r, c])}";
            return Look.Part(("name", "cell"), ("x", c), ("y", r), ("showarrow", false), ("text", text),
                ("font", Look.Part(("size", size), ("color", shares[r, c] > 0.68 ? "#ffffff" : null))));
        }

        static DynamicObj.DynamicObj Axis(string title, int[] ticks, IEnumerable<string> names, int width) =>
            Look.Axis(title, ("tickvals", ticks), ("ticktext", names.Select(n => Look.Wrapped(n, width)).ToArray()),
                ("showgrid", false), ("showline", false), ("ticks", ""));
    }

    internal static (Trace[], Layout) Scatter(ScatterFigure figure)
    {
        double[] places = [.. figure.Groups.SelectMany(g => g.X)];
        double left = Math.Log10(places.Min()), range = Math.Log10(places.Max()) - left, step = 0.03 * range;
        Layout layout = Look.Layout(figure.Stamp, 430, figure.Groups.Count > 1);
        Look.Fill(layout,
            ("xaxis", NumberAxis(figure.XAxis, true, places, figure.XTicks, 8)),
            ("yaxis", Look.Axis(figure.YAxis, ("showgrid", true), ("nticks", 7))));
        return ([.. figure.Groups.Select(Group)], layout);

        Trace Group(ScatterGroup g, int i)
        {
            double aside = Math.Pow(10, step * (i - (figure.Groups.Count - 1) / 2.0));
            return Look.Trace("scatter",
                ("name", Look.Text(g.Name)),
                ("x", g.X.Select(x => x * aside).ToArray()),
                ("y", g.Y.Select(Look.Number).ToArray()),
                ("mode", g.Labels is null ? "markers" : "markers+text"),
                ("marker", Marker(i, 11)),
                ("cliponaxis", false),
                ("error_y", Look.Errors(g.X.Select((_, k) => g.At(k)).OfType<Estimate>(), Look.Color(i))),
                ("text", g.Labels?.Select(Look.Text).ToArray()),
                ("textposition", g.X.Select((_, k) => Position(g, k)).ToArray()),
                ("textfont", Look.Part(("size", 12))),
                ("hoverinfo", "text"),
                ("hovertext", g.X.Select((x, k) => $"{Look.Text(g.Labels?[k] ?? g.Name)}<br>{Tables.Number(x)}, "
                    + (g.At(k) is double y ? Tables.Number(y) : g.At(k))).ToArray()));
        }

        string Position(ScatterGroup g, int k)
        {
            // The lower ones of neighbours have their labels below.
            var near = g.Y.Where((_, i) => Math.Abs(Math.Log10(g.X[i] / g.X[k])) <= 4 * step);
            // A label near an edge leans inwards; otherwise the image would cut it.
            double at = (Math.Log10(g.X[k]) - left) / Math.Max(range, 1e-12);
            string side = at > 0.75 ? "left" : at < 0.25 ? "right" : "center";
            return $"{(g.Y[k] < near.Average() ? "bottom" : "top")} {side}";
        }
    }

    internal static DynamicObj.DynamicObj Marker(int i, int size) =>
        Look.Part(("color", Look.Color(i)), ("symbol", Look.Symbol(i)), ("size", size));

    internal static object NumberAxis(string title, bool isLog, IEnumerable<double> values,
        IReadOnlyList<double>? ticks, int most, params (string Key, object? Value)[] more)
    {
        // Labels at powers of ten only, when the axis spans enough of them.
        double[] finite = [.. values.Where(double.IsFinite).DefaultIfEmpty(1)];
        bool areDecades = isLog && ticks is null && finite.Max() / finite.Min() > 30;
        return Look.Axis(title, [("showgrid", true), ("type", isLog ? "log" : "linear"),
            ("dtick", areDecades ? 1 : null), ("tickvals", ticks?.ToArray()),
            ("ticktext", ticks?.Select(Tables.Number).ToArray()), ("nticks", most), .. more]);
    }

    // Draws a dashed line at a value of the axis x or y; anchor has the label's shift in pixels. On a logarithmic axis
    // plotly takes a shape's place as it is, a label's as its logarithm.
    internal static void DashedLine(Layout layout, string along, double value, double labelAt, string label,
        (string X, string Y, int Shift) anchor)
    {
        string across = along == "x" ? "y" : "x";
        object line = Look.Part(("type", "line"), (along + "0", value), (along + "1", value), (along + "ref", along),
            (across + "0", 0), (across + "1", 1), (across + "ref", "paper"),
            ("line", Look.Part(("width", 1.4), ("dash", "dash"))));
        object text = Look.Part(("text", Look.Text(label)), (along, labelAt), (along + "ref", along), (across, 1),
            (across + "ref", "paper"), ("showarrow", false), ("xanchor", anchor.X), ("yanchor", anchor.Y),
            ("xshift", anchor.Shift), ("font", Look.Part(("size", 12))));
        Look.Fill(layout, ("shapes", new[] { line }), ("annotations", new[] { text }));
    }

    // Unwrapped names for the drawing script, which tilts names that do not fit.
    private static object Names<T>(IEnumerable<T> ticks, IEnumerable<string> names) =>
        Look.Part(("ticks", ticks.ToArray()), ("names", names.Select(Look.Text).ToArray()));

    // Bars start at zero with room for numbers; points span the intervals and the reference.
    private static double[]? Range(BarFigure figure)
    {
        if (figure.Range is { } range) return [range.Low, range.High];
        double[] ends = [.. figure.Series.SelectMany(s => s.Values).SelectMany(v => new[] { v.Value, v.Low, v.High })
            .Append(figure.Reference?.Value ?? double.NaN).Where(double.IsFinite)];
        if (ends.Length == 0 || (!figure.Points && ends.Min() < 0)) return null;
        if (!figure.Points) return [0, 1.1 * Math.Max(ends.Max(), 1e-9)];
        double margin = Math.Max(0.06 * (ends.Max() - ends.Min()), 1e-3);
        return [ends.Min() - margin, ends.Max() + margin];
    }
}
