namespace DermKit.Reporting;

/// <summary>Tells a notebook host which class formats a type. Hosts look for an attribute of this name, so no package of theirs is needed.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    /// <summary>A class whose CreateTypeFormatters() returns formatters.</summary>
    public Type FormatterSourceType { get; } = formatterSourceType;

    /// <summary>Best first.</summary>
    public string[] PreferredMimeTypes { get; set; } = [];
}

/// <summary>The formatters of figures, tables and displayed HTML.</summary>
public sealed class RichFormatterSource
{
    /// <summary>One formatter for text/html and one for text/plain.</summary>
    public IEnumerable<object> CreateTypeFormatters() => [new RichFormatter("text/html"), new RichFormatter("text/plain")];
}

/// <summary>Writes a figure, a table or displayed HTML in one form.</summary>
public sealed class RichFormatter(string mimeType)
{
    /// <summary>text/html or text/plain.</summary>
    public string MimeType { get; } = mimeType;

    /// <summary>Writes <paramref name="instance"/>; false when it is none of the kit's displayed types.</summary>
    public bool Format(object instance, TextWriter writer)
    {
        bool html = MimeType == "text/html";
        string? text = instance switch
        {
            Figure figure => html ? figure.ToHtml() : FigureHtml.Plain(figure),
            Table table => html ? table.ToHtml() : table.ToString(),
            DisplayedHtml shown => html ? shown.Html : shown.Plain,
            _ => null,
        };
        writer.Write(text);
        return text is not null;
    }
}
