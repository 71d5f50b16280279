using System.Globalization;
using System.Text;

namespace DermKit;

/// <summary>
/// Text from a file, such as a tensor's name, as a message or a list may show it: on one line, of bounded length, and
/// without characters that a terminal obeys or that reorder the text beside them.
/// </summary>
public static class Printable
{
    /// <summary>Length in UTF-16 units from which a name is cut.</summary>
    public const int Longest = 200;

    /// <summary>
    /// The text with control characters, line and paragraph separators and invisible format characters (bidirectional
    /// overrides, zero widths) as \n, \r, \t, \uXXXX or \UXXXXXXXX, half a surrogate pair as U+FFFD; a longer text than
    /// <paramref name="most"/> is cut, and its length follows.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="most">Most UTF-16 units of the text that are shown.</param>
    public static string Of(string text, int most = Longest)
    {
        if (text.Length <= most && !text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        int end = Math.Min(text.Length, most);
        if (end > 0 && end < text.Length && char.IsSurrogatePair(text[end - 1], text[end])) end--;
        var shown = new StringBuilder(end + 32);
        foreach (Rune rune in text.AsSpan(0, end).EnumerateRunes()) Append(shown, rune);
        if (end < text.Length) shown.Append(CultureInfo.InvariantCulture, $"... ({text.Length:n0} characters)");
        return shown.ToString();
    }

    private static void Append(StringBuilder shown, Rune rune)
    {
        bool isShown = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
        if (isShown) shown.Append(rune.ToString());
        else if (rune.Value == '\n') shown.Append("\\n");
        else if (rune.Value == '\r') shown.Append("\\r");
        else if (rune.Value == '\t') shown.Append("\\t");
        else if (rune.IsBmp) shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
        else shown.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}");
    }
}
