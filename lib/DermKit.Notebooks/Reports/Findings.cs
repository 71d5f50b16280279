namespace DermKit.Notebooks;

internal sealed record Finding(string Html, string Anchor, string Place);

/// <summary>The headlines of a run's figures and tables.</summary>
internal static class Findings
{
    internal static IReadOnlyList<Finding> Of(NotebookRun run) =>
        [.. run.Executed.Cells.Where(c => c.IsCode).SelectMany(c => c.Outputs)
            .SelectMany(o => Headline.Matches(NotebookCell.Text(o?["data"]?["text/html"])))
            .Select((m, i) => Create(m, i + 1)).DistinctBy(f => f.Html)];

    internal static string WithAnchors(string content)
    {
        const string Attribute = " data-headline=";
        int n = 0;
        return Headline.Replace(content,
            m => m.Value.Insert(m.Value.IndexOf(Attribute, Ordinal), $" id=\"{Anchor(++n)}\""));
    }

    private static string Anchor(int n) => $"finding-{n}";

    private static Finding Create(Match figure, int n)
    {
        // Headlines of drawn and real data name the stamps; otherwise the figure's own stamp applies.
        string html = Bracketed.Replace(figure.Groups["headline"].Value, m => Stamp(m.Groups[1].Value));
        if (!html.Contains("kit-stamp", Ordinal)) html = FirstStamp.Match(figure.Value).Value + html;
        bool isTable = figure.Groups["kind"].Value == "table";
        Match title = (isTable ? Caption : Title).Match(figure.Value);
        string text = Outline.Text(title.Groups[1].Value).TrimEnd('.');
        return new(html, Anchor(n), $"{(isTable ? "Table" : "Figure")}: {text}");
    }

    private static readonly Regex Headline = new("""
        <figure\ class="kit-(?<kind>figure|table)"[^>]*?\ data-headline="(?<headline>[^"]+)"[\s\S]*?</figure>
        """, RegexOptions.IgnorePatternWhitespace);

    private const string StampSpan = """<span class="kit-stamp">[^<]+</span> """;
    private static readonly Regex Bracketed = new(@"\[(SYNTHETIC|FIXTURE|SYNTHETIC \+ FIXTURE)\] ");
    private static readonly Regex FirstStamp = new(StampSpan);
    private static readonly Regex Caption = new($"<caption>(?:{StampSpan})?(.*?)</caption>");
    private static readonly Regex Title = new($"<figcaption>(?:{StampSpan})?<strong>(.*?)</strong>");
}
