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
        return ReportLinks.Guard($"""
            {HtmlReport.Head("DermKit reports")}
            <main id="main" class="index"><h1>What these runs found</h1>
            <p>Each notebook in a sentence, then its headline findings: the value with its 95&#160;% interval, the
            number of test units n, and a link to the figure or table that it comes from. A finding stamped
            {Stamp("SYNTHETIC")}or {Stamp("FIXTURE")}rests on data that the kit made itself, and nothing clinical
            follows from it.</p>
            <p class="meta"><span>{runs.Count} {(runs.Count == 1 ? "notebook" : "notebooks")}</span> ·
            <span>{outcome}</span> · <span>{duration} in all</span></p>
            <ol class="cards">{string.Concat(cards)}</ol></main><footer><p>{HtmlReport.Disclaimer}</p></footer>
            """) + HtmlReport.End();
    }

    private static string Card(NotebookRun run)
    {
        string report = $"{Uri.EscapeDataString(run.Name)}.html";
        Outline outline = HtmlReport.Opening(run);
        string title = outline.TitleHtml ?? Escape(run.Name);
        var card = new StringBuilder($"<li class=\"card\"><h2><a href=\"{report}\">{title}</a></h2>");
        if (outline.Lead is { Length: > 0 } lead) card.Append($"<p>{Escape(lead)}</p>");
        if (Findings.Of(run) is { Count: > 0 } findings)
        {
            IEnumerable<string> lines = findings.Select(
                f => $"<li>{f.Html} <a href=\"{report}#{f.Anchor}\">{Escape(f.Place)}</a></li>");
            card.Append($"<ul class=\"headlines\">{string.Concat(lines)}</ul>");
        }
        string outcome = run.Error is null ? "<span class=\"ran\">✓ ran to the end</span>"
            : $"<span class=\"failed\">✕ stopped: {Escape(run.Error)}</span>";
        return $"{card}<p class=\"meta\">{outcome} · {HtmlReport.Meta(run)} {HtmlReport.Stamps(run)}</p></li>";
    }
}
