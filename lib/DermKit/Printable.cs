using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace DermKit;

/// <summary>
/// Text from a file (a tensor's name, a cell, a label) as a message, a list, a terminal or a log may show it: without characters that a
/// terminal obeys or that reorder the text beside them.
/// </summary>
public static class Printable
{
    /// <summary>Length in UTF-16 units from which a name is cut.</summary>
    public const int Longest = 200;

    /// <summary>
    /// A name on one line: control characters, line and paragraph separators and invisible format characters (bidirectional overrides, zero
    /// widths) as \n, \r, \t, \uXXXX or \UXXXXXXXX, half a surrogate pair as U+FFFD; a longer text than <paramref name="most"/> is cut,
    /// and its length follows.
    /// </summary>
    /// <param name="text">Any text; null is shown as nothing.</param>
    /// <param name="most">Most UTF-16 units of the text that are shown.</param>
    public static string Of(string? text, int most = Longest)
    {
        if (text is null) return "";
        if (text.Length <= most) return Line(text);
        int end = most > 0 && char.IsSurrogatePair(text[most - 1], text[most]) ? most - 1 : most;
        return string.Create(CultureInfo.InvariantCulture, $"{Line(text[..end])}... ({text.Length:n0} characters)");
    }

    /// <summary>A text of several lines: line ends and tabs stay, all other such characters are escaped.</summary>
    public static string Text(string text) => Escaped(text, keepsLines: true);

    /// <summary>A text of any length as one line: line ends and tabs are escaped too.</summary>
    public static string Line(string text) => Escaped(text, keepsLines: false);

    /// <summary>What is put into a message: one line, in which words longer than <see cref="Longest"/> that are no paths are cut.</summary>
    internal static string Part(string text)
    {
        if (text.Length <= Longest) return Line(text);
        string[] words = text.Split(' ');
        // A name that was cut before stays as it is.
        bool IsCut(int i) => words[i].EndsWith("...", StringComparison.Ordinal) && i + 2 < words.Length
            && words[i + 2].StartsWith("characters)", StringComparison.Ordinal);
        return string.Join(' ', words.Select((word, i) => IsCut(i) || word.AsSpan().ContainsAny('/', '\\') ? Line(word) : Of(word)));
    }

    private static string Escaped(string text, bool keepsLines)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var shown = new StringBuilder(text.Length + 32);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsShown(rune) || (keepsLines && rune.Value is '\n' or '\t')) shown.Append(rune.ToString());
            else if (rune.Value == '\n') shown.Append("\\n");
            else if (rune.Value == '\r') shown.Append("\\r");
            else if (rune.Value == '\t') shown.Append("\\t");
            else if (rune.IsBmp) shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            else shown.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}");
        }
        return shown.ToString();
    }

    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}

/// <summary>
/// The message of a <see cref="KitException"/>: what is put into the text comes from files and users, and is made printable; numbers are
/// written in the invariant culture.
/// </summary>
[InterpolatedStringHandler]
public readonly struct KitMessage
{
    private readonly StringBuilder text;

    /// <summary>Begins a message.</summary>
    public KitMessage(int literalLength, int formattedCount) => text = new(literalLength + 16 * formattedCount);

    /// <summary>Adds what the kit says.</summary>
    public void AppendLiteral(string value) => text.Append(value);

    /// <summary>Adds what was found.</summary>
    public void AppendFormatted<T>(T value) => AppendFormatted(value, null);

    /// <summary>Adds what was found.</summary>
    public void AppendFormatted<T>(T value, string? format) => text.Append(Printable.Part((value is IFormattable formattable
        ? formattable.ToString(format, CultureInfo.InvariantCulture) : value?.ToString()) ?? ""));

    internal string Take() => text.ToString();
}
