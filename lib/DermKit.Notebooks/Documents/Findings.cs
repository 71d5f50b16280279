using System.Net;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>What a reader should take home from a figure or table of a run: its headline.</summary>
/// <param name="Html">The sentence, with a stamp before each part that rests on drawn data.</param>
/// <param name="Anchor">Id of the figure or table in the report.</param>
/// <param name="Place">What the link to it says.</param>
internal sealed record Finding(string Html, string Anchor, string Place);

/// <summary>The headlines of a run's figures and tables, numbered in their order.</summary>
internal static partial class Findings
{
    internal static IReadOnlyList<Finding> Of(NotebookRun run) =>
        [.. run.Executed.Cells.Where(c => c.IsCode).SelectMany(c => c.Outputs).SelectMany(o => Headline().Matches(NotebookCell.Text(o?["data"]?["text/html"])))
            .Select((m, i) => Make(m, i + 1)).DistinctBy(f => f.Html)];

    /// <summary>Gives every figure and table with a headline its id.</summary>
    internal static string WithAnchors(string content)
    {
        int n = 0;
        return Headline().Replace(content, m => m.Value.Insert(m.Value.IndexOf(" data-headline=", StringComparison.Ordinal), $" id=\"{Anchor(++n)}\""));
    }

    private static string Anchor(int n) => $"finding-{n}";

    private static Finding Make(Match figure, int n)
    {
        // Headlines name the stamp where they join drawn and real data; else that of the figure holds.
        string html = Stamped().Replace(figure.Groups["headline"].Value, m => Badge(m.Groups[1].Value));
        if (Stamp().Match(figure.Value) is { Success: true } stamp && !html.Contains("kit-stamp", StringComparison.Ordinal)) html = Badge(WebUtility.HtmlDecode(stamp.Groups[1].Value)) + html;
        Match title = figure.Groups["kind"].Value == "table" ? Caption().Match(figure.Value) : Title().Match(figure.Value);
        return new(html, Anchor(n), $"{(figure.Groups["kind"].Value == "table" ? "Table" : "Figure")}: {WebUtility.HtmlDecode(Tag().Replace(title.Groups[1].Value, "")).TrimEnd('.')}");
    }

    private static string Badge(string stamp) => $"<span class=\"kit-stamp\">{HtmlReport.Escape(stamp)}</span> ";

    [GeneratedRegex("""<figure class="kit-(?<kind>figure|table)"[^>]*? data-headline="(?<headline>[^"]+)"[\s\S]*?</figure>""")]
    private static partial Regex Headline();

    [GeneratedRegex(@"\[(SYNTHETIC|FIXTURE|SYNTHETIC \+ FIXTURE)\] ")]
    private static partial Regex Stamped();

    [GeneratedRegex("""<span class="kit-stamp">([^<]+)</span>""")]
    private static partial Regex Stamp();

    [GeneratedRegex("""<caption>(?:<span class="kit-stamp">[^<]*</span> )?(.*?)</caption>""")]
    private static partial Regex Caption();

    [GeneratedRegex("""<figcaption>(?:<span class="kit-stamp">[^<]*</span> )?<strong>(.*?)</strong>""")]
    private static partial Regex Title();

    [GeneratedRegex("<[^>]+>")]
    private static partial Regex Tag();
}
