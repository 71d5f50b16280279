using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>A code cell of a report: its source folded away, its outputs in order.</summary>
internal static partial class CellHtml
{
    internal static string Code(NotebookCell cell)
    {
        string source = cell.Source.TrimEnd();
        if (source.Length == 0 && cell.Outputs.Count == 0) return "";
        bool failed = cell.Outputs.Any(o => (string?)o?["output_type"] == "error");
        int lines = source.Count(c => c == '\n') + 1;
        var html = new StringBuilder($"<section class=\"cell{(failed ? " broke" : "")}\"><details class=\"code\"{(failed ? " open" : "")}><summary>Code <span>{(cell.ExecutionCount is { } n ? $"cell {n}, " : "")}{lines} {(lines == 1 ? "line" : "lines")}</span></summary>")
            .Append($"<pre tabindex=\"0\" aria-label=\"Source code\"><code>{Coloured(source)}</code></pre></details>");
        for (int i = 0; i < cell.Outputs.Count; i++)
        {
            JsonNode? output = cell.Outputs[i];
            switch ((string?)output?["output_type"])
            {
                case "stream":
                    string name = (string?)output["name"] ?? "stdout";
                    var text = new StringBuilder(NotebookCell.Text(output["text"]));
                    while (i + 1 < cell.Outputs.Count && (string?)cell.Outputs[i + 1]?["output_type"] == "stream" && (string?)cell.Outputs[i + 1]?["name"] == name)
                        text.Append(NotebookCell.Text(cell.Outputs[++i]?["text"]));
                    html.Append($"<pre class=\"stream {(name == "stderr" ? "stderr" : "stdout")}\" tabindex=\"0\" aria-label=\"{(name == "stderr" ? "Messages" : "Printed text")}\">{Plain(text.ToString())}</pre>");
                    break;
                case "error":
                    html.Append($"<div class=\"error\"{(html.ToString().Contains("id=\"error\"", StringComparison.Ordinal) ? "" : " id=\"error\"")}><p><strong>{Plain((string?)output["ename"] ?? "Error")}</strong> {Plain((string?)output["evalue"] ?? "")}</p>");
                    string trace = string.Join('\n', (output["traceback"] as JsonArray ?? []).Select(l => (string?)l));
                    if (trace.Length > 0) html.Append($"<pre tabindex=\"0\" aria-label=\"Where it happened\">{Plain(trace)}</pre>");
                    html.Append("</div>");
                    break;
                default:
                    html.Append(Data(output?["data"] as JsonObject));
                    break;
            }
        }
        return html.Append("</section>").ToString();
    }

    private static string Data(JsonObject? data)
    {
        if (data is null) return "";
        if (data["text/html"] is { } html) return $"<div class=\"output\">{NotebookCell.Text(html)}</div>";
        foreach (string type in new[] { "image/png", "image/jpeg" })
            if (data[type] is { } image)
                return $"<div class=\"output\"><img src=\"data:{type};base64,{Escape(NotebookCell.Text(image).Replace("\n", ""))}\" alt=\"{Escape(data["text/plain"] is { } alt ? NotebookCell.Text(alt) : "Image made by the cell above")}\"></div>";
        return data["text/plain"] is { } text ? $"<pre class=\"stream stdout\" tabindex=\"0\" aria-label=\"Value\">{Plain(NotebookCell.Text(text))}</pre>" : "";
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>Without terminal colours; a carriage return overwrites its line, as in a terminal.</summary>
    private static string Plain(string text) =>
        Escape(string.Join('\n', TerminalCode().Replace(text, "").Replace("\r\n", "\n").TrimEnd().Split('\n').Select(line => line.TrimEnd('\r').Split('\r')[^1])));

    /// <summary>C# with keywords, text, comments and numbers marked.</summary>
    internal static string Coloured(string source)
    {
        var html = new StringBuilder();
        int at = 0;
        foreach (Match m in Token().Matches(source))
        {
            html.Append(Escape(source[at..m.Index]));
            string kind = m.Groups["comment"].Success ? "c" : m.Groups["text"].Success ? "s" : m.Groups["number"].Success ? "n" : "k";
            html.Append($"<i class=\"{kind}\">{Escape(m.Value)}</i>");
            at = m.Index + m.Length;
        }
        return html.Append(Escape(source[at..])).ToString();
    }

    [GeneratedRegex(@"\x1b\[[0-9;?]*[A-Za-z]")]
    private static partial Regex TerminalCode();

    [GeneratedRegex("""(?<comment>//[^\n]*|/\*[\s\S]*?\*/)|(?<text>\$?@?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])')|(?<number>\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?[fdmL]?\b)|(?<keyword>#[a-z]+|\b(?:using|var|new|await|async|foreach|for|in|if|else|while|do|return|switch|case|default|break|continue|true|false|null|int|long|double|float|bool|string|char|byte|object|void|static|class|record|struct|public|private|internal|readonly|const|with|is|as|not|and|or|out|ref|throw|try|catch|finally|typeof|nameof|this)\b)""")]
    private static partial Regex Token();
}
