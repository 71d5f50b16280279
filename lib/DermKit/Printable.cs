using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace DermKit;

/// <summary>
/// Text of files (names, keys, cells, labels) as terminals and logs may have it: a character that moves a cursor,
/// begins an
/// escape sequence, breaks a line or turns the direction of writing is shown as its code, such as \u001B.
/// </summary>
public static class Printable
{
    /// <summary>Characters of a name that are printed; a longer one is cut and its length stated.</summary>
    public const int Longest = 200;

    /// <summary>
    /// A text of several lines: line ends and tabs stay, all other such characters are shown as codes.
    /// </summary>
    public static string Text(string text) => Escaped(text, c => c is '\n' or '\t');

    /// <summary>A text as one line: line ends are shown as codes too.</summary>
    public static string Line(string text) => Escaped(text, _ => false);

    /// <summary>
    /// A name as one line of at most <see cref="Longest"/> characters and, where it was cut, its length.
    /// </summary>
    public static string Name(string? name)
    {
        string line = Line(name ?? "");
        if (name is null || name.Length <= Longest) return line;
        int end = char.IsHighSurrogate(name[Longest - 1]) ? Longest - 1 : Longest;
        return string.Create(CultureInfo.InvariantCulture, $"{Line(name[..end])}... ({name.Length} characters)");
    }

    /// <summary>
    /// What is put into a message: one line, in which words longer than <see cref="Longest"/> that are no paths are
    /// cut.
    /// </summary>
    internal static string Part(string text)
    {
        if (text.Length <= Longest) return Line(text);
        string[] words = text.Split(' ');
        // A name that was cut before stays as it is.
        bool IsCut(int i) => words[i].EndsWith("...", StringComparison.Ordinal) && i + 2 < words.Length
            && words[i + 2].StartsWith("characters)", StringComparison.Ordinal);
        return string.Join(' ', words.Select((word, i) => IsCut(i) || word.AsSpan().ContainsAny('/', '\\')
            ? Line(word) : Name(word)));
    }

    /// <summary>True for C0 and C1 controls, line and paragraph separators, marks and overrides of direction.</summary>
    internal static bool IsControl(char c) => char.IsControl(c)
        || c is '\u2028' or '\u2029' or '\u061C' or '\u200E' or '\u200F' or '\uFEFF'
        or >= '\u202A' and <= '\u202E' or >= '\u2066' and <= '\u2069';

    internal static string Escaped(string text, Func<char, bool> keep)
    {
        int first = 0;
        while (first < text.Length && !(IsControl(text[first]) && !keep(text[first]))) first++;
        if (first == text.Length) return text;
        var escaped = new StringBuilder(text, 0, first, text.Length + 16);
        foreach (char c in text.AsSpan(first))
        {
            if (IsControl(c) && !keep(c)) escaped.Append("\\u").Append(((int)c).ToString("X4",
                CultureInfo.InvariantCulture));
            else escaped.Append(c);
        }
        return escaped.ToString();
    }
}

/// <summary>
/// The message of a <see cref="KitException"/>: what is put into the text comes from files and users, and is made
/// printable; numbers are written in the invariant culture.
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
    public void AppendFormatted<T>(T value, string? format) =>
        text.Append(Printable.Part((value is IFormattable formattable
        ? formattable.ToString(format, CultureInfo.InvariantCulture) : value?.ToString()) ?? ""));

    internal string Take() => text.ToString();
}
