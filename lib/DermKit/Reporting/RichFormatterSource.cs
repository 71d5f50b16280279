namespace DermKit.Reporting;

/// <summary>The formatters of figures, tables and displayed HTML.</summary>
public sealed class RichFormatterSource
{
    /// <summary>One formatter for text/html and one for text/plain.</summary>
    public IEnumerable<object> CreateTypeFormatters() =>
    [
        new RichFormatter("text/html", value => value switch
        {
            Figure figure => figure.ToHtml(),
            Table table => table.ToHtml(),
            DisplayedHtml shown => shown.Html,
            _ => null,
        }),
        new RichFormatter("text/plain", value => value switch
        {
            Figure figure => FigureHtml.Plain(figure),
            Table table => table.ToString(),
            DisplayedHtml shown => shown.Plain,
            _ => null,
        }),
    ];
}
