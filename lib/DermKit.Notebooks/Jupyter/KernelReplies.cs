using Microsoft.CodeAnalysis.CSharp;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>Contents of the replies that need no running cell.</summary>
internal static class KernelReplies
{
    internal static JsonObject Info() => new()
    {
        ["status"] = "ok",
        ["protocol_version"] = JupyterMessage.ProtocolVersion,
        ["implementation"] = "dermkit",
        ["implementation_version"] = typeof(KernelReplies).Assembly.GetName().Version!.ToString(3),
        ["language_info"] = new JsonObject
        {
            ["name"] = "C#",
            ["version"] = LanguageVersion.Latest.MapSpecifiedToEffectiveVersion().ToDisplayString(),
            ["mimetype"] = "text/x-csharp",
            ["file_extension"] = ".cs",
            ["pygments_lexer"] = "csharp",
            ["codemirror_mode"] = "text/x-csharp",
        },
        ["banner"] = "DermKit: C# cells, the same session that kit run uses",
        ["debugger"] = false,
        ["help_links"] = new JsonArray(),
    };

    /// <param name="answer">Of the child; null when it has ended.</param>
    internal static JsonObject IsComplete(JsonObject? answer) =>
        answer?["status"] is not null ? answer : new() { ["status"] = "unknown" };

    /// <param name="request">The request's content.</param>
    /// <param name="answer">Of the child; null when it has ended.</param>
    internal static JsonObject Complete(JsonObject request, JsonObject? answer)
    {
        string code = (string?)request["code"] ?? "";
        int cursor = (int?)request["cursor_pos"] ?? CodePoints(code, code.Length);
        return Checked(answer) ?? new()
        {
            ["status"] = "ok",
            ["matches"] = answer?["matches"]?.DeepClone() ?? new JsonArray(),
            ["cursor_start"] = answer is null ? cursor : CodePoints(code, (int)answer["start"]!),
            ["cursor_end"] = answer is null ? cursor : CodePoints(code, (int)answer["end"]!),
            ["metadata"] = new JsonObject(),
        };
    }

    /// <param name="answer">Of the child; null when it has ended.</param>
    internal static JsonObject Inspect(JsonObject? answer)
    {
        string text = (string?)answer?["text"] ?? "";
        return Checked(answer) ?? new()
        {
            ["status"] = "ok",
            ["found"] = text.Length > 0,
            ["data"] = text.Length > 0 ? new JsonObject { ["text/plain"] = text } : new JsonObject(),
            ["metadata"] = new JsonObject(),
        };
    }

    /// <summary>The protocol counts a cursor in characters of Unicode, .NET in halves of UTF-16.</summary>
    internal static int Utf16(string text, int codePoints)
    {
        int at = 0;
        for (; codePoints > 0 && at < text.Length; codePoints--) at += char.IsSurrogatePair(text, at) ? 2 : 1;
        return at;
    }

    private static int CodePoints(string text, int utf16) => text[..utf16].EnumerateRunes().Count();

    private static JsonObject? Checked(JsonObject? answer) => (string?)answer?["error"] is { } error
        ? new() { ["status"] = "error", ["ename"] = "CompilerError", ["evalue"] = error, ["traceback"] = new JsonArray() } : null;
}
