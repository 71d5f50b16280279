using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>The HTML of a figure. The kit's report brings style and scripts once. In other hosts each figure brings its
/// own, and the first figure of the process brings plotly.js too.</summary>
internal static class FigureHtml
{
    private static string? _plotlyCarrier;

    internal static string StyleSheet { get; } = FigureRenderer.Asset("figure.css");

    // Draws every waiting figure with window.Plotly; a report embeds it after plotly.js.
    internal static string Script { get; } = FigureRenderer.Asset("figure.js");

    // Whether a report brings style and scripts: AppContext's DermKit.Report, else the kit's host.
    internal static bool InReport => AppContext.TryGetSwitch("DermKit.Report", out bool isReport)
        ? isReport
        : AppContext.GetData(Display.HostKey) is not null;

    internal static string Plain(Figure figure) =>
        $"{Stamps.Bracket(figure.Stamp)}Figure {figure.Id}: {figure.Title}. {figure.Caption}\n{figure.Data()}";

    internal static string Render(Figure figure)
    {
        Table data = figure.Data();
        string headline = figure.Headline.Length > 0 ? $" data-headline=\"{Markup.Escape(figure.Headline)}\"" : "";
        string grid = data.Grid(withCaption: data.Caption != figure.Title);
        var html = new StringBuilder($"<figure class=\"kit-figure\" data-figure=\"{figure.Id}\"{headline}>")
            .Append(figure is ImageGridFigure images ? images.Tiles() : Plot(figure))
            .Append($"<figcaption>{Markup.Stamp(figure.Stamp)}<strong>{Markup.Escape(figure.Title)}.</strong> ")
            .Append($"{Markup.Prose(figure.Caption)}</figcaption>")
            .Append($"<details class=\"kit-data\"><summary>Data table</summary>{grid}</details></figure>");
        if (InReport) return html.ToString();
        if (figure is not ImageGridFigure)
        {
            // When the first figure's cell runs again, it brings plotly.js again; a saved notebook would lose it.
            _plotlyCarrier ??= figure.Id;
            if (_plotlyCarrier == figure.Id) html.Append(PlotlyScript(FigureRenderer.PlotlyJs()));
            html.Append($"<script>{Script}</script>");
        }
        return Markup.Styled(html.ToString());
    }

    // Sets window.Plotly in a page with any module loader.
    internal static string PlotlyScript(string plotlyJs)
    {
        string script = plotlyJs.Replace("</script", "<\\/script");
        return "<script>(function(){if(window.Plotly)return;var define,module,exports;\n"
            + $"{script}\n}}).call(window);</script>";
    }

    private static string Plot(Figure figure)
    {
        string spec = FigureRenderer.PlotlySpec(figure).Replace("<", "\\u003c");
        return $"<div class=\"kit-plot\" role=\"img\" aria-label=\"{Markup.Escape(figure.AltText)}\"></div>"
            + $"<script type=\"application/json\">{spec}</script>";
    }
}
