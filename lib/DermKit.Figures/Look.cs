using DermKit.Reporting;
using DynamicObj;
using Plotly.NET;

namespace DermKit.Figures;

/// <summary>Palette, symbols, dashes, fonts and axes of all figures.</summary>
internal static class Look
{
    private const string Fonts = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
    private const string Clear = "rgba(0,0,0,0)";

    // Distinct for colour-blind readers, and 3:1 or more against white and the report's dark page.
    private static readonly string[] Palette = ["#2f7fc1", "#d0601a", "#178f6b", "#b25aa0", "#a8841a", "#7b7f8a"];
    private static readonly string[] Symbols = ["circle", "square", "diamond", "triangle-up", "x", "star"];
    private static readonly string[] Dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
    private static readonly string[] Patterns = ["", "/", ".", "x", "-", "|"];

    internal static string Color(int i) => Palette[i % Palette.Length];

    internal static string Symbol(int i) => Shifted(Symbols, i);

    internal static string Dash(int i) => Shifted(Dashes, i);

    internal static string Pattern(int i) => Shifted(Patterns, i);

    internal static string Translucent(int i, string alpha)
    {
        string hex = Color(i);
        IEnumerable<int> parts = new[] { 1, 3, 5 }.Select(at => Convert.ToInt32(hex.Substring(at, 2), 16));
        return $"rgba({string.Join(',', parts)},{alpha})";
    }

    internal static DynamicObj.DynamicObj Part(params (string Key, object? Value)[] properties) =>
        Fill(new DynamicObj.DynamicObj(), properties);

    internal static Trace Trace(string type, params (string Key, object? Value)[] properties) =>
        Fill(new Trace2D(type), properties);

    // Leaves out null values.
    internal static T Fill<T>(T target, params (string Key, object? Value)[] properties)
        where T : DynamicObj.DynamicObj
    {
        foreach ((string key, object? value) in properties)
            if (value is not null) target.SetProperty(key, value);
        return target;
    }

    // Intervals of values; null without any.
    internal static object? Errors(IEnumerable<Estimate> values, string? color)
    {
        Estimate[] all = [.. values];
        double[] Lengths(Func<Estimate, double> of) => Array.ConvertAll(all, v => v.HasInterval ? of(v) : 0);
        return !all.Any(v => v.HasInterval) ? null : Part(("type", "data"), ("symmetric", false), ("thickness", 1.6),
            ("width", 5), ("color", color), ("array", Lengths(v => v.High - v.Value)),
            ("arrayminus", Lengths(v => v.Value - v.Low)));
    }

    internal static Layout Layout(string stamp, int height, bool legend)
    {
        // The stamp is above the plot and the legend below it.
        int top = stamp.Length > 0 ? 24 : 4;
        return Fill(new Layout(),
            ("height", height),
            ("autosize", false),
            ("paper_bgcolor", Clear),
            ("plot_bgcolor", Clear),
            ("font", Part(("family", Fonts), ("size", 13))),
            ("margin", Part(("l", 12), ("r", 14), ("t", top + 8), ("b", 8), ("pad", 0))),
            ("hovermode", "closest"),
            ("dragmode", false),
            ("showlegend", legend),
            ("legend", Part(("orientation", "h"), ("x", 0), ("xanchor", "left"), ("yref", "container"),
                ("y", 1 - top / (double)height), ("yanchor", "top"), ("bgcolor", Clear), ("itemwidth", 38),
                ("itemclick", false), ("itemdoubleclick", false), ("traceorder", "normal"))),
            ("title", stamp.Length == 0 ? null : Part(("text", $"<b>{Text(stamp)}</b>"),
                ("font", Part(("size", 12), ("color", "#c2571a"))), ("x", 1), ("xanchor", "right"), ("xref", "paper"),
                ("y", 1 - 6.0 / height), ("yanchor", "top"), ("yref", "container"))));
    }

    internal static DynamicObj.DynamicObj Axis(string title, params (string Key, object? Value)[] more) => Fill(Part(
        ("title", Part(("text", Text(title)), ("standoff", 10), ("font", Part(("size", 13))))), ("automargin", true),
        ("zeroline", false), ("showline", true), ("linewidth", 1), ("ticks", "outside"), ("ticklen", 4),
        ("fixedrange", true)), more);

    // Plotly interprets some HTML in labels.
    internal static string Text(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");

    internal static string Wrapped(string text, int width)
    {
        var lines = new List<string> { "" };
        foreach (string word in text.Split(' '))
            if (lines[^1].Length == 0) lines[^1] = word;
            else if (lines[^1].Length + 1 + word.Length <= width) lines[^1] += " " + word;
            else lines.Add(word);
        return string.Join("<br>", lines.Select(Text));
    }

    internal static object? Number(double value) => double.IsNaN(value) ? null : value;

    // Each round of the palette gets other symbols.
    private static string Shifted(string[] all, int i) => all[(i + i / all.Length) % all.Length];
}
