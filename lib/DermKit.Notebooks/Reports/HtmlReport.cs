using System.Globalization;
using System.Net;
using System.Text;
using DermKit.Reporting;

namespace DermKit.Notebooks;

/// <summary>An executed notebook as one HTML file that loads nothing: style, scripts, images and plotly.js are inside, and a content policy forbids the rest.</summary>
public static class HtmlReport
{
    internal const string Policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    internal const string Disclaimer = "For research and teaching; not a medical device.";

    /// <summary>Renders a report.</summary>
    /// <param name="run">The executed notebook.</param>
    /// <param name="all">Every run of the same output folder in order, for the links to the reports before and after; each is NAME.html there.</param>
    public static string Render(NotebookRun run, IReadOnlyList<NotebookRun>? all = null)
    {
        var outline = new Outline();
        var body = new StringBuilder();
        foreach (NotebookCell cell in run.Executed.Cells)
            body.Append(cell.Type switch { "markdown" => outline.Markdown(cell), "code" => CellHtml.Code(cell), _ => $"<pre tabindex=\"0\">{Escape(cell.Source)}</pre>" });
        string title = outline.Title ?? run.Name, content = Findings.WithAnchors(body.ToString());
        outline.Add("Provenance", "provenance", 2);

        var page = new StringBuilder(Head(title))
            .Append($"<header class=\"bar\"><a class=\"home\" href=\"index.html\">DermKit</a><nav aria-label=\"Reports\">{Neighbours(run, all ?? [run])}</nav>")
            .Append("<span class=\"tools\"><button type=\"button\" id=\"code-switch\" aria-pressed=\"false\">Show all code</button><button type=\"button\" id=\"theme-switch\">Dark</button></span></header>")
            .Append($"<div class=\"page\"><aside><details class=\"contents\" open><summary>Contents</summary><nav aria-label=\"Contents\">{outline.Contents()}</nav></details></aside><main id=\"main\">")
            .Append($"<h1>{outline.TitleHtml ?? Escape(title)}</h1><p class=\"meta\">{Meta(run)}</p>");
        if (run.Error is not null)
            page.Append($"<div class=\"banner stopped\" role=\"note\"><strong>Stopped.</strong> {Escape(run.Error.TrimEnd('.'))}. {(content.Contains("id=\"error\"", StringComparison.Ordinal) ? "<a href=\"#error\">See the cell.</a>" : "")} What follows is complete up to there.</div>");
        if (IsSynthetic(run))
            page.Append("<div class=\"banner synthetic\" role=\"note\"><span class=\"kit-stamp\">SYNTHETIC</span> The images of this run are drawn by the kit. Numbers show how the method behaves, and nothing clinical follows from them.</div>");
        if (run.Provenance.Keys.Any(k => k.StartsWith("fixture data", StringComparison.Ordinal)))
            page.Append("<div class=\"banner synthetic\" role=\"note\"><span class=\"kit-stamp\">FIXTURE</span> The data sets of this run have real names and headers, drawn images and invented labels. What is stamped so shows that the code runs, and nothing about those sets.</div>");
        if (run.Provenance.Keys.Any(k => k.StartsWith("fixture", StringComparison.Ordinal) && !k.StartsWith("fixture data", StringComparison.Ordinal)))
            page.Append("<div class=\"banner synthetic\" role=\"note\"><span class=\"kit-stamp\">FIXTURE</span> A weights file of this run holds random numbers in the format of a real model. What is stamped so shows that the code runs, and nothing about that model.</div>");
        page.Append(content)
            .Append($"<section aria-labelledby=\"provenance\"><h2 id=\"provenance\">Provenance</h2>{ProvenanceTable(run)}</section></main></div>")
            .Append($"<footer><p>{Disclaimer}</p><nav aria-label=\"Reports, again\">{Neighbours(run, all ?? [run])}</nav></footer>");
        // Before the kit's own scripts, over all that cells may have written: text, displays, tables, the outline.
        page = new StringBuilder(ReportLinks.Guard(page.ToString()));
        if (content.Contains("class=\"kit-plot\"", StringComparison.Ordinal)) page.Append(FigureHtml.PlotlyScript(FigureRenderer.PlotlyJs()));
        return page.Append($"<script>{FigureHtml.Script}</script><script>{Asset("report.js")}</script></body></html>\n").ToString();
    }

    internal static string Head(string title) =>
        $"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"{Policy}\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{Escape(title)}</title>"
        + $"<style>{FigureHtml.StyleSheet}{Asset("report.css")}</style><script>{Asset("theme.js")}</script></head><body><a class=\"skip\" href=\"#main\">Skip to content</a>";

    internal static string Meta(NotebookRun run) =>
        string.Join(" · ", new[] { $"{run.Mode} mode", run.Device, Tables.Duration(run.Duration), DateTime.UtcNow.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture) }.Select(t => $"<span>{Escape(t)}</span>"));

    internal static bool IsSynthetic(NotebookRun run) => run.Provenance.Keys.Any(k => k.StartsWith("data synthetic", StringComparison.OrdinalIgnoreCase));

    internal static bool HasFixture(NotebookRun run) => run.Provenance.Keys.Any(k => k.StartsWith("fixture", StringComparison.Ordinal));

    internal static string Escape(string text) => WebUtility.HtmlEncode(text);

    internal static string Asset(string name)
    {
        using Stream stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"DermKit.Notebooks.{name}")!;
        return new StreamReader(stream).ReadToEnd();
    }

    /// <summary>Title of a notebook: its first heading of level 1, else its name.</summary>
    internal static string Title(NotebookRun run)
    {
        var outline = new Outline();
        foreach (NotebookCell cell in run.Executed.Cells.Where(c => c.Type == "markdown"))
        {
            outline.Markdown(cell);
            if (outline.Title is { } title) return title;
        }
        return run.Name;
    }

    private static string Neighbours(NotebookRun run, IReadOnlyList<NotebookRun> all)
    {
        int here = Enumerable.Range(0, all.Count).FirstOrDefault(i => all[i].Name == run.Name, -1);
        string Link(int i, string form) => i >= 0 && i < all.Count ? $"<a href=\"{Uri.EscapeDataString(all[i].Name)}.html\">{string.Format(CultureInfo.InvariantCulture, form, Escape(Title(all[i])))}</a>" : "";
        return (here > 0 ? Link(here - 1, "← {0}") : "") + "<a href=\"index.html\">All reports</a>" + (here >= 0 ? Link(here + 1, "{0} →") : "");
    }

    private static string ProvenanceTable(NotebookRun run)
    {
        var lines = new List<(string Key, string Value)>
        {
            ("command", run.Command), ("mode and device", $"{run.Mode}, {run.Device}"), ("duration", Tables.Duration(run.Duration)),
        };
        foreach ((string key, string value) in Provenance.Machine())
            if (!run.Provenance.ContainsKey(key)) lines.Add((key, value));
        lines.AddRange(run.Provenance.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value)));
        string Value(string key, string value) => key == "command" ? $"<code>{Escape(value)}</code>" : Escape(value);
        return "<div class=\"kit-table provenance\"><table><tbody>" + string.Concat(lines.Select(l => $"<tr><th scope=\"row\">{Escape(l.Key)}</th><td>{Value(l.Key, l.Value)}</td></tr>")) + "</tbody></table></div>";
    }
}
