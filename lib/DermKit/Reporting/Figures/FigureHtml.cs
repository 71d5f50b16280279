using DermKit.Evaluation;
using System.Reflection;
using System.Text;

namespace DermKit.Reporting;

/// <summary>The HTML of a figure: image, caption, data table. Inside the kit's own report it is lean, because the report brings style and scripts once;
/// in any other host it brings its own, and the first figure of the process brings plotly.js too.</summary>
public static class FigureHtml
{
    private static string? _plotlyCarrier;

    /// <summary>Style of figures and tables, for a report to embed once.</summary>
    public static string StyleSheet { get; } = Resource("figure.css");

    /// <summary>Script that draws every waiting figure with window.Plotly, for a report to embed once after plotly.js.</summary>
    public static string Script { get; } = Resource("figure.js");

    /// <summary>True where a report brings style and scripts: AppContext switch DermKit.Report, and without it wherever the kit's host takes displays.</summary>
    public static bool InReport => AppContext.TryGetSwitch("DermKit.Report", out bool report) ? report : AppContext.GetData(Display.HostKey) is not null;

    internal static string Plain(Figure figure) =>
        $"{Stamps.Bracket(figure.Stamp)}Figure {figure.Id}: {figure.Title}. {figure.Caption}\n{figure.Data()}";

    internal static string Render(Figure figure)
    {
        Table data = figure.Data();
        string alt = Markup.Escape(figure.AltText);
        var html = new StringBuilder($"<figure class=\"kit-figure\" data-figure=\"{figure.Id}\"");
        if (figure.Headline.Length > 0) html.Append($" data-headline=\"{Markup.Escape(figure.Headline)}\"");
        html.Append('>');
        if (figure is ImageGridFigure grid) html.Append(grid.Tiles());
        else html.Append($"<div class=\"kit-plot\" role=\"img\" aria-label=\"{alt}\"></div><script type=\"application/json\">{FigureRenderer.PlotlySpec(figure).Replace("<", "\\u003c")}</script>");
        html.Append($"<figcaption>{Markup.Stamp(figure.Stamp)}<strong>{Markup.Escape(figure.Title)}.</strong> {Markup.Prose(figure.Caption)}</figcaption>")
            .Append($"<details class=\"kit-data\"><summary>Data table</summary>{data.Grid(withCaption: data.Caption != figure.Title)}</details></figure>");
        if (InReport) return html.ToString();
        if (figure is not ImageGridFigure)
        {
            // Running the first figure's cell again must bring plotly.js again, or a saved notebook would lose it.
            _plotlyCarrier ??= figure.Id;
            if (_plotlyCarrier == figure.Id) html.Append(PlotlyScript(FigureRenderer.PlotlyJs()));
            html.Append($"<script>{Script}</script>");
        }
        return Markup.Styled(html.ToString());
    }

    /// <summary>A script element with plotly.js that sets window.Plotly whatever module loader the page has.</summary>
    public static string PlotlyScript(string plotlyJs) =>
        $"<script>(function(){{if(window.Plotly)return;var define,module,exports;\n{plotlyJs.Replace("</script", "<\\/script")}\n}}).call(window);</script>";

    private static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"DermKit.Reporting.{name}")!;
        return new StreamReader(stream).ReadToEnd();
    }
}
