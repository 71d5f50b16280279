namespace DermKit.Reporting;

/// <summary>A figure as plain data. A renderer turns it into an image; caption, alternative text and the data table come with it in every host.</summary>
[TypeFormatterSource(typeof(RichFormatterSource), PreferredMimeTypes = ["text/html", "text/plain"])]
public abstract record Figure
{
    /// <summary>Checks that a reader who cannot see the image is served too.</summary>
    /// <param name="id">Short name, unique in a report: letters, digits, '-', '_', '.'.</param>
    /// <param name="title">What is shown, in a few words.</param>
    /// <param name="caption">What to see in it, a sentence or two.</param>
    /// <param name="altText">The image in words.</param>
    /// <exception cref="KitException">A text is empty or the id has other characters.</exception>
    protected Figure(string id, string title, string caption, string altText)
    {
        if (id.Length == 0 || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            throw new KitException($"Figure id '{id}': expected letters, digits, '-', '_' or '.', such as knn-macro-f1.");
        foreach ((string what, string text) in new[] { ("title", title), ("caption", caption), ("alternative text", altText) })
            if (string.IsNullOrWhiteSpace(text))
                throw new KitException($"Figure {id}: the {what} is empty; say it in a sentence, readers without the image depend on it.");
        (Id, Title, Caption, AltText) = (id, title, caption, altText);
    }

    /// <summary>Short name, unique in a report.</summary>
    public string Id { get; }

    /// <summary>What is shown, in a few words.</summary>
    public string Title { get; }

    /// <summary>What to see in it.</summary>
    public string Caption { get; }

    /// <summary>The image in words.</summary>
    public string AltText { get; }

    /// <summary>"SYNTHETIC", "FIXTURE" or empty: stands in the image and before the caption.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>One finding for the report's card on the index page; empty for none.</summary>
    public string Headline { get; init; } = "";

    /// <summary>The numbers behind the image.</summary>
    public abstract Table Data();

    /// <summary>The figure as HTML for the host that runs this process.</summary>
    public string ToHtml() => FigureHtml.Render(this);

    internal KitException Wrong(string problem) => new($"Figure {Id}: {problem}");
}
