using Microsoft.CodeAnalysis.CSharp;

namespace DermKit.Notebooks;

/// <summary>Contents of replies, with status ok unless they have another.</summary>
internal static class KernelReplies
{
    internal static JsonObject Info() => new()
    {
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
    };

    internal static JsonObject IsComplete(JsonObject answer) =>
        answer.ContainsKey("status") ? answer : new() { ["status"] = "unknown" };

    internal static JsonObject Complete(JsonObject request, JsonObject answer)
    {
        // The protocol counts Unicode characters, .NET counts UTF-16 units.
        int Place(string key) => ((string?)request["code"] ?? "")[..(int)answer[key]!].EnumerateRunes().Count();
        return CompilerError(answer) ?? new()
        {
            ["matches"] = answer["matches"]!.DeepClone(),
            ["cursor_start"] = Place("start"),
            ["cursor_end"] = Place("end"),
            ["metadata"] = new JsonObject(),
        };
    }

    internal static JsonObject Inspect(JsonObject answer)
    {
        string text = (string?)answer["text"] ?? "";
        JsonObject reply = CompilerError(answer) ?? Data(text == "" ? null : new() { ["text/plain"] = text });
        reply["found"] = text != "";
        return reply;
    }

    internal static JsonObject Data(JsonObject? data) =>
        new() { ["data"] = data?.DeepClone() ?? new JsonObject(), ["metadata"] = new JsonObject() };

    // The content of a cell's error, or else of its success.
    internal static JsonObject Outcome(JsonObject? error, JsonObject success)
    {
        JsonObject content = error?.DeepClone().AsObject() ?? success;
        content["status"] = error is null ? "ok" : "error";
        return content;
    }

    internal static JsonObject Error(string name, string message, params string[] traceback) => new()
    {
        ["status"] = "error",
        ["ename"] = name,
        ["evalue"] = message,
        ["traceback"] = new JsonArray([.. traceback.Select(l => (JsonNode)l)]),
    };

    internal static int Utf16(string text, int codePoints)
    {
        int at = 0;
        for (; codePoints > 0 && at < text.Length; codePoints--) at += char.IsSurrogatePair(text, at) ? 2 : 1;
        return at;
    }

    private static JsonObject? CompilerError(JsonObject answer) =>
        (string?)answer["error"] is { } error ? Error("CompilerError", error) : null;
}
