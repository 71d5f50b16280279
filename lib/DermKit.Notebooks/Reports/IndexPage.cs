using DermKit.Reporting;
using System.Text;

namespace DermKit.Notebooks;

/// <summary>The page that leads to the reports: a card for each stage that ran, in the order of their names, with its first sentence and its headline findings.</summary>
public static class IndexPage
{
    /// <summary>Renders the page; a report is NAME.html in the same folder.</summary>
    public static string Render(IReadOnlyList<NotebookRun> runs)
    {
        int stopped = runs.Count(r => r.Error is not null);
        var page = new StringBuilder(HtmlReport.Head("DermKit reports"))
            .Append("<header class=\"bar\"><a class=\"home\" href=\"index.html\">DermKit</a><span class=\"tools\"><button type=\"button\" id=\"theme-switch\">Dark</button></span></header>")
            .Append("<main id=\"main\" class=\"index\"><h1>What these runs found</h1>")
            .Append("<p>Each notebook in a sentence, then its headline findings: the value with its 95 % interval, the number of test units n, and a link to the figure or table that it comes from. A finding stamped <span class=\"kit-stamp\">SYNTHETIC</span> or <span class=\"kit-stamp\">FIXTURE</span> rests on data that the kit made itself, and nothing clinical follows from it.</p>".Replace(" %", "\u00a0%"))
            .Append($"<p class=\"meta\"><span>{runs.Count} {(runs.Count == 1 ? "notebook" : "notebooks")}</span> · <span>{(stopped == 0 ? "all ran to the end" : $"{stopped} stopped early")}</span> · <span>{Tables.Duration(TimeSpan.FromTicks(runs.Sum(r => r.Duration.Ticks)))} in all</span></p><ol class=\"cards\">");
        foreach (NotebookRun run in runs.OrderBy(r => r.Name, StringComparer.Ordinal))
        {
            string report = $"{Uri.EscapeDataString(run.Name)}.html";
            var outline = new Outline();
            foreach (NotebookCell cell in run.Executed.Cells.Where(c => c.Type == "markdown").TakeWhile(_ => outline.Title is null || outline.Lead is null)) outline.Markdown(cell);
            page.Append($"<li class=\"card\"><h2><a href=\"{report}\">{outline.TitleHtml ?? HtmlReport.Escape(run.Name)}</a></h2>");
            if (outline.Lead is { Length: > 0 } lead) page.Append($"<p>{HtmlReport.Escape(lead)}</p>");
            if (Findings.Of(run) is { Count: > 0 } findings)
                page.Append("<ul class=\"headlines\">").AppendJoin("", findings.Select(f => $"<li>{f.Html} <a href=\"{report}#{f.Anchor}\">{HtmlReport.Escape(f.Place)}</a></li>")).Append("</ul>");
            page.Append($"<p class=\"meta\">{(run.Error is null ? "<span class=\"ran\">✓ ran to the end</span>" : $"<span class=\"failed\">✕ stopped: {HtmlReport.Escape(run.Error)}</span>")} · {HtmlReport.Meta(run)}{(HtmlReport.IsSynthetic(run) ? " <span class=\"kit-stamp\">SYNTHETIC</span>" : "")}{(HtmlReport.HasFixture(run) ? " <span class=\"kit-stamp\">FIXTURE</span>" : "")}</p></li>");
        }
        page = new StringBuilder(ReportLinks.Guard(page.ToString()));
        return page.Append($"</ol></main><footer><p>{HtmlReport.Disclaimer}</p></footer><script>{HtmlReport.Asset("report.js")}</script></body></html>\n").ToString();
    }
}
