using DermKit.Reporting;

namespace DermKit.Notebooks;

/// <summary>The page of links to the reports, with first sentences and headlines.</summary>
internal static class IndexPage
{
    internal static string Render(IReadOnlyList<NotebookRun> runs)
    {
        int stopped = runs.Count(r => r.Error is not null);
        string outcome = stopped == 0 ? "all ran to the end" : $"{stopped} stopped early";
        string duration = Tables.Duration(TimeSpan.FromTicks(runs.Sum(r => r.Duration.Ticks)));
        IEnumerable<string> cards = runs.OrderBy(r => r.Name, StringComparer.Ordinal).Select(Card);
        string page = ReportLinks.Guard($"""
            {HtmlReport.Head("DermKit reports")}<header class="bar"><a class="home" href="index.html">DermKit</a>
            <span class="tools"><button type="button" id="theme-switch">Dark</button></span></header>
            <main id="main" class="index"><h1>What these runs found</h1>
            <p>Each notebook in a sentence, then its headline findings: the value with its 95&#160;% interval, the
            number of test units n, and a link to the figure or table that it comes from. A finding stamped
            {HtmlReport.Stamp("SYNTHETIC")} or {HtmlReport.Stamp("FIXTURE")} rests on data that the kit made itself,
            and nothing clinical follows from it.</p>
            <p class="meta"><span>{runs.Count} {(runs.Count == 1 ? "notebook" : "notebooks")}</span> ·
            <span>{outcome}</span> · <span>{duration} in all</span></p>
            <ol class="cards">{string.Concat(cards)}
            """);
        return $"{page}</ol></main><footer><p>{HtmlReport.Disclaimer}</p></footer>"
            + $"<script>{HtmlReport.Asset("report.js")}</script></body></html>\n";
    }

    private static string Card(NotebookRun run)
    {
        string report = $"{Uri.EscapeDataString(run.Name)}.html";
        Outline outline = HtmlReport.Opening(run);
        string title = outline.TitleHtml ?? HtmlReport.Escape(run.Name);
        var card = new StringBuilder($"<li class=\"card\"><h2><a href=\"{report}\">{title}</a></h2>");
        if (outline.Lead is { Length: > 0 } lead) card.Append($"<p>{HtmlReport.Escape(lead)}</p>");
        if (Findings.Of(run) is { Count: > 0 } findings)
        {
            IEnumerable<string> lines = findings.Select(
                f => $"<li>{f.Html} <a href=\"{report}#{f.Anchor}\">{HtmlReport.Escape(f.Place)}</a></li>");
            card.Append($"<ul class=\"headlines\">{string.Concat(lines)}</ul>");
        }
        string outcome = run.Error is null ? "<span class=\"ran\">✓ ran to the end</span>"
            : $"<span class=\"failed\">✕ stopped: {HtmlReport.Escape(run.Error)}</span>";
        card.Append($"<p class=\"meta\">{outcome} · {HtmlReport.Meta(run)}");
        if (HtmlReport.IsSynthetic(run)) card.Append(' ').Append(HtmlReport.Stamp("SYNTHETIC"));
        if (HtmlReport.HasFixture(run)) card.Append(' ').Append(HtmlReport.Stamp("FIXTURE"));
        return card.Append("</p></li>").ToString();
    }
}
