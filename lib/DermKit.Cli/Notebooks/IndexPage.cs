using System.Text;

namespace DermKit.Cli.Notebooks;

/// <summary>The page that leads to the reports: a card for each.</summary>
public static class IndexPage
{
    /// <summary>Renders the page; a report is NAME.html in the same folder.</summary>
    public static string Render(IReadOnlyList<NotebookRun> runs)
    {
        int stopped = runs.Count(r => r.Error is not null);
        var page = new StringBuilder(HtmlReport.Head("DermKit reports"))
            .Append("<header class=\"bar\"><a class=\"home\" href=\"index.html\">DermKit</a><span class=\"tools\"><button type=\"button\" id=\"theme-switch\">Dark</button></span></header>")
            .Append("<main id=\"main\" class=\"index\"><h1>Reports</h1>")
            .Append($"<p class=\"meta\"><span>{runs.Count} {(runs.Count == 1 ? "notebook" : "notebooks")}</span> · <span>{(stopped == 0 ? "all ran to the end" : $"{stopped} stopped early")}</span> · <span>{HtmlReport.Time(TimeSpan.FromTicks(runs.Sum(r => r.Duration.Ticks)))} in all</span></p><ol class=\"cards\">");
        foreach (NotebookRun run in runs)
        {
            var outline = new Outline();
            foreach (NotebookCell cell in run.Executed.Cells.Where(c => c.Type == "markdown").TakeWhile(_ => outline.Title is null || outline.Lead is null)) outline.Markdown(cell);
            page.Append($"<li class=\"card\"><h2><a href=\"{Uri.EscapeDataString(run.Name)}.html\">{outline.TitleHtml ?? HtmlReport.Escape(run.Name)}</a></h2>");
            if (outline.Lead is { Length: > 0 } lead) page.Append($"<p>{HtmlReport.Escape(lead)}</p>");
            if (HtmlReport.Headlines(run) is { Count: > 0 } headlines)
                page.Append("<ul class=\"headlines\">").AppendJoin("", headlines.Take(4).Select(h => $"<li>{HtmlReport.Escape(h)}</li>")).Append("</ul>");
            page.Append($"<p class=\"meta\">{(run.Error is null ? "<span class=\"ran\">✓ ran to the end</span>" : $"<span class=\"failed\">✕ stopped: {HtmlReport.Escape(run.Error)}</span>")} · {HtmlReport.Meta(run)}{(HtmlReport.IsSynthetic(run) ? " <span class=\"kit-stamp\">SYNTHETIC</span>" : "")}</p></li>");
        }
        return page.Append($"</ol></main><footer><p>{HtmlReport.Disclaimer}</p></footer><script>{HtmlReport.Asset("report.js")}</script></body></html>\n").ToString();
    }
}
