namespace DermKit.Reporting;

/// <summary>Small line charts without scripts: SVG for a notebook, block characters for a terminal.</summary>
internal static class LiveChart
{
    // As the first series of every figure.
    private static readonly (string Color, string Dash)[] Looks = [("#2f7fc1", ""), ("#d0601a", "7 4"),
        ("#178f6b", "2 3")];

    // A chart from 0 to at least 1 of at most three lines; omits lines without points.
    internal static string Svg(IReadOnlyList<ThinnedLine> lines, int steps)
    {
        (ThinnedLine Line, string Stroke)[] drawn = [.. lines
            .Zip(Looks, (line, look) => (line, $"stroke=\"{look.Color}\" stroke-dasharray=\"{look.Dash}\""))
            .Where(d => d.line.Points.Count > 0)];
        if (drawn.Length == 0) return "";
        double highest = drawn.Max(d => d.Line.Points.Max(p => p.Y));
        double top = Math.Max(1, Math.Ceiling(highest * 4) / 4);
        IEnumerable<string> spans = drawn.Select(d =>
            $"{d.Line.Name} {Tables.Number(d.Line.First)} to {Tables.Number(d.Line.Last)}");
        string alt = Markup.Escape($"Lines over {steps} steps; from first to last value: {string.Join("; ", spans)}.");
        var html = new StringBuilder("<ul class=\"kit-legend\">");
        foreach ((ThinnedLine line, string stroke) in drawn)
            html.Append($"<li><svg viewBox=\"0 0 26 4\" aria-hidden=\"true\"><path d=\"M0 2H26\" {stroke}/></svg>")
                .Append($"{Markup.Escape(line.Name)} <b>{Tables.Number(line.Last)}</b></li>");
        html.Append("</ul><div class=\"kit-live-chart\"><div class=\"kit-y\" aria-hidden=\"true\">")
            .Append($"<span>{Mark(top)}</span><span>{Mark(top / 2)}</span><span>0</span></div>")
            .Append($"<svg role=\"img\" aria-label=\"{alt}\" viewBox=\"0 0 600 100\" preserveAspectRatio=\"none\">")
            .Append("<path class=\"kit-grid\" d=\"M0 0H600M0 50H600M0 100H600\"/>");
        foreach ((ThinnedLine line, string stroke) in drawn)
            html.Append($"<path {stroke} d=\"{Path(line.Points, steps, top)}\"/>");
        return html.Append("</svg><div class=\"kit-x\" aria-hidden=\"true\">")
            .Append($"<span>0</span><span>step</span><span>{steps}</span></div></div>").ToString();
    }

    // Block characters between the lowest and highest value; empty without points.
    internal static string Sparkline(ThinnedLine line, int columns = 16)
    {
        double[] values = [.. line.Points.Select(p => p.Y)];
        if (values.Length == 0) return "";
        int wide = Math.Min(columns, values.Length);
        double[] bins = new double[wide];
        for (int i = 0; i < wide; i++)
        {
            int from = i * values.Length / wide;
            int to = (i + 1) * values.Length / wide;
            bins[i] = values[from..to].Average();
        }
        double low = bins.Min();
        double range = Math.Max(bins.Max() - low, double.Epsilon);
        return string.Concat(bins.Select(b => "▁▂▃▄▅▆▇█"[(int)Math.Min(7, (b - low) / range * 8)]));
    }

    private static string Mark(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Path(IReadOnlyList<(double X, double Y)> points, int steps, double top)
    {
        // A single point is drawn as a dash; otherwise it would be invisible.
        return points.Count == 1 ? $"M{Pair(points[0])}h4" : "M" + string.Join('L', points.Select(Pair));

        string Pair((double X, double Y) p)
        {
            double x = 600 * p.X / Math.Max(steps, 1);
            double y = 100 * (1 - Math.Max(p.Y, 0) / top);
            return string.Create(CultureInfo.InvariantCulture, $"{x:0.#} {y:0.#}");
        }
    }
}
