using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>
/// Which addresses a report may name: http, https, mailto, places in the report and files beside it; for images also
/// data:image.
/// Whatever else a markdown cell, a display or a table links to, such as javascript:, is shown as text.
/// </summary>
internal static partial class ReportLinks
{
    /// <summary>Attributes with one address.</summary>
    private static readonly HashSet<string> Addresses = new(StringComparer.OrdinalIgnoreCase)
    {
        "href", "xlink:href", "src", "action", "formaction", "poster", "data", "background",
        "cite", "longdesc", "codebase", "manifest", "ping", "lowsrc", "dynsrc",
    };

    /// <summary>Attributes with addresses among other text.</summary>
    private static readonly HashSet<string> Texts = new(StringComparer.OrdinalIgnoreCase)
    {
        "srcset", "imagesrcset", "srcdoc", "style", "content", "to", "from", "by", "values",
    };

    /// <summary>Elements that show an image or play one, and run nothing that it holds.</summary>
    private static readonly HashSet<string> Images = new(StringComparer.OrdinalIgnoreCase)
    {
        "img", "image", "feimage", "video", "input", "source",
    };

    /// <summary>As many letters of an address as its scheme can have, and those of data:image/ behind it.</summary>
    private const int LongestScheme = 200;

    /// <summary>HTML's white space; every other sign is part of a name or a value.</summary>
    private const string Space = " \t\r\n\f";

    /// <summary>
    /// A page is read this often at most, and as many letters more; tags behind that are text. Tags that never end
    /// would be read to the end of the page from each of them.
    /// </summary>
    private const int MostReadings = 16, MoreLetters = 100_000;

    private static readonly string[] Schemes = ["http", "https", "mailto"];
    private static readonly string[] Programs = ["javascript:", "vbscript:", "data:text/html", "livescript:"];

    /// <summary>Whether a report may link to an address, or show it as an image.</summary>
    internal static bool IsAllowed(string address, bool image)
    {
        string plain = Plain(address, LongestScheme);
        int end = plain.AsSpan().IndexOfAny(":/?#");
        if (end < 0 || plain[end] != ':') return true;
        return Schemes.Contains(plain[..end]) || (image && plain.StartsWith("data:image/", StringComparison.Ordinal));
    }

    /// <summary>A page in which each tag that names another address is text.</summary>
    internal static string Guard(string html)
    {
        var page = new StringBuilder(html.Length);
        int copied = 0;
        long left = ((long)MostReadings * html.Length) + MoreLetters;
        // Each '<' is looked at by itself: no text before it, such as a script, an open quote or a comment, can hide
        // a tag.
        for (int at = html.IndexOf('<'); at >= 0; at = html.IndexOf('<', at + 1))
        {
            int end = at + 1;
            if (end == html.Length || !char.IsAsciiLetter(html[end])) continue;
            if (IsHarmless(html, ref end, ref left)) continue;
            page.Append(html, copied, at - copied).Append(html[at..end].Replace("<", "&lt;", StringComparison.Ordinal));
            copied = end;
            at = end - 1;
        }
        return page.Append(html, copied, html.Length - copied).ToString();
    }

    /// <summary>
    /// Whether a tag, whose name begins at a place, may stand; moves the place to the tag's end, and takes what it read
    /// from the letters that are left.
    /// </summary>
    private static bool IsHarmless(string html, ref int at, ref long left)
    {
        int start = at;
        bool isHarmless = true;
        at = EndOf(html, start, Space + "/>");
        string name = html[start..Math.Min(at, start + 64)];
        bool refreshes = false;
        while (Attribute(html, ref at) is var (attribute, value))
        {
            string text = Addresses.Contains(attribute) || Texts.Contains(attribute) ? Decode(value.ToString()) : "";
            refreshes |= attribute.Equals("http-equiv", StringComparison.OrdinalIgnoreCase);
            bool image = Images.Contains(name) && !attribute.EndsWith("action", StringComparison.OrdinalIgnoreCase);
            if (Addresses.Contains(attribute) && !IsAllowed(text, image)) isHarmless = false;
            if (Texts.Contains(attribute) && NamesProgram(text)) isHarmless = false;
        }
        ReadOnlySpan<char> tag = html.AsSpan(start, at - start);
        bool isMeta = name.Equals("meta", StringComparison.OrdinalIgnoreCase);
        if (refreshes && isMeta && tag.Contains("refresh", StringComparison.OrdinalIgnoreCase)) isHarmless = false;
        left -= tag.Length;
        if (left < 0) return false;
        if (!isHarmless || !name.Equals("style", StringComparison.OrdinalIgnoreCase)) return isHarmless;
        int end = html.IndexOf("</style", at, StringComparison.OrdinalIgnoreCase);
        if (end < 0) end = html.Length;
        left -= end - at;
        return !NamesProgram(html[at..end]);
    }

