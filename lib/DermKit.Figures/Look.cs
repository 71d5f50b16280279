using DynamicObj;
using Plotly.NET;

namespace DermKit.Figures;

/// <summary>What all figures share: palette, symbols, dashes, fonts, axes.</summary>
internal static class Look
{
    /// <summary>Told apart by the colour-blind and at least 3:1 against white and against the report's dark page; a series always has a symbol, dash or pattern of its own too.</summary>
    private static readonly string[] Palette = ["#2f7fc1", "#d0601a", "#178f6b", "#b25aa0", "#a8841a", "#7b7f8a"];
    private static readonly string[] Symbols = ["circle", "square", "diamond", "triangle-up", "x", "star"];
    private static readonly string[] Dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
    private static readonly string[] Patterns = ["", "/", ".", "x", "-", "|"];

    internal static string Color(int i) => Palette[i % Palette.Length];
    internal static string Symbol(int i) => Symbols[(i + i / Symbols.Length) % Symbols.Length];
    internal static string Dash(int i) => Dashes[(i + i / Dashes.Length) % Dashes.Length];
    internal static string Pattern(int i) => Patterns[(i + i / Patterns.Length) % Patterns.Length];

    internal static string Translucent(int i, string alpha)
    {
        string hex = Color(i);
        return $"rgba({Convert.ToInt32(hex[1..3], 16)},{Convert.ToInt32(hex[3..5], 16)},{Convert.ToInt32(hex[5..7], 16)},{alpha})";
    }

    internal static DynamicObj.DynamicObj Part(params (string Key, object? Value)[] properties) => Fill(new DynamicObj.DynamicObj(), properties);

    internal static Trace Trace(string type, params (string Key, object? Value)[] properties) => Fill(new Trace2D(type), properties);

    internal static T Fill<T>(T target, params (string Key, object? Value)[] properties) where T : DynamicObj.DynamicObj
    {
        foreach ((string key, object? value) in properties)
            if (value is not null) target.SetProperty(key, value);
        return target;
    }

    internal static Layout Layout(string stamp, int height, bool legend)
    {
        // The stamp stands on a line of its own at the top, the legend under it, both outside the plot.
        int top = stamp.Length > 0 ? 24 : 4;
        return Fill(new Layout(),
            ("height", height),
            ("autosize", false),
            ("paper_bgcolor", "rgba(0,0,0,0)"), ("plot_bgcolor", "rgba(0,0,0,0)"),
            ("font", Part(("family", "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"), ("size", 13))),
            ("margin", Part(("l", 12), ("r", 14), ("t", top + 8), ("b", 8), ("pad", 0))),
            ("hovermode", "closest"), ("dragmode", false),
            ("showlegend", legend),
            ("legend", Part(("orientation", "h"), ("x", 0), ("xanchor", "left"), ("yref", "container"), ("y", 1 - top / (double)height), ("yanchor", "top"), ("bgcolor", "rgba(0,0,0,0)"), ("itemwidth", 38), ("itemclick", false), ("itemdoubleclick", false), ("traceorder", "normal"))),
            ("title", stamp.Length == 0 ? null : Part(("text", $"<b>{Text(stamp)}</b>"), ("font", Part(("size", 12), ("color", "#c2571a"))), ("x", 1), ("xanchor", "right"), ("xref", "paper"), ("y", 1 - 6.0 / height), ("yanchor", "top"), ("yref", "container"))));
    }

    internal static DynamicObj.DynamicObj Axis(string title, params (string Key, object? Value)[] more) => Fill(Part(
        ("title", Part(("text", Text(title)), ("standoff", 10), ("font", Part(("size", 13))))), ("automargin", true), ("zeroline", false), ("showline", true), ("linewidth", 1), ("ticks", "outside"), ("ticklen", 4), ("fixedrange", true)), more);

    /// <summary>Plotly reads a little HTML in labels; names are not to be taken for it.</summary>
    internal static string Text(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");

    /// <summary>Long names on several lines, so that they leave room for the plot.</summary>
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
}
