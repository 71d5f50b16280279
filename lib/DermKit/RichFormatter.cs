namespace DermKit;

/// <summary>Tells a notebook host which class formats a type. Hosts look for an attribute of this name, so no package of theirs is needed.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    /// <summary>A class whose CreateTypeFormatters() returns formatters.</summary>
    public Type FormatterSourceType { get; } = formatterSourceType;

    /// <summary>Best first.</summary>
    public string[] PreferredMimeTypes { get; set; } = [];
}

/// <summary>Writes a value in one form.</summary>
/// <param name="mimeType">text/html or text/plain.</param>
/// <param name="text">The form of a value; null for one that it does not know.</param>
public sealed class RichFormatter(string mimeType, Func<object, string?> text)
{
    /// <summary>text/html or text/plain.</summary>
    public string MimeType { get; } = mimeType;

    /// <summary>Writes <paramref name="instance"/>; false when it is of another type.</summary>
    public bool Format(object instance, TextWriter writer)
    {
        string? form = text(instance);
        writer.Write(form);
        return form is not null;
    }
}
