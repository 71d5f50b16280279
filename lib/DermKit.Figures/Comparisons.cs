using DermKit.Evaluation;
using DermKit.Reporting;
using Plotly.NET;

namespace DermKit.Figures;

internal static class Comparisons
{
    internal static (Trace[], Layout) Ratios(RatioFigure figure)
    {
        string[] names = [.. figure.Categories.Select(c => Look.Wrapped(c, 22))];
        (double left, double right) = figure.Ends;
        int row = 14 + 14 * Math.Max(3, figure.Series.Count);
        Layout layout = Look.Layout(figure.Stamp, 110 + names.Length * row, figure.Series.Count > 1);
        Look.Fill(layout,
            ("xaxis", Charts.NumberAxis(figure.ValueAxis, true, [left, right], null, 8,
                ("range", Logs(left, right)))),
            ("yaxis", Look.Axis("", ("type", "category"), ("showgrid", true), ("autorange", "reversed"), ("ticks", ""))),
            ("scattermode", "group"), ("scattergap", 0.25));
        Charts.DashedLine(layout, "x", 1, 0, "", ("left", "top", 4));
        return ([.. figure.Series.Select(Marks)], layout);

        Trace Marks(RatioSeries series, int i)
        {
            var marks = names.Zip(series.Values).Where(v => v.Second is not null)
                .SelectMany(v => figure.Marks(v.Second!, Look.Symbol(i)).Select(p => (Row: v.First, Of: v.Second!,
                    p.At, p.Symbol))).OrderByDescending(m => m.At.HasInterval).ToArray();
            return Look.Trace("scatter", ("name", Look.Text(series.Name)), ("mode", "markers"), ("offsetgroup", $"{i}"),
                ("orientation", "h"), ("y", marks.Select(m => m.Row).ToArray()),
                ("x", marks.Select(m => m.At.Value).ToArray()), ("cliponaxis", false),
                ("marker", Look.Part(("color", Look.Color(i)), ("size", 9),
                    ("symbol", marks.Select(m => m.Symbol).ToArray()))),
                // Shorter, because plotly draws caps of zeros.
                ("error_x", Look.Errors(marks.Select(m => m.At).Where(a => a.HasInterval), Look.Color(i))),
                ("hoverinfo", "text"),
                ("hovertext", marks.Select(m => $"{m.Row}<br>{Look.Text(series.Name)}: {SavingReport.Median(m.Of)}")
                    .ToArray()));
        }
    }

    internal static (Trace[], Layout) Panels(PanelFigure figure)
    {
        ILookup<string, PanelPoint> rows = figure.Points.Where(p => !double.IsNaN(p.Y.Value)).ToLookup(p => p.Row);
        PanelPoint[] marks = [.. figure.Points.Where(p => double.IsNaN(p.Y.Value))];
        string[] names = [.. figure.Points.Select(p => p.Name).Distinct()];
        double step = 1.0 / rows.Count, width = 1.0 / figure.XAxes.Count;
        // Plotly cuts a legend taller than half the panels.
        Layout layout = Look.Layout(figure.Stamp, 110 + Math.Max(270 * rows.Count, 40 * names.Length), legend: true);
        var traces = new List<Trace>();
        var titles = new List<object>();
        var listed = new HashSet<string>();
        foreach ((int r, IGrouping<string, PanelPoint> row) in rows.Index())
        {
            bool isLast = r + 1 == rows.Count;
            double[] values = [.. row.SelectMany(p => new[] { p.Y.Value, p.Y.Low, p.Y.High }).Where(double.IsFinite)];
            double margin = 0.08 * (values.Max() - values.Min()) + 0.01, top = 1 - r * step - 0.06;
            double[] range = [values.Min() - margin, values.Max() + margin];
            titles.Add(Look.Part(("text", $"<b>{Look.Text(row.Key)}</b>"), ("x", 0), ("xref", "paper"), ("y", top),
                ("yref", "paper"), ("xanchor", "left"), ("yanchor", "bottom"), ("showarrow", false),
                ("font", Look.Part(("size", 12)))));
            for (int c = 0; c < figure.XAxes.Count; c++)
            {
                string id = r + c == 0 ? "" : $"{r * figure.XAxes.Count + c + 1}";
                double[] places = [.. figure.Points.Select(p => p.X[c]).Where(double.IsFinite).DefaultIfEmpty(1)];
                double[] ends = Logs(places.Min(), places.Max());
                double side = 0.12 * (ends[1] - ends[0]) + 0.08, apart = 0.028 * (ends[1] - ends[0] + 2 * side);
                Look.Fill(layout,
                    ($"xaxis{id}", Charts.NumberAxis(isLast ? figure.XAxes[c] : "", true, places, null, 4,
                        ("domain", new[] { c * width, (c + 1) * width - (c + 1 < figure.XAxes.Count ? 0.035 : 0) }),
                        ("anchor", $"y{id}"), ("range", new[] { ends[0] - side, ends[1] + side }))),
                    ($"yaxis{id}", Look.Axis(c == 0 ? figure.YAxis : "", ("showgrid", true), ("nticks", 6),
                        ("domain", new[] { 1 - (r + 1) * step + (isLast ? 0 : 0.05), top }), ("anchor", $"x{id}"),
                        ("showticklabels", c == 0), ("range", range))));
                foreach (PanelPoint p in marks.Concat(row).Where(p => double.IsFinite(p.X[c])))
                {
                    int i = Array.IndexOf(names, p.Name);
                    bool isMark = double.IsNaN(p.Y.Value);
                    // Points of one place stand side by side, so that their intervals do not overlap.
                    PanelPoint[] near =
                        [.. row.Where(o => Math.Abs(Math.Log10(o.X[c] / p.X[c])) < apart).OrderBy(o => o.X[c])];
                    double aside = isMark ? 0 : apart * (Array.IndexOf(near, p) - (near.Length - 1) / 2.0);
                    double x = p.X[c] * Math.Pow(10, aside);
                    traces.Add(Look.Trace("scatter", ("name", Look.Text(p.Name)), ("legendgroup", p.Name),
                        ("showlegend", listed.Add(p.Name)), ("xaxis", $"x{id}"), ("yaxis", $"y{id}"),
                        ("mode", isMark ? "lines" : "markers"), ("x", isMark ? new[] { x, x } : [x]),
                        ("y", isMark ? range : [p.Y.Value]), ("marker", Charts.Marker(i, 10)),
                        ("line", Look.Part(("color", Look.Color(5)), ("dash", "dash"), ("width", 1.8))),
                        ("error_y", Look.Errors([p.Y], Look.Color(i))), ("hoverinfo", "text"),
                        ("hovertext", $"{Look.Text(p.Name)}<br>{Tables.Number(p.X[c])}, {p.Y}")));
                }
            }
        }
        Look.Fill(layout, ("annotations", titles.ToArray()));
        return ([.. traces], layout);
    }

    private static double[] Logs(params double[] values) => Array.ConvertAll(values, Math.Log10);
}
