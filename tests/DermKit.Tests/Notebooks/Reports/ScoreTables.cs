using System.Net;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>Finds the tables of a report that show intervals or corrected p without saying what they rest on.</summary>
internal static partial class ScoreTables
{
    /// <summary>Captions of such tables.</summary>
    internal static string[] Unstated(string html) => [.. Tables().Matches(html).Select(m => m.Value)
        .Where(t => Heading().IsMatch(t)
            && !(t.Contains("<figcaption>n: ", StringComparison.Ordinal)
                && new[] { " Seeds: ", " Intervals: ", " Comparison: " }.All(part =>
                    t.Contains(part, StringComparison.Ordinal))))
        .Select(t => WebUtility.HtmlDecode(Caption().Match(t).Groups[1].Value))];

    [GeneratedRegex("<figure class=\"kit-table\".*?</figure>", RegexOptions.Singleline)]
    private static partial Regex Tables();

    [GeneratedRegex(@"<th scope=""col""[^>]*>[^<]*(?:95 %|\(Holm\)|F1)[^<]*</th>|<th scope=""col""[^>]*>p</th>")]
    private static partial Regex Heading();

    [GeneratedRegex("<caption>(?:<span[^>]*>[^<]*</span> )?([^<]*)</caption>")]
    private static partial Regex Caption();
}
