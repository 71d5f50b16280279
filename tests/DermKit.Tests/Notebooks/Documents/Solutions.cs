using DermKit.Notebooks;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>The folded solutions of a notebook's exercises: what is fenced as csharp in them has to run.</summary>
internal static partial class Solutions
{
    /// <summary>The code of all solutions in order.</summary>
    internal static IReadOnlyList<string> Of(NotebookDocument notebook) =>
        [.. notebook.Cells.Where(c => c.Type == "markdown").SelectMany(c => Details().Matches(c.Source))
            .SelectMany(d => Code().Matches(d.Groups[1].Value)).Select(m => m.Groups[1].Value.TrimEnd())];

    /// <summary>Number of folded parts in the form that a report takes.</summary>
    internal static int Folded(string markdown) => Details().Count(markdown);

    [GeneratedRegex(@"^<details><summary>[^<>\n]+</summary>\n\n([\s\S]*?)\n\n</details>$", RegexOptions.Multiline)]
    private static partial Regex Details();

    [GeneratedRegex(@"^```csharp\n([\s\S]*?)^```$", RegexOptions.Multiline)]
    private static partial Regex Code();
}
