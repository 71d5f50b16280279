namespace DermKit.Reporting;

/// <summary>A figure as plain data with caption, alternative text and data table, drawn by a renderer.</summary>
[TypeFormatterSource]
public abstract record Figure : IRichOutput
{
    /// <summary>Checks the texts.</summary>
    /// <exception cref="KitException">A text is empty or the id has other characters.</exception>
    protected Figure(string id, string title, string caption, string altText)
    {
        if (id.Length == 0 || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            throw new KitException(
                $"Figure id '{id}': expected letters, digits, '-', '_' or '.', such as knn-macro-f1.");
        Id = id;
        Title = Given(title, "title");
        Caption = Given(caption, "caption");
        AltText = Given(altText, "alternative text");
    }

    /// <summary>Name, unique in a report: letters, digits, '-', '_', '.'.</summary>
    public string Id { get; }

    /// <summary>What is shown, in a few words.</summary>
    public string Title { get; }

    /// <summary>What to see in it, in a sentence or two.</summary>
    public string Caption { get; }

    /// <summary>The image in words.</summary>
    public string AltText { get; }

    /// <summary>"SYNTHETIC", "FIXTURE", "PART" or empty; printed in the image and before the caption.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>A finding for the index page of the reports; empty for none.</summary>
    public string Headline { get; init; } = "";

    /// <summary>The numbers behind the image.</summary>
    public abstract Table Data();

    /// <summary>HTML for the host of this process.</summary>
    public string ToHtml() => FigureHtml.Render(this);

    string IRichOutput.ToPlain() => FigureHtml.Plain(this);

    internal KitException Wrong(string problem) => new($"Figure {Id}: {problem}");

    // Whether all given lists have as many values as the first.
    private protected static bool SameCount(
        IReadOnlyList<double> first, IReadOnlyList<double> second, IReadOnlyList<double>? low,
        IReadOnlyList<double>? high, IReadOnlyList<string>? labels = null)
    {
        int?[] counts = [second.Count, low?.Count, high?.Count, labels?.Count];
        return counts.All(c => (c ?? first.Count) == first.Count);
    }

    private string Given(string text, string what) => !string.IsNullOrWhiteSpace(text) ? text : throw Wrong(
        $"the {what} is empty; write a sentence, readers without the image depend on it.");
}
