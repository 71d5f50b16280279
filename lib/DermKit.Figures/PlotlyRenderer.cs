using System.Reflection;
using System.Text;
using DermKit.Reporting;
using Microsoft.FSharp.Collections;
using Plotly.NET;
using Figure = DermKit.Reporting.Figure;

namespace DermKit.Figures;

/// <summary>Draws figures with Plotly.NET; the page decides the colours of text and background.</summary>
internal sealed class PlotlyRenderer : IFigureRenderer
{
    public string PlotlySpec(Figure figure)
    {
        (Trace[] traces, Layout layout) = figure switch
        {
            BarFigure bar => Charts.Bars(bar),
            LineFigure line => Charts.Lines(line),
            HeatmapFigure heatmap => Charts.Heatmap(heatmap),
            ScatterFigure scatter => Charts.Scatter(scatter),
            RatioFigure ratios => Comparisons.Ratios(ratios),
            PanelFigure panels => Comparisons.Panels(panels),
            _ => throw new KitException($"Figure {figure.Id}: Plotly draws no {figure.GetType().Name}."),
        };
        GenericChart chart = GenericChart.ofTraceObjects(false, ListModule.OfSeq(traces));
        return GenericChart.toFigureJson(GenericChart.setLayout(layout, chart));
    }

    public string PlotlyJs()
    {
        Assembly assembly = typeof(GenericChart).Assembly;
        string name = assembly.GetManifestResourceNames().Single(n => n.EndsWith(".min.js", StringComparison.Ordinal));
        return Resource(assembly, name);
    }

    public string Asset(string name) => Resource(typeof(PlotlyRenderer).Assembly, name);

    private static string Resource(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
