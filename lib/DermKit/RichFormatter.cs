namespace DermKit;

/// <summary>A value that notebook hosts show as HTML; its type has a
/// <see cref="TypeFormatterSourceAttribute"/>.</summary>
internal interface IRichOutput
{
    string ToHtml();

    string ToPlain();
}

/// <summary>
/// Tells notebook hosts which class formats a type. Hosts look for the names of this attribute, its properties and its
/// source's members, so that no package of theirs is needed.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class TypeFormatterSourceAttribute : Attribute
{
    /// <summary>A class whose CreateTypeFormatters() returns formatters.</summary>
    public Type FormatterSourceType => typeof(RichFormatterSource);

    /// <summary>Best first.</summary>
    public string[] PreferredMimeTypes => ["text/html", "text/plain"];
}

/// <summary>The formatters of everything that the kit shows as HTML.</summary>
public sealed class RichFormatterSource
{
    /// <summary>One formatter for text/html and one for text/plain.</summary>
    public IEnumerable<object> CreateTypeFormatters() =>
        [new RichFormatter("text/html", v => v.ToHtml()), new RichFormatter("text/plain", v => v.ToPlain())];

    private sealed class RichFormatter(string mimeType, Func<IRichOutput, string> text)
    {
        public string MimeType => mimeType;

        public bool Format(object instance, TextWriter writer)
        {
            if (instance is not IRichOutput output) return false;
            writer.Write(text(output));
            return true;
        }
    }
}
