using DermKit.Evaluation;
using DermKit.Reporting;
using Plotly.NET;

namespace DermKit.Figures;

/// <summary>Charts that compare models: ratios that may be bounded, and one score over several costs.</summary>
internal static class Comparisons
{
    internal static (Trace[], Layout) Ratios(RatioFigure figure)
    {
        string[] names = [.. figure.Categories.Select(c => Look.Wrapped(c, 22))];
        double[] known = [.. figure.Series.SelectMany(s => s.Values).OfType<SavingMedian>().SelectMany(Ends)
            .Where(v => v > 0 && double.IsFinite(v)).Append(0.8).Append(1.25)];
        double left = known.Min() / 1.3, right = known.Max() * 1.3;
        IEnumerable<double> places = Enumerable.Range(-3, 7).SelectMany(power =>
            (right / left > 40 ? new double[] { 1 } : [1, 2, 5]).Select(n => n * Math.Pow(10, power)));
        double[] ticks = [.. places.Where(v => v >= left && v <= right)];
        int lines = names.Select(n => n.Split("<br>").Length).DefaultIfEmpty(1).Max();
        int row = Math.Max(14 + 14 * figure.Series.Count, 6 + 16 * lines);
        Layout layout = Look.Layout(figure.Stamp, 110 + figure.Categories.Count * row, figure.Series.Count > 1);
        Look.Fill(layout,
            ("xaxis", Charts.NumberAxis(figure.ValueAxis, true, known, ticks, ticks.Length,
                ("range", new[] { Math.Log10(left), Math.Log10(right) }))),
            ("yaxis", Look.Axis("", ("type", "category"), ("showgrid", true), ("autorange", "reversed"), ("ticks", ""),
                ("tickson", "boundaries"), ("categoryarray", names))),
            ("scattermode", "group"), ("scattergap", 0.25));
        Charts.DashedLine(layout, "x", 1, 0, "", ("left", "top", 4));
        return ([.. figure.Series.SelectMany(Pair)], layout);

        // Intervals with the arrows of open ends, then the marks of the legend.
        Trace[] Pair(RatioSeries series, int i)
        {
            var values = series.Values.Index().Where(v => v.Item is not null)
                .Select(v => (Row: names[v.Index], Of: v.Item!)).ToArray();
            var whiskers = values.Select(v => (v.Row, Low: Math.Max(v.Of.Low, left), High: Math.Min(v.Of.High, right),
                At: Math.Sqrt(Math.Max(v.Of.Low, left) * Math.Min(v.Of.High, right)))).ToArray();
            var arrows = values.Where(v => v.Of.Low < left).Select(v => (v.Row, At: left, Symbol: "triangle-left"))
                .Concat(values.Where(v => v.Of.High > right)
                    .Select(v => (v.Row, At: right, Symbol: "triangle-right"))).ToArray();
            var marks = values.SelectMany(v => new[] { v.Of.Lower, v.Of.Upper }.Distinct()
                .Where(m => m > 0 && double.IsFinite(m)).Select(at => (v.Row, At: at, v.Of,
                    Symbol: Look.Symbol(i) + (v.Of.Lower == v.Of.Upper ? "" : "-open")))).ToArray();
            return
            [
                Marks(series, i, whiskers.Select(w => w.Row).Concat(arrows.Select(a => a.Row)),
                    whiskers.Select(w => w.At).Concat(arrows.Select(a => a.At)),
                    whiskers.Select(_ => "circle").Concat(arrows.Select(a => a.Symbol)),
                    whiskers.Select(_ => 0.0).Concat(arrows.Select(_ => 1.0)),
                    ("showlegend", false), ("hoverinfo", "skip"),
                    ("error_x", Look.Part(("type", "data"), ("symmetric", false), ("thickness", 1.6), ("width", 4),
                        ("color", Look.Color(i)),
                        ("array", whiskers.Select(w => w.High - w.At).Concat(arrows.Select(_ => 0.0)).ToArray()),
                        ("arrayminus", whiskers.Select(w => w.At - w.Low).Concat(arrows.Select(_ => 0.0)).ToArray())))),
                Marks(series, i, marks.Select(m => m.Row), marks.Select(m => m.At), marks.Select(m => m.Symbol),
                    marks.Select(_ => 1.0), ("hoverinfo", "text"),
                    ("hovertext", marks.Select(m => $"{m.Row}<br>{Look.Text(series.Name)}: {Said(m.Of)}").ToArray())),
            ];
        }

        static Trace Marks(RatioSeries series, int i, IEnumerable<string> rows, IEnumerable<double> places,
            IEnumerable<string> symbols, IEnumerable<double> opacities, params (string Key, object? Value)[] more) =>
            Look.Trace("scatter", [("name", Look.Text(series.Name)), ("mode", "markers"), ("offsetgroup", $"{i}"),
                ("legendgroup", $"{i}"), ("orientation", "h"), ("y", rows.ToArray()), ("x", places.ToArray()),
                ("cliponaxis", false), ("marker", Look.Part(("color", Look.Color(i)), ("size", 9),
                    ("symbol", symbols.ToArray()), ("opacity", opacities.ToArray()),
                    ("line", Look.Part(("width", 2), ("color", Look.Color(i)))))), .. more]);

        static IEnumerable<double> Ends(SavingMedian m) => [m.Lower, m.Upper, m.Low, m.High];
        static string Said(SavingMedian m) => SavingReport.Median(m);
    }

