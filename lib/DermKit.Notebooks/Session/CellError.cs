using System.Reflection;

namespace DermKit.Notebooks;

/// <summary>Jupyter's ename and evalue, cell and line, and further lines of the traceback.</summary>
internal sealed record CellError(string Name, string Message, string Place, IReadOnlyList<string> Details)
{
    internal const string Compilation = "CompilationError";

    internal string Summary => $"{Place}: {Name}: {Message}";

    internal JsonObject ToOutput() => new()
    {
        ["output_type"] = "error",
        ["ename"] = Name,
        ["evalue"] = Message,
        ["traceback"] = new JsonArray([Summary, .. Details.Select(l => (JsonNode)l)]),
    };

    internal static CellError From(IReadOnlyList<Diagnostic> errors, string source, string cell)
    {
        var lines = new List<string>();
        (string Message, string Place)? first = null;
        foreach (Diagnostic error in errors)
        {
            int line = error.Location.GetLineSpan().StartLinePosition.Line + 1;
            string message = $"{error.Id}: {Explain(error)}", place = $"{cell}, line {line}";
            if (first is null) first = (message, place);
            else lines.Add($"{place}: {message}");
            lines.Add($"    {Line(source, line)}");
        }
        return new(Compilation, first!.Value.Message, first.Value.Place, lines);
    }

    internal static CellError From(Exception exception, string cell, IReadOnlyDictionary<string, string> sources)
    {
        while (exception is TargetInvocationException or AggregateException { InnerExceptions.Count: 1 }
            && exception.InnerException is { } inside) exception = inside;
        var details = new List<string>();
        string? place = null;
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (e != exception) details.Add($"caused by {e.GetType().Name}: {e.Message}");
            foreach (Match frame in Frame.Matches(e.StackTrace ?? ""))
            {
                string method = frame.Groups["method"].Value;
                string number = frame.Groups["line"].Value;
                // The compiler puts the notebook's folder before a cell's name.
                string file = Path.GetFileName(frame.Groups["file"].Value), at = $"{file}, line {number}";
                if (sources.TryGetValue(file, out string? source))
                {
                    place ??= at;
                    details.Add($"   at {at}: {Line(source, int.Parse(number, CultureInfo.InvariantCulture))}");
                }
                else if (!method.StartsWith("Microsoft.CodeAnalysis.Scripting.", Ordinal)
                    && !method.StartsWith("Submission#", Ordinal))
                    details.Add($"   at {method}{(file == "" ? "" : $" in {at}")}");
            }
        }
        return new(exception.GetType().Name, exception.Message, place ?? cell, details);
    }

    // Reports magic commands (#!..), which the compiler would ignore in the first line.
    internal static CellError? FromMagic(string source, string cell)
    {
        string[] lines = Lines(source);
        int at = Array.FindIndex(lines, l => l.StartsWith("#!", Ordinal));
        const string Message =
            "Cells are plain C# script; the magic commands of other hosts (#!..) are not part of it.";
        return at < 0 ? null : new(Compilation, Message, $"{cell}, line {at + 1}", [$"    {lines[at].Trim()}"]);
    }

    private static string[] Lines(string source) => source.ReplaceLineEndings("\n").Split('\n');

    private static string? Line(string source, int number) => Lines(source).ElementAtOrDefault(number - 1)?.Trim();

    private static string Explain(Diagnostic error)
    {
        string message = error.GetMessage(CultureInfo.InvariantCulture);
        return error.Id != "CS0006" ? message
            : $"{message}. Build the kit first, which writes lib/bin: dotnet build Kit.sln -c Release; the path is "
                + "relative to the notebook's folder.";
    }

    private static readonly Regex Frame = new(@"^\s*at (?<method>.+?)(?: in (?<file>.+):line (?<line>\d+))?\r?$",
        RegexOptions.Multiline);
}
