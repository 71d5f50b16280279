using System.Text;
using DermKit.Reporting;
using Microsoft.FSharp.Collections;
using Plotly.NET;
using Figure = DermKit.Reporting.Figure;

namespace DermKit.Figures;

/// <summary>Draws figure records with Plotly.NET. Text and background colours are left to the page, so that one specification serves light and dark.</summary>
public sealed class PlotlyRenderer : IFigureRenderer
{
    /// <inheritdoc/>
    public string PlotlySpec(Figure figure)
    {
        (Trace[] traces, Layout layout) = figure switch
        {
            BarFigure bar => Charts.Bars(bar),
            LineFigure line => Charts.Lines(line),
            HeatmapFigure heatmap => Charts.Heatmap(heatmap),
            ScatterFigure scatter => Charts.Scatter(scatter),
            _ => throw new KitException($"Figure {figure.Id}: {figure.GetType().Name} is no chart that Plotly draws."),
        };
        return GenericChart.toFigureJson(GenericChart.setLayout(layout, GenericChart.ofTraceObjects(false, ListModule.OfSeq(traces))));
    }

    /// <inheritdoc/>
    public string PlotlyJs()
    {
        var assembly = typeof(GenericChart).Assembly;
        string name = assembly.GetManifestResourceNames().Single(n => n.EndsWith(".min.js", StringComparison.Ordinal));
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