    internal static (Trace[], Layout) Panels(PanelFigure figure)
    {
        int columns = figure.XAxes.Count;
        string[] rows = [.. figure.Points.Where(p => !double.IsNaN(p.Y.Value)).Select(p => p.Row).Distinct()];
        string[] names = [.. figure.Points.Select(p => p.Name).Distinct()];
        double[][] places = [.. figure.XAxes.Select((_, c) => figure.Points.Select(p => p.X[c]).ToArray())];
        // Plotly cuts a legend that is taller than half the panels, as in a narrow page.
        Layout layout = Look.Layout(figure.Stamp, 110 + Math.Max(270 * rows.Length, 40 * names.Length), legend: true);
        var traces = new List<Trace>();
        var listed = new HashSet<string>();
        var titles = new List<object>();
        for (int r = 0; r < rows.Length; r++)
        {
            PanelPoint[] own = [.. figure.Points.Where(p => p.Row == rows[r] && !double.IsNaN(p.Y.Value))];
            double low = own.Min(p => Math.Min(p.Y.Value, p.Y.HasInterval ? p.Y.Low : 1));
            double high = own.Max(p => Math.Max(p.Y.Value, p.Y.HasInterval ? p.Y.High : 0));
            double margin = Math.Max(0.08 * (high - low), 0.01), step = 1.0 / rows.Length;
            (low, high) = (low - margin, high + margin);
            double bottom = 1 - (r + 1) * step + (r + 1 < rows.Length ? 0.05 : 0), top = 1 - r * step - 0.06;
            titles.Add(Look.Part(("text", $"<b>{Look.Text(rows[r])}</b>"), ("x", 0), ("xref", "paper"), ("y", top),
                ("yref", "paper"), ("xanchor", "left"), ("yanchor", "bottom"), ("showarrow", false),
                ("font", Look.Part(("size", 12)))));
            for (int c = 0; c < columns; c++)
            {
                string id = r * columns + c is > 0 and var n ? $"{n + 1}" : "";
                double[] finite = [.. places[c].Where(double.IsFinite).DefaultIfEmpty(1)];
                double[] ends = [Math.Log10(finite.Min()), Math.Log10(finite.Max())];
                double margins = 0.12 * (ends[1] - ends[0]) + 0.08;
                double width = 1.0 / columns, gap = c + 1 < columns ? 0.035 : 0;
                layout.SetProperty($"xaxis{id}", Charts.NumberAxis(
                    r + 1 < rows.Length ? "" : figure.XAxes[c], true, places[c], null, 4,
                    ("domain", new[] { c * width, (c + 1) * width - gap }), ("anchor", $"y{id}"),
                    ("range", new[] { ends[0] - margins, ends[1] + margins })));
                layout.SetProperty($"yaxis{id}", Look.Axis(c == 0 ? figure.YAxis : "", ("showgrid", true),
                    ("nticks", 6), ("domain", new[] { bottom, top }), ("anchor", $"x{id}"),
                    ("showticklabels", c == 0), ("range", new[] { low, high })));
                double apart = 0.028 * (ends[1] - ends[0] + 2 * margins);
                traces.AddRange(figure.Points.Where(p => double.IsNaN(p.Y.Value) && double.IsFinite(p.X[c])).Select(p =>
                    Look.Trace("scatter", ("name", Look.Text(p.Name)), ("mode", "lines"),
                        ("x", new[] { p.X[c], p.X[c] }), ("y", new[] { low, high }), ("line", Look.Part(
                            ("color", Look.Color(5)), ("dash", "dash"), ("width", 1.8))),
                        ("hoverinfo", "name"), ("xaxis", $"x{id}"), ("yaxis", $"y{id}"),
                        ("showlegend", listed.Add(p.Name)))));
                traces.AddRange(own.Where(p => double.IsFinite(p.X[c])).Select(p => Point(p, id, c, apart, own)));
            }
        }
        Look.Fill(layout, ("annotations", titles.ToArray()));
        return ([.. traces], layout);

        Trace Point(PanelPoint p, string id, int c, double apart, PanelPoint[] row)
        {
            int i = Array.IndexOf(names, p.Name);
            // Points of one place stand side by side, so that their intervals do not overlap.
            PanelPoint[] near =
                [.. row.Where(o => Math.Abs(Math.Log10(o.X[c] / p.X[c])) < apart).OrderBy(o => o.X[c])];
            double aside = apart * (Array.IndexOf(near, p) - (near.Length - 1) / 2.0);
            return Look.Trace("scatter", ("name", Look.Text(p.Name)), ("legendgroup", p.Name), ("mode", "markers"),
                ("x", new[] { p.X[c] * Math.Pow(10, aside) }), ("y", new[] { p.Y.Value }),
                ("marker", Charts.Marker(i, 10)), ("xaxis", $"x{id}"), ("yaxis", $"y{id}"),
                ("showlegend", listed.Add(p.Name)),
                ("error_y", !p.Y.HasInterval ? null : Look.Part(("type", "data"), ("symmetric", false),
                    ("thickness", 1.6), ("width", 4), ("color", Look.Color(i)),
                    ("array", new[] { p.Y.High - p.Y.Value }), ("arrayminus", new[] { p.Y.Value - p.Y.Low }))),
                ("hoverinfo", "text"), ("hovertext", $"{Look.Text(p.Name)}<br>{Look.Text(figure.XAxes[c])}: "
                    + $"{Tables.Number(p.X[c])}<br>{p.Y}"));
        }
    }
}
