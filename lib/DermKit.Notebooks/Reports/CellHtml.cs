namespace DermKit.Notebooks;

internal static class CellHtml
{
    internal static string Code(NotebookCell cell)
    {
        string source = cell.Source.TrimEnd();
        if (source.Length == 0 && cell.Outputs.Count == 0) return "";
        bool failed = cell.Outputs.Any(o => Type(o) == "error");
        int lines = source.Count(c => c == '\n') + 1;
        string number = cell.ExecutionCount is { } n ? $"cell {n}, " : "";
        var html = new StringBuilder($"""
            <section class="cell{(failed ? " broke" : "")}"><details class="code"{(failed ? " open" : "")}>
            <summary>Code <span>{number}{lines} {(lines == 1 ? "line" : "lines")}</span></summary>
            {Pre("Source code", Coloured(source))}</details>
            """);
        string id = " id=\"error\"";
        for (int i = 0; i < cell.Outputs.Count; i++)
        {
            JsonNode? output = cell.Outputs[i];
            switch (Type(output))
            {
                case "stream":
                    bool isError = (string?)output!["name"] == "stderr";
                    var text = new StringBuilder(NotebookCell.Text(output["text"]));
                    while (i + 1 < cell.Outputs.Count && Type(cell.Outputs[i + 1]) == "stream"
                        && (string?)cell.Outputs[i + 1]!["name"] == (string?)output["name"])
                        text.Append(NotebookCell.Text(cell.Outputs[++i]?["text"]));
                    html.Append(isError ? Stream("stderr", "Messages", text.ToString())
                        : Stream("stdout", "Printed text", text.ToString()));
                    break;
                case "error":
                    html.Append(Error(output!, id));
                    id = "";
                    break;
                default:
                    html.Append(Data(output?["data"] as JsonObject));
                    break;
            }
        }
        return html.Append("</section>").ToString();
    }

    internal static string Pre(string label, string html) =>
        $"""<pre tabindex="0" aria-label="{label}"><code>{html}</code></pre>""";

    internal static string Coloured(string source)
    {
        var html = new StringBuilder();
        int at = 0;
        foreach (Match m in Token.Matches(source))
        {
            html.Append(HtmlReport.Escape(source[at..m.Index]));
            string kind = m.Groups["comment"].Success ? "c" : m.Groups["text"].Success ? "s"
                : m.Groups["number"].Success ? "n" : "k";
            html.Append($"<i class=\"{kind}\">{HtmlReport.Escape(m.Value)}</i>");
            at = m.Index + m.Length;
        }
        return html.Append(HtmlReport.Escape(source[at..])).ToString();
    }

    private static string? Type(JsonNode? output) => (string?)output?["output_type"];

    private static string Stream(string kind, string label, string text) =>
        $"""<pre class="stream {kind}" tabindex="0" aria-label="{label}">{Plain(text)}</pre>""";

    private static string Error(JsonNode output, string id)
    {
        string name = Plain((string?)output["ename"] ?? "Error");
        string trace = string.Join('\n', (output["traceback"] as JsonArray ?? []).Select(l => (string?)l));
        string lines = trace.Length == 0 ? ""
            : $"""<pre tabindex="0" aria-label="Where it happened">{Plain(trace)}</pre>""";
        string value = Plain((string?)output["evalue"] ?? "");
        return $"""<div class="error"{id}><p><strong>{name}</strong> {value}</p>{lines}</div>""";
    }

    private static string Data(JsonObject? data)
    {
        if (data is null) return "";
        if (data["text/html"] is { } html) return $"<div class=\"output\">{NotebookCell.Text(html)}</div>";
        foreach (string type in new[] { "image/png", "image/jpeg" })
        {
            if (data[type] is not { } image) continue;
            string bytes = HtmlReport.Escape(NotebookCell.Text(image).Replace("\n", ""));
            string alt = data["text/plain"] is { } plain ? NotebookCell.Text(plain) : "Image made by the cell above";
            return $"""
                <div class="output"><img src="data:{type};base64,{bytes}" alt="{HtmlReport.Escape(alt)}"></div>
                """;
        }
        return data["text/plain"] is { } text ? Stream("stdout", "Value", NotebookCell.Text(text)) : "";
    }

    // Removes terminal colours; a carriage return overwrites its line, as in a terminal.
    private static string Plain(string text)
    {
        string[] lines = TerminalCode.Replace(text, "").Replace("\r\n", "\n").TrimEnd().Split('\n');
        return HtmlReport.Escape(string.Join('\n', lines.Select(line => line.TrimEnd('\r').Split('\r')[^1])));
    }

    private static readonly Regex TerminalCode = new(@"\x1b\[[0-9;?]*[A-Za-z]");
    private static readonly Regex Token = new("""
        (?<comment>//[^\n]*|/\*[\s\S]*?\*/)
        |(?<text>\$?@?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])')
        |(?<number>\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?[fdmL]?\b)
        |(?<keyword>\#[a-z]+|\b(?:using|var|new|await|async|foreach|for|in|if|else|while|do|return|switch|case|default
        |break|continue|true|false|null|int|long|double|float|bool|string|char|byte|object|void|static|class|record
        |struct|public|private|internal|readonly|const|with|is|as|not|and|or|out|ref|throw|try|catch|finally|typeof
        |nameof|this)\b)
        """, RegexOptions.IgnorePatternWhitespace);
}
