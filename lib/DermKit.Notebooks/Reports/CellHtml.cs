using Microsoft.CodeAnalysis.CSharp;

namespace DermKit.Notebooks;

internal static class CellHtml
{
    internal static string Code(NotebookCell cell)
    {
        string source = cell.Source.TrimEnd();
        if (source.Length == 0 && cell.Outputs.Count == 0) return "";
        JsonNode? failure = cell.Outputs.FirstOrDefault(o => Type(o) == "error");
        string broke = failure is null ? "" : " broke";
        int lines = source.Count(c => c == '\n') + 1;
        string number = cell.ExecutionCount is { } n ? $"cell {n}, " : "";
        IEnumerable<string> outputs = cell.Outputs.Select(output => Type(output) switch
        {
            "stream" when (string?)output!["name"] == "stderr" => Stream("stderr", "Messages", output["text"]),
            "stream" => Stream("stdout", "Printed text", output!["text"]),
            "error" => Error(output!, output == failure ? " id=\"error\"" : ""),
            _ => Data(output?["data"] as JsonObject),
        });
        return $"""
            <section class="cell{broke}"><details class="code"{(broke == "" ? "" : " open")}>
            <summary>Code <span>{number}{lines} {(lines == 1 ? "line" : "lines")}</span></summary>
            {Pre("Source code", Coloured(source))}</details>{string.Concat(outputs)}</section>
            """;
    }

    internal static string Pre(string label, string html) =>
        $"""<pre tabindex="0" aria-label="{label}"><code>{html}</code></pre>""";

    internal static string Coloured(string source)
    {
        var html = new StringBuilder();
        int at = 0;
        foreach (Match m in Token.Matches(source))
        {
            html.Append(Escape(source[at..m.Index]));
            html.Append($"<i class=\"{m.Groups.Values.Last(g => g.Success).Name}\">{Escape(m.Value)}</i>");
            at = m.Index + m.Length;
        }
        return html.Append(Escape(source[at..])).ToString();
    }

    private static string? Type(JsonNode? output) => (string?)output?["output_type"];

    private static string Stream(string kind, string label, JsonNode? text) =>
        $"""<pre class="stream {kind}" tabindex="0" aria-label="{label}">{Plain(NotebookCell.Text(text))}</pre>""";

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
        if (data?["text/html"] is { } html) return $"<div class=\"output\">{NotebookCell.Text(html)}</div>";
        foreach (string type in new[] { "image/png", "image/jpeg" })
        {
            if (data?[type] is not { } image) continue;
            string bytes = Escape(NotebookCell.Text(image).Replace("\n", ""));
            string alt = data["text/plain"] is { } plain ? NotebookCell.Text(plain) : "Image made by the cell above";
            return $"""
                <div class="output"><img src="data:{type};base64,{bytes}" alt="{Escape(alt)}"></div>
                """;
        }
        return data?["text/plain"] is { } text ? Stream("stdout", "Value", text) : "";
    }

    // Removes terminal colours; a carriage return overwrites its line, as in a terminal.
    private static string Plain(string text)
    {
        string[] lines = TerminalCode.Replace(text, "").Replace("\r\n", "\n").TrimEnd().Split('\n');
        return Escape(string.Join('\n', lines.Select(line => line.TrimEnd('\r').Split('\r')[^1])));
    }

    private static readonly Regex TerminalCode = new(@"\x1b\[[0-9;?]*[A-Za-z]");

    // Groups have the names of the classes of comments, strings, numbers and keywords.
    private static readonly Regex Token = new("""
        (?<c>//[^\n]*|/\*[\s\S]*?\*/)
        |(?<s>\$?@?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])')
        |(?<n>\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?[fdmL]?\b)
        |(?<k>\#[a-z]+|\b(?:var|await|async|record|with|not|and|or|nameof|
        """ + $@"{string.Join('|', SyntaxFacts.GetReservedKeywordKinds().Select(SyntaxFacts.GetText))})\b)",
        RegexOptions.IgnorePatternWhitespace);
}
