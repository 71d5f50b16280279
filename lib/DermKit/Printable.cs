using System.Runtime.CompilerServices;

namespace DermKit;

/// <summary>Escapes text from files, so that it neither controls a terminal nor reorders the text beside it.</summary>
internal static class Printable
{
    // In UTF-16 units; Of cuts longer texts.
    public const int Longest = 200;

    // A name on one line: controls, separators and invisible format characters as \n, \r, \t, \uXXXX or \UXXXXXXXX,
    // half a surrogate pair as U+FFFD. A cut text has its length added.
    public static string Of(string? text, int most = Longest)
    {
        if (text is null) return "";
        if (text.Length <= most) return Line(text);
        int end = most > 0 && char.IsSurrogatePair(text[most - 1], text[most]) ? most - 1 : most;
        return string.Create(CultureInfo.InvariantCulture, $"{Line(text[..end])}... ({text.Length:n0} characters)");
    }

    // Keeps line feeds and tabs.
    public static string Text(string text) => Escaped(text, keepsLines: true);

    public static string Line(string text) => Escaped(text, keepsLines: false);

    // A value in a message: one line; words over Longest that are not paths are cut.
    internal static string Part(string text)
    {
        if (text.Length <= Longest) return Line(text);
        string[] words = text.Split(' ');
        // A name already cut stays.
        bool IsCut(int i) => words[i].EndsWith("...", Ordinal) && i + 2 < words.Length
            && words[i + 2].StartsWith("characters)", Ordinal);
        bool IsWhole(int i) => IsCut(i) || words[i].AsSpan().ContainsAny('/', '\\');
        return string.Join(' ', words.Select((word, i) => IsWhole(i) ? Line(word) : Of(word)));
    }

    private static string Escaped(string text, bool keepsLines)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var shown = new StringBuilder(text.Length + 32);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsShown(rune) || keepsLines && rune.Value is '\n' or '\t') shown.Append(rune.ToString());
            else
                shown.Append(rune.Value switch
                {
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    int code when rune.IsBmp => "\\u" + code.ToString("x4", CultureInfo.InvariantCulture),
                    int code => "\\U" + code.ToString("x8", CultureInfo.InvariantCulture),
                });
        }
        return shown.ToString();
    }

    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}

/// <summary>Interpolated message of a <see cref="KitException"/>: values are escaped, numbers invariant.</summary>
[InterpolatedStringHandler]
public readonly struct KitMessage
{
    private readonly StringBuilder text;

    /// <summary>Begins a message.</summary>
    public KitMessage(int literalLength, int formattedCount) => text = new(literalLength + 16 * formattedCount);

    /// <summary>Adds a literal.</summary>
    public void AppendLiteral(string value) => text.Append(value);

    /// <summary>Adds a value.</summary>
    public void AppendFormatted<T>(T value) => AppendFormatted(value, null);

    /// <summary>Adds a value in a format.</summary>
    public void AppendFormatted<T>(
        T value, string? format) => text.Append(Printable.Part((value is IFormattable formattable
            ? formattable.ToString(format, CultureInfo.InvariantCulture) : value?.ToString()) ?? ""));

    internal string Take() => text.ToString();
}
