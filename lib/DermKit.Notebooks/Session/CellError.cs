using Microsoft.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>Why a cell failed.</summary>
/// <param name="Name">Jupyter's ename: the exception's type, or CompilationError.</param>
/// <param name="Message">Jupyter's evalue: the exception's message.</param>
/// <param name="Place">Cell and line, such as "cell-3, line 2"; the cell alone when no cell's code is on the stack.</param>
/// <param name="Details">Further lines of the traceback: source lines, frames, inner exceptions.</param>
public sealed partial record CellError(string Name, string Message, string Place, IReadOnlyList<string> Details)
{
    /// <summary>One line with place, name and message.</summary>
    public string Summary => $"{Place}: {Name}: {Message}";

    /// <summary>The error as an nbformat output.</summary>
    public JsonObject ToOutput() => new()
    {
        ["output_type"] = "error",
        ["ename"] = Name,
        ["evalue"] = Message,
        ["traceback"] = new JsonArray([Summary, .. Details.Select(l => (JsonNode)l)]),
    };

    internal static CellError From(IReadOnlyList<Diagnostic> errors, string source, string cell)
    {
        string Place(Diagnostic error) => $"{cell}, line {error.Location.GetLineSpan().StartLinePosition.Line + 1}";
        string SourceLine(Diagnostic error) => $"    {Line(source, error.Location.GetLineSpan().StartLinePosition.Line)}";
        return new("CompilationError", $"{errors[0].Id}: {Explain(errors[0])}", Place(errors[0]),
            [SourceLine(errors[0]), .. errors.Skip(1).SelectMany(e => new[] { $"{Place(e)}: {e.Id}: {Explain(e)}", SourceLine(e) })]);
    }

    internal static CellError From(Exception exception, string cell, IReadOnlyDictionary<string, string> sources)
    {
        while (exception is TargetInvocationException or AggregateException { InnerExceptions.Count: 1 } && exception.InnerException is { } inside) exception = inside;
        var details = new List<string>();
        string? place = null;
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (e != exception) details.Add($"caused by {e.GetType().Name}: {e.Message}");
            foreach (Match frame in Frame().Matches(e.StackTrace ?? ""))
            {
                string method = frame.Groups["method"].Value, file = frame.Groups["file"].Value, number = frame.Groups["line"].Value;
                // The compiler roots a cell's name in the notebook's folder.
                file = Path.GetFileName(file);
                if (sources.TryGetValue(file, out string? source))
                {
                    place ??= $"{file}, line {number}";
                    details.Add($"   at {file}, line {number}: {Line(source, int.Parse(number, CultureInfo.InvariantCulture) - 1)}");
                }
                else if (!method.StartsWith("Microsoft.CodeAnalysis.Scripting.", StringComparison.Ordinal) && !method.StartsWith("Submission#", StringComparison.Ordinal))
                    details.Add($"   at {method}{(file == "" ? "" : $" in {file}, line {number}")}");
            }
        }
        return new(exception.GetType().Name, exception.Message, place ?? cell, details);
    }

    private static string? Line(string source, int index) => source.ReplaceLineEndings("\n").Split('\n').ElementAtOrDefault(index)?.Trim();

    /// <summary>Magic commands (#!..) of other hosts; the compiler would pass over one in the first line as a shebang.</summary>
    internal static CellError? FromMagic(string source, string cell)
    {
        string[] lines = source.ReplaceLineEndings("\n").Split('\n');
        int at = Array.FindIndex(lines, l => l.StartsWith("#!", StringComparison.Ordinal));
        return at < 0 ? null : new("CompilationError", "Cells are plain C# script; the magic commands of other hosts (#!..) are not part of it.", $"{cell}, line {at + 1}", [$"    {lines[at].Trim()}"]);
    }

    private static string Explain(Diagnostic error)
    {
        string message = error.GetMessage(CultureInfo.InvariantCulture);
        return error.Id == "CS0006"
            ? $"{message}. Build the kit first, which writes lib/bin: dotnet build Kit.sln -c Release; the path is relative to the notebook's folder."
            : message;
    }

    [GeneratedRegex(@"^\s*at (?<method>.+?)(?: in (?<file>.+):line (?<line>\d+))?\r?$", RegexOptions.Multiline)]
    private static partial Regex Frame();
}
