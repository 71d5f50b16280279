using System.Globalization;
using System.Text;

namespace DermKit.Reporting;

/// <summary>A line that keeps at most <paramref name="most"/> points however long it gets: when full, neighbours are averaged in pairs.</summary>
/// <param name="name">For the legend.</param>
/// <param name="most">Even, 4 or more.</param>
internal sealed class Trace(string name, int most = 240)
{
    private readonly List<(double X, double Y)> points = [];
    private int stride = 1, pending;
    private double sumX, sumY;

    public string Name { get; } = name;

    /// <summary>The first value as it came.</summary>
    public double First { get; private set; } = double.NaN;

    /// <summary>The last value as it came.</summary>
    public double Last { get; private set; } = double.NaN;

    /// <summary>Each the mean of as many neighbours; the last may be of fewer.</summary>
    public IReadOnlyList<(double X, double Y)> Points => pending == 0 ? points : [.. points, (sumX / pending, sumY / pending)];

    /// <summary>Adds a value; one that is not finite is passed over.</summary>
    public void Add(double x, double y)
    {
        if (!double.IsFinite(y)) return;
        if (double.IsNaN(First)) First = y;
        Last = y;
        (sumX, sumY) = (sumX + x, sumY + y);
        if (++pending < stride) return;
        points.Add((sumX / pending, sumY / pending));
        (sumX, sumY, pending) = (0, 0, 0);
        if (points.Count < most) return;
        for (int i = 0; i < most / 2; i++) points[i] = ((points[2 * i].X + points[2 * i + 1].X) / 2, (points[2 * i].Y + points[2 * i + 1].Y) / 2);
        points.RemoveRange(most / 2, most / 2);
        stride *= 2;
    }
}

/// <summary>Small images of lines that need no script: SVG for a notebook, block characters for a terminal.</summary>
internal static class LiveChart
{
    // Colours and dashes of the first series of every figure of the kit.
    private static readonly (string Color, string Dash)[] Looks = [("#2f7fc1", ""), ("#d0601a", "7 4"), ("#178f6b", "2 3")];

    /// <summary>A chart from 0 to at least 1 with its legend; the lines are told apart by dashes too, and stand in words in the text alternative.</summary>
    /// <param name="lines">At most three; those without points are left out.</param>
    /// <param name="steps">Right end of the horizontal axis.</param>
    public static string Svg(IReadOnlyList<Trace> lines, int steps)
    {
        var drawn = lines.Zip(Looks, (line, look) => (Line: line, look.Color, look.Dash)).Where(d => d.Line.Points.Count > 0).ToArray();
        if (drawn.Length == 0) return "";
        double top = Math.Max(1, Math.Ceiling(drawn.Max(d => d.Line.Points.Max(p => p.Y)) * 4) / 4);
        string alt = $"Lines over {steps} steps; from first to last value: {string.Join("; ", drawn.Select(d => $"{d.Line.Name} {Tables.Number(d.Line.First)} to {Tables.Number(d.Line.Last)}"))}.";
        var html = new StringBuilder("<ul class=\"kit-legend\">");
        foreach ((Trace line, string color, string dash) in drawn)
            html.Append($"<li><svg viewBox=\"0 0 26 4\" aria-hidden=\"true\"><path d=\"M0 2H26\" stroke=\"{color}\" stroke-dasharray=\"{dash}\"/></svg>{Markup.Escape(line.Name)} <b>{Tables.Number(line.Last)}</b></li>");
        html.Append($"</ul><div class=\"kit-live-chart\"><div class=\"kit-y\" aria-hidden=\"true\"><span>{Mark(top)}</span><span>{Mark(top / 2)}</span><span>0</span></div>")
            .Append($"<svg role=\"img\" aria-label=\"{Markup.Escape(alt)}\" viewBox=\"0 0 600 100\" preserveAspectRatio=\"none\"><path class=\"kit-grid\" d=\"M0 0H600M0 50H600M0 100H600\"/>");
        foreach ((Trace line, string color, string dash) in drawn)
            html.Append($"<path stroke=\"{color}\" stroke-dasharray=\"{dash}\" d=\"{Path(line.Points, steps, top)}\"/>");
        return html.Append($"</svg><div class=\"kit-x\" aria-hidden=\"true\"><span>0</span><span>step</span><span>{steps}</span></div></div>").ToString();
    }

    /// <summary>The line as block characters, lowest value lowest; empty without points.</summary>
    public static string Sparkline(Trace line, int columns = 16)
    {
        IReadOnlyList<(double X, double Y)> points = line.Points;
        if (points.Count == 0) return "";
        int wide = Math.Min(columns, points.Count);
        double[] bins = [.. Enumerable.Range(0, wide).Select(i => points.Skip(i * points.Count / wide).Take((i + 1) * points.Count / wide - i * points.Count / wide).Average(p => p.Y))];
        double low = bins.Min(), range = Math.Max(bins.Max() - low, double.Epsilon);
        return string.Concat(bins.Select(b => "▁▂▃▄▅▆▇█"[(int)Math.Min(7, (b - low) / range * 8)]));
    }

    private static string Mark(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Path(IReadOnlyList<(double X, double Y)> points, int steps, double top)
    {
        string Pair((double X, double Y) p) => string.Create(CultureInfo.InvariantCulture, $"{600 * p.X / Math.Max(steps, 1):0.#} {100 * (1 - Math.Max(p.Y, 0) / top):0.#}");
        // A single point is drawn as a dash, or nothing would be seen.
        return points.Count == 1 ? $"M{Pair(points[0])}h4" : "M" + string.Join('L', points.Select(Pair));
    }
}
