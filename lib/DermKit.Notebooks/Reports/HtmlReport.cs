using DermKit.Reporting;

namespace DermKit.Notebooks;

/// <summary>Renders an executed notebook as one HTML file; a content policy forbids it to load anything.</summary>
internal static class HtmlReport
{
    internal const string Disclaimer = "For research and teaching; not a medical device.";

    internal static string Render(NotebookRun run, IReadOnlyList<NotebookRun>? all = null)
    {
        var outline = new Outline();
        string content = Findings.WithAnchors(string.Concat(run.Executed.Cells.Select(cell => cell.Type switch
        {
            "markdown" => outline.Markdown(cell),
            "code" => CellHtml.Code(cell),
            _ => $"""<pre tabindex="0">{Escape(cell.Source)}</pre>""",
        })));
        string title = outline.Title ?? run.Name;
        string links = Neighbours(run, all ?? [run]);

        // Guards what cells wrote, before the kit's own scripts are added.
        string page = ReportLinks.Guard($"""
            {Head(title, links)}
            <div class="page"><aside><details class="contents" open><summary>Contents</summary>
            <nav aria-label="Contents">{outline.Contents()}</nav></details></aside><main id="main">
            <h1>{outline.TitleHtml ?? Escape(title)}</h1><p class="meta">{Meta(run)}</p>
            {Banners(run, content)}{content}
            <section aria-labelledby="provenance"><h2 id="provenance">Provenance</h2>{ProvenanceTable(run)}</section>
            </main></div><footer><p>{Disclaimer}</p><nav aria-label="Reports, again">{links}</nav></footer>
            """);
        string plotly = content.Contains("class=\"kit-plot\"", Ordinal)
            ? FigureHtml.PlotlyScript(FigureRenderer.PlotlyJs()) : "";
        return $"{page}{plotly}<script>{FigureHtml.Script}</script>{End()}";
    }

    // The index has no links to others, and no code to show.
    internal static string Head(string title, string links = "")
    {
        const string Switch = """<button type="button" id="code-switch" aria-pressed="false">Show all code</button>""";
        (string nav, string code) = links == "" ? ("", "") : ($"<nav aria-label=\"Reports\">{links}</nav>", Switch);
        return $"""
            <!doctype html><html lang="en"><head><meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src
            'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width, initial-scale=1"><title>{Escape(title)}</title>
            <style>{FigureHtml.StyleSheet}{Asset("report.css")}</style><script>{Asset("theme.js")}</script></head>
            <body><a class="skip" href="#main">Skip to content</a>
            <header class="bar"><a class="home" href="index.html">DermKit</a>{nav}<span class="tools">{code}
            <button type="button" id="theme-switch">Dark</button></span></header>
            """;
    }

    internal static string End() => $"<script>{Asset("report.js")}</script></body></html>\n";

    internal static string Meta(NotebookRun run)
    {
        string now = DateTime.UtcNow.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture);
        string[] parts = [$"{run.Mode} mode", run.Device, Tables.Duration(run.Duration), now];
        return string.Join(" · ", parts.Select(t => $"<span>{Escape(t)}</span>"));
    }

    internal static string Stamps(NotebookRun run) =>
        Stamp(Count(run, "data synthetic") > 0 ? "SYNTHETIC" : "") + Stamp(Count(run, "fixture") > 0 ? "FIXTURE" : "");

    private static string Asset(string name)
    {
        using Stream stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"DermKit.Notebooks.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    internal static Outline Opening(NotebookRun run)
    {
        var outline = new Outline();
        foreach (NotebookCell cell in run.Executed.Cells.Where(c => c.IsMarkdown)
            .TakeWhile(_ => outline.Title is null || outline.Lead is null)) outline.Markdown(cell);
        return outline;
    }

    private static int Count(NotebookRun run, string prefix) =>
        run.Provenance.Keys.Count(k => k.StartsWith(prefix, OrdinalIgnoreCase));

    private static string Banners(NotebookRun run, string content)
    {
        var html = new StringBuilder();
        if (run.Error is not null)
        {
            string link = content.Contains("id=\"error\"", Ordinal) ? "<a href=\"#error\">See the cell.</a>" : "";
            html.Append($"""
                <div class="banner stopped" role="note"><strong>Stopped.</strong> {Escape(run.Error.TrimEnd('.'))}.
                {link} What follows is complete up to there.</div>
                """);
        }
        void Warn(bool applies, string stamp, string text)
        {
            if (applies) html.Append($"""<div class="banner synthetic" role="note">{Stamp(stamp)}{text}</div>""");
        }
        int drawn = Count(run, "data synthetic"), fixtures = Count(run, "fixture");
        int fixtureSets = Count(run, "fixture data");
        Warn(drawn > 0, "SYNTHETIC", "The images of this run are drawn by the kit. Numbers show how the method "
            + "behaves, and nothing clinical follows from them.");
        Warn(fixtureSets > 0, "FIXTURE", "The data sets of this run have real names and headers, drawn images and "
            + "invented labels. What is stamped so shows that the code runs, and nothing about those sets.");
        Warn(fixtures > fixtureSets, "FIXTURE", "A weights file of this run holds random numbers in the format of a "
            + "real model. What is stamped so shows that the code runs, and nothing about that model.");
        return html.ToString();
    }

    private static string Neighbours(NotebookRun run, IReadOnlyList<NotebookRun> all)
    {
        int here = all.ToList().FindIndex(r => r.Name == run.Name);
        string Link(NotebookRun? other, string before, string after) => other is null ? ""
            : $"<a href=\"{Uri.EscapeDataString(other.Name)}.html\">"
                + $"{before}{Escape(Opening(other).Title ?? other.Name)}{after}</a>";
        return $"{Link(all.ElementAtOrDefault(here - 1), "← ", "")}<a href=\"index.html\">All reports</a>"
            + (here < 0 ? "" : Link(all.ElementAtOrDefault(here + 1), "", " →"));
    }

    private static string ProvenanceTable(NotebookRun run)
    {
        string Row(string key, string html) => $"<tr><th scope=\"row\">{Escape(key)}</th><td>{html}</td></tr>";
        IEnumerable<KeyValuePair<string, string>> lines =
        [
            new("mode and device", $"{run.Mode}, {run.Device}"),
            new("duration", Tables.Duration(run.Duration)),
            .. Provenance.Machine().ExceptBy(run.Provenance.Keys, p => p.Key),
            .. run.Provenance.OrderBy(p => p.Key, StringComparer.Ordinal),
        ];
        string rows = string.Concat(lines.Select(l => Row(l.Key, Escape(l.Value))));
        return "<div class=\"kit-table provenance\"><table><tbody>"
            + $"{Row("command", $"<code>{Escape(run.Command)}</code>")}{rows}</tbody></table></div>";
    }
}