    /// <summary>The next attribute of a tag, as browsers read it; null at the tag's end.</summary>
    private static (string Name, ReadOnlyMemory<char> Value)? Attribute(string html, ref int at)
    {
        while (at < html.Length && (Space.Contains(html[at]) || html[at] == '/')) at++;
        if (at == html.Length || html[at] == '>') return null;
        int start = at;
        at = EndOf(html, at + 1, Space + "/>=");
        string name = html[start..Math.Min(at, start + 64)];
        int next = SkipSpace(html, at);
        if (next == html.Length || html[next] != '=') return (name, default);
        at = SkipSpace(html, next + 1);
        if (at == html.Length) return (name, default);
        char quote = html[at];
        start = quote is '"' or '\'' ? at + 1 : at;
        int end = quote is '"' or '\'' ? EndOf(html, start, quote.ToString()) : EndOf(html, start, Space + ">");
        at = quote is '"' or '\'' ? Math.Min(end + 1, html.Length) : end;
        return (name, html.AsMemory(start, end - start));
    }

    private static int SkipSpace(string html, int at)
    {
        while (at < html.Length && Space.Contains(html[at])) at++;
        return at;
    }

    private static int EndOf(string html, int at, string signs) =>
        html.AsSpan(at).IndexOfAny(signs) is var length and >= 0 ? at + length : html.Length;

    private static bool NamesProgram(string text)
    {
        // A style sheet may write any letter as a number, and put a comment between two.
        string plain = Plain(text, int.MaxValue), unescaped = Plain(Unescape(text), int.MaxValue);
        return Programs.Any(p => plain.Contains(p, StringComparison.Ordinal))
            || Programs.Any(p => unescaped.Contains(p, StringComparison.Ordinal));
    }

    /// <summary>Without the signs that browsers pass over inside an address, and some more; in lower case.</summary>
    private static string Plain(string address, int most)
    {
        var plain = new StringBuilder();
        foreach (char c in address)
        {
            if (plain.Length == most) break;
            bool isFormat = char.GetUnicodeCategory(c) == UnicodeCategory.Format;
            if (!isFormat && !char.IsControl(c) && !char.IsWhiteSpace(c)) plain.Append(char.ToLowerInvariant(c));
        }
        return plain.ToString();
    }

    /// <summary>
    /// An attribute's text as browsers read it: numbers also without their semicolon, and names that WebUtility does
    /// not know.
    /// </summary>
    private static string Decode(string text)
    {
        string numbers = Number().Replace(text, m =>
        {
            bool isHex = m.Groups["hex"].Success;
            string digits = isHex ? m.Groups["hex"].Value : m.Groups["decimal"].Value;
            NumberStyles style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
            bool isNumber = int.TryParse(digits, style, CultureInfo.InvariantCulture, out int code);
            return isNumber && code is > 0 and <= char.MaxValue ? ((char)code).ToString() : "";
        });
        return WebUtility.HtmlDecode(numbers.Replace("&colon;", ":").Replace("&Tab;", "\t").Replace("&NewLine;", "\n"));
    }

    private static string Unescape(string css)
    {
        var text = new StringBuilder();
        for (int i = 0; i < css.Length; i++)
        {
            if (css[i] == '/' && i + 1 < css.Length && css[i + 1] == '*')
            {
                int end = css.IndexOf("*/", i + 2, StringComparison.Ordinal);
                if (end >= 0) i = end + 1;
                continue;
            }
            if (css[i] != '\\')
            {
                text.Append(css[i]);
                continue;
            }
            int code = 0, digits = 0;
            for (; digits < 6 && i + 1 < css.Length && char.IsAsciiHexDigit(css[i + 1]); digits++)
                code = (code * 16) + Convert.ToInt32(css[++i].ToString(), 16);
            if (digits > 0 && i + 1 < css.Length && char.IsWhiteSpace(css[i + 1])) i++;
            if (digits > 0 && code <= char.MaxValue) text.Append((char)code);
        }
        return text.ToString();
    }

    [GeneratedRegex("&#(?:[xX](?<hex>[0-9a-fA-F]+)|(?<decimal>[0-9]+));?")]
    private static partial Regex Number();
}
