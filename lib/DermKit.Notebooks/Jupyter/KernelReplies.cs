using Microsoft.CodeAnalysis.CSharp;

namespace DermKit.Notebooks;

/// <summary>Contents of replies; a child that has ended answers null.</summary>
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

    internal static JsonObject IsComplete(JsonObject? answer) =>
        answer?["status"] is not null ? answer : new() { ["status"] = "unknown" };

    internal static JsonObject Complete(JsonObject request, JsonObject? answer)
    {
        string code = (string?)request["code"] ?? "";
        int cursor = (int?)request["cursor_pos"] ?? CodePoints(code, code.Length);
        int Place(string key) => answer is null ? cursor : CodePoints(code, (int)answer[key]!);
        return CompilerError(answer) ?? new()
        {
            ["status"] = "ok",
            ["matches"] = answer?["matches"]?.DeepClone() ?? new JsonArray(),
            ["cursor_start"] = Place("start"),
            ["cursor_end"] = Place("end"),
            ["metadata"] = new JsonObject(),
        };
    }

    internal static JsonObject Inspect(JsonObject? answer)
    {
        string text = (string?)answer?["text"] ?? "";
        return CompilerError(answer) ?? new()
        {
            ["status"] = "ok",
            ["found"] = text.Length > 0,
            ["data"] = text.Length > 0 ? new JsonObject { ["text/plain"] = text } : new JsonObject(),
            ["metadata"] = new JsonObject(),
        };
    }

    internal static JsonObject Error(string name, string message, params string[] traceback) => new()
    {
        ["status"] = "error",
        ["ename"] = name,
        ["evalue"] = message,
        ["traceback"] = new JsonArray([.. traceback.Select(l => (JsonNode)l)]),
    };

    // The protocol counts Unicode characters, .NET counts UTF-16 units.
    internal static int Utf16(string text, int codePoints)
    {
        int at = 0;
        for (; codePoints > 0 && at < text.Length; codePoints--) at += char.IsSurrogatePair(text, at) ? 2 : 1;
        return at;
    }

    private static int CodePoints(string text, int utf16) => text[..utf16].EnumerateRunes().Count();

    private static JsonObject? CompilerError(JsonObject? answer) =>
        (string?)answer?["error"] is { } error ? Error("CompilerError", error) : null;
}
