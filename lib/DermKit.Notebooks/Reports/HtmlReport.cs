using DermKit.Reporting;

namespace DermKit.Notebooks;

/// <summary>Renders an executed notebook as one HTML file; a content policy forbids it to load anything.</summary>
internal static class HtmlReport
{
    internal const string Policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        + "'unsafe-inline'; base-uri 'none'; form-action 'none'";
    internal const string Disclaimer = "For research and teaching; not a medical device.";

    internal static string Render(NotebookRun run, IReadOnlyList<NotebookRun>? all = null)
    {
        var outline = new Outline();
        var body = new StringBuilder();
        foreach (NotebookCell cell in run.Executed.Cells)
            body.Append(cell.Type switch
            {
                "markdown" => outline.Markdown(cell),
                "code" => CellHtml.Code(cell),
                _ => $"""<pre tabindex="0">{Escape(cell.Source)}</pre>""",
            });
        string title = outline.Title ?? run.Name;
        string content = Findings.WithAnchors(body.ToString());
        outline.Add("Provenance", "provenance", 2);
        string neighbours = Neighbours(run, all ?? [run]);

        // Guards what cells wrote, before the kit's own scripts are added.
        var page = new StringBuilder(ReportLinks.Guard($"""
            {Head(title)}<header class="bar"><a class="home" href="index.html">DermKit</a>
            <nav aria-label="Reports">{neighbours}</nav>
            <span class="tools"><button type="button" id="code-switch" aria-pressed="false">Show all code</button>
            <button type="button" id="theme-switch">Dark</button></span></header>
            <div class="page"><aside><details class="contents" open><summary>Contents</summary>
            <nav aria-label="Contents">{outline.Contents()}</nav></details></aside><main id="main">
            <h1>{outline.TitleHtml ?? Escape(title)}</h1><p class="meta">{Meta(run)}</p>
            {Banners(run, content)}{content}
            <section aria-labelledby="provenance"><h2 id="provenance">Provenance</h2>{ProvenanceTable(run)}</section>
            </main></div><footer><p>{Disclaimer}</p><nav aria-label="Reports, again">{neighbours}</nav></footer>
            """));
        if (content.Contains("class=\"kit-plot\"", Ordinal))
            page.Append(FigureHtml.PlotlyScript(FigureRenderer.PlotlyJs()));
        return page.Append($"<script>{FigureHtml.Script}</script><script>{Asset("report.js")}</script></body></html>\n")
            .ToString();
    }

    internal static string Head(string title) => $"""
        <!doctype html><html lang="en"><head><meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="{Policy}">
        <meta name="viewport" content="width=device-width, initial-scale=1"><title>{Escape(title)}</title>
        <style>{FigureHtml.StyleSheet}{Asset("report.css")}</style><script>{Asset("theme.js")}</script></head>
        <body><a class="skip" href="#main">Skip to content</a>
        """;

    internal static string Meta(NotebookRun run)
    {
        string now = DateTime.UtcNow.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture);
        string[] parts = [$"{run.Mode} mode", run.Device, Tables.Duration(run.Duration), now];
        return string.Join(" · ", parts.Select(t => $"<span>{Escape(t)}</span>"));
    }

    internal static bool IsSynthetic(NotebookRun run) => HasKey(run, "data synthetic");

    internal static bool HasFixture(NotebookRun run) => HasKey(run, "fixture");

    internal static string Stamp(string text) => $"""<span class="kit-stamp">{Escape(text)}</span>""";

    internal static string Escape(string text) => WebUtility.HtmlEncode(text);

    internal static string Asset(string name)
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

    private static bool HasKey(NotebookRun run, string prefix) =>
        run.Provenance.Keys.Any(k => k.StartsWith(prefix, OrdinalIgnoreCase));

    private static string Banners(NotebookRun run, string content)
    {
        var html = new StringBuilder();
        if (run.Error is not null)
        {
            string link = content.Contains("id=\"error\"", Ordinal)
                ? "<a href=\"#error\">See the cell.</a>" : "";
            html.Append($"""
                <div class="banner stopped" role="note"><strong>Stopped.</strong> {Escape(run.Error.TrimEnd('.'))}.
                {link} What follows is complete up to there.</div>
                """);
        }
        void Synthetic(string stamp, string text) => html.Append(
            $"""<div class="banner synthetic" role="note">{Stamp(stamp)} {text}</div>""");
        const string Data = "fixture data";
        if (IsSynthetic(run))
            Synthetic("SYNTHETIC",
                "The images of this run are drawn by the kit. Numbers show how the method behaves, and nothing "
                    + "clinical follows from them.");
        if (HasKey(run, Data))
            Synthetic("FIXTURE", "The data sets of this run have real names and headers, drawn images and invented "
                + "labels. What is stamped so shows that the code runs, and nothing about those sets.");
        if (run.Provenance.Keys.Any(k => k.StartsWith("fixture", Ordinal)
            && !k.StartsWith(Data, Ordinal)))
            Synthetic("FIXTURE",
                "A weights file of this run holds random numbers in the format of a real model. What is stamped so "
                    + "shows that the code runs, and nothing about that model.");
        return html.ToString();
    }

    private static string Neighbours(NotebookRun run, IReadOnlyList<NotebookRun> all)
    {
        int here = Enumerable.Range(0, all.Count).FirstOrDefault(i => all[i].Name == run.Name, -1);
        string Link(int i, string before, string after) => i < 0 || i >= all.Count ? ""
            : $"<a href=\"{Uri.EscapeDataString(all[i].Name)}.html\">"
                + $"{before}{Escape(Opening(all[i]).Title ?? all[i].Name)}{after}</a>";
        string next = here < 0 ? "" : Link(here + 1, "", " →");
        return $"{Link(here - 1, "← ", "")}<a href=\"index.html\">All reports</a>{next}";
    }

    private static string ProvenanceTable(NotebookRun run)
    {
        var lines = new List<(string Key, string Value)>
        {
            ("command", run.Command), ("mode and device", $"{run.Mode}, {run.Device}"),
            ("duration", Tables.Duration(run.Duration)),
        };
        foreach ((string key, string value) in Provenance.Machine())
            if (!run.Provenance.ContainsKey(key)) lines.Add((key, value));
        lines.AddRange(run.Provenance.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value)));
        string Value(string key, string value) => key == "command" ? $"<code>{Escape(value)}</code>" : Escape(value);
        IEnumerable<string> rows = lines.Select(
            l => $"<tr><th scope=\"row\">{Escape(l.Key)}</th><td>{Value(l.Key, l.Value)}</td></tr>");
        return $"<div class=\"kit-table provenance\"><table><tbody>{string.Concat(rows)}</tbody></table></div>";
    }
}
