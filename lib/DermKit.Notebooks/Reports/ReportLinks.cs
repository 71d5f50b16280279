namespace DermKit.Notebooks;

/// <summary>Allows the addresses http, https, mailto, places in the report and files beside it, and for images
/// data:image. Tags with others, such as javascript:, are shown as text.</summary>
internal static class ReportLinks
{
    private static readonly HashSet<string> Addresses = Words("href xlink:href src action formaction poster data "
        + "background cite longdesc codebase manifest ping lowsrc dynsrc");

    // Attributes with addresses among other text.
    private static readonly HashSet<string> Texts = Words("srcset imagesrcset srcdoc style content to from by values");

    // Elements that show an image or a video and run nothing.
    private static readonly HashSet<string> Images = Words("img image feimage video input source");

    // The scheme or data:image/ ends within so many letters.
    private const int LongestScheme = 200;

    // Limits the time, as each of many unclosed tags is read to the page's end. Later tags become text.
    private const int MostReadings = 16;
    private const int MoreLetters = 100_000;

    private static readonly string[] Schemes = ["http", "https", "mailto"];
    private static readonly string[] Programs = ["javascript:", "vbscript:", "data:text/html", "livescript:"];

    internal static bool IsAllowed(string address, bool image)
    {
        string plain = Plain(address, LongestScheme);
        int end = plain.AsSpan().IndexOfAny(":/?#");
        if (end < 0 || plain[end] != ':') return true;
        return Schemes.Contains(plain[..end]) || (image && plain.StartsWith("data:image/", Ordinal));
    }

    internal static string Guard(string html)
    {
        var page = new StringBuilder(html.Length);
        int copied = 0;
        long left = ((long)MostReadings * html.Length) + MoreLetters;
        // Examines each '<' by itself: no script, open quote or comment before it can hide a tag.
        for (int at = html.IndexOf('<'); at >= 0; at = html.IndexOf('<', at + 1))
        {
            int end = at + 1;
            if (end == html.Length || !char.IsAsciiLetter(html[end])) continue;
            if (IsHarmless(html, ref end, ref left)) continue;
            page.Append(html, copied, at - copied).Append(html[at..end].Replace("<", "&lt;", Ordinal));
            copied = end;
            at = end - 1;
        }
        return page.Append(html, copied, html.Length - copied).ToString();
    }

    // Whether all addresses of a tag are allowed; moves to the tag's end.
    private static bool IsHarmless(string html, ref int at, ref long left)
    {
        int start = at;
        bool isHarmless = true;
        int length = html.AsSpan(start).IndexOfAny(" \t\r\n\f/>");
        at = length < 0 ? html.Length : start + length;
        string name = Name(html.AsSpan(start, at - start));
        for (Match m = Attribute.Match(html, at); m.Success; m = Attribute.Match(html, at))
        {
            at = m.Index + m.Length;
            string attribute = Name(m.Groups["name"].ValueSpan);
            if (Addresses.Contains(attribute))
            {
                bool image = Images.Contains(name) && !attribute.EndsWith("action", Ordinal);
                isHarmless &= IsAllowed(Decode(m.Groups["value"].Value), image);
            }
            if (Texts.Contains(attribute)) isHarmless &= !NamesProgram(Decode(m.Groups["value"].Value));
        }
        ReadOnlySpan<char> tag = html.AsSpan(start, at - start);
        if (name == "meta") isHarmless &= !tag.Contains("refresh", OrdinalIgnoreCase);
        left -= tag.Length;
        if (left < 0) return false;
        if (!isHarmless || name != "style") return isHarmless;
        int end = html.IndexOf("</style", at, OrdinalIgnoreCase);
        if (end < 0) end = html.Length;
        left -= end - at;
        return !NamesProgram(html[at..end]);
    }

    private static HashSet<string> Words(string words) => [.. words.Split(' ')];

    private static string Name(ReadOnlySpan<char> text) =>
        text[..Math.Min(text.Length, 64)].ToString().ToLowerInvariant();

    private static bool NamesProgram(string text)
    {
        // A style sheet may escape letters and put comments between them.
        string plain = $"{Plain(text, int.MaxValue)} {Plain(Unescape(text), int.MaxValue)}";
        return Programs.Any(p => plain.Contains(p, Ordinal));
    }

    // Lower case, without the characters that browsers ignore in an address.
    private static string Plain(string address, int most)
    {
        bool IsRead(char c) => !char.IsControl(c) && !char.IsWhiteSpace(c)
            && char.GetUnicodeCategory(c) != UnicodeCategory.Format;
        return string.Concat(address.Where(IsRead).Take(most)).ToLowerInvariant();
    }

    // Decodes as browsers do, which accept more than WebUtility.
    private static string Decode(string text)
    {
        string numbers = Number.Replace(text, m => m.Groups[1].Success
            ? Character(m.Groups[1].Value, NumberStyles.AllowHexSpecifier)
            : Character(m.Groups[2].Value, NumberStyles.None));
        return WebUtility.HtmlDecode(numbers.Replace("&colon;", ":").Replace("&Tab;", "\t").Replace("&NewLine;", "\n"));
    }

    private static string Unescape(string css) =>
        StyleEscape.Replace(css, m => Character(m.Groups[1].Value, NumberStyles.AllowHexSpecifier));

    // None beyond the basic plane, where no letter of an address is.
    private static string Character(string digits, NumberStyles style) =>
        int.TryParse(digits, style, CultureInfo.InvariantCulture, out int code) && code is > 0 and <= char.MaxValue
            ? $"{(char)code}" : "";

    private static readonly Regex Attribute = new("""
        \G(?>[\ \t\r\n\f/]*)(?<name>[^\ \t\r\n\f/>][^\ \t\r\n\f/>=]*)
        (?:(?>[\ \t\r\n\f]*)=(?>[\ \t\r\n\f]*)(?>"(?<value>[^"]*)"?|'(?<value>[^']*)'?|(?<value>[^\ \t\r\n\f>]*)))?
        """, RegexOptions.IgnorePatternWhitespace);

    private static readonly Regex Number = new("&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?");
    private static readonly Regex StyleEscape = new(@"/\*[\s\S]*?\*/|/(?=\*)|\\(?:([0-9a-fA-F]{1,6})\s?)?");
}
