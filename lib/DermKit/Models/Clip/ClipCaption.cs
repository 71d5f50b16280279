using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace DermKit.Models;

/// <summary>
/// What CLIP does to a caption before its byte pairs (openai/CLIP, simple_tokenizer.py): character references resolved twice, white space folded, lower
/// case, then words. Two things are left out: ftfy's repair of wrongly decoded text, and the names of characters that HTML 5 added to HTML 4.
/// </summary>
internal static class ClipCaption
{
    /// <summary>Start and end of a caption, which also stand for themselves inside of one.</summary>
    public const string Start = "<|startoftext|>", End = "<|endoftext|>";

    private static readonly string[] Parts = [Start, End, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    /// <summary>The caption as its words are taken from it.</summary>
    public static string Clean(string text)
    {
        var folded = new StringBuilder();
        bool isSpace = false;
        foreach (Rune rune in Strip(Unescape(Unescape(text))).EnumerateRunes())
        {
            if (Rune.IsWhiteSpace(rune)) isSpace = true;
            else
            {
                if (isSpace) folded.Append(' ');
                isSpace = false;
                folded.Append(rune);
            }
        }
        return Lower(folded.ToString());
    }

    /// <summary>
    /// Words of a cleaned caption: CLIP's regular expression, in which each number is a word of its own, by whole characters (.NET's would take
    /// those beyond U+FFFF for two).
    /// </summary>
    public static IEnumerable<string> Words(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Array.Find(Parts, p => string.CompareOrdinal(text, at, p, 0, p.Length) == 0)?.Length ?? 0;
            // The long s, which CLIP's expression takes for an s because it ignores case.
            if (length == 0 && string.CompareOrdinal(text, at, "'\u017f", 0, 2) == 0) length = 2;
            if (length == 0)
            {
                Kind kind = KindOf(text, at, out length);
                if (kind == Kind.Space)
                {
                    at += length;
                    continue;
                }
                while (kind != Kind.Number && at + length < text.Length && KindOf(text, at + length, out int next) == kind) length += next;
            }
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private enum Kind { Space, Letter, Number, Other }

    private static Kind KindOf(string text, int at, out int length)
    {
        // Half a pair is a character that no category takes.
        if (!Rune.TryGetRuneAt(text, at, out Rune rune)) rune = Rune.ReplacementChar;
        length = rune == Rune.ReplacementChar ? 1 : rune.Utf16SequenceLength;
        return Rune.IsWhiteSpace(rune) ? Kind.Space : Rune.IsLetter(rune) ? Kind.Letter : Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber ? Kind.Number : Kind.Other;
    }

    /// <summary>Python's strip, which takes the four separators of ASCII for white space.</summary>
    private static string Strip(string text)
    {
        static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';
        int first = 0, end = text.Length;
        while (first < end && IsSpace(text[first])) first++;
        while (end > first && IsSpace(text[end - 1])) end--;
        return text[first..end];
    }

    /// <summary>Python's lower: beside .NET's, a dotted capital I becomes two characters and a sigma at the end of a word another one.</summary>
    private static string Lower(string text)
    {
        string lower = text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();
        return !text.Contains('\u03a3', StringComparison.Ordinal) ? lower
            : FinalSigma.Replace(text.Replace("\u0130", "i\u0307", StringComparison.Ordinal), "\u03c2").ToLowerInvariant();
    }

    private static readonly Regex FinalSigma = new(@"(?<=\p{L})\u03a3(?!\p{L})", RegexOptions.CultureInvariant);

    /// <summary>Python's html.unescape, with the names of HTML 4; the old ones among them need no semicolon.</summary>
    private static string Unescape(string text) => !text.Contains('&', StringComparison.Ordinal) ? text : Reference.Replace(text, match =>
    {
        string body = match.Groups[1].Value;
        if (body[0] == '#') return Character(body[1..].TrimEnd(';')) ?? match.Value;
        if (body[^1] == ';' && WebUtility.HtmlDecode(match.Value) is var named && named != match.Value) return named;
        for (int length = Math.Min(body.Length, 6); length > 1; length--)
            if (Old(body[..length]) is { } c) return c + body[length..];
        return match.Value;
    });

    private static string? Old(string name) => name switch
    {
        "AMP" => "&",
        "LT" => "<",
        "GT" => ">",
        "QUOT" => "\"",
        "COPY" => "\u00a9",
        "REG" => "\u00ae",
        "apos" => null,
        _ when name.All(char.IsAsciiLetterOrDigit) && WebUtility.HtmlDecode($"&{name};") is [<= '\u00ff'] only => only,
        _ => null,
    };

    private static string? Character(string digits)
    {
        bool isHex = digits[0] is 'x' or 'X';
        if (!long.TryParse(isHex ? digits[1..] : digits, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out long code) || code is < 0 or > 0x10ffff) return "\ufffd";
        return code switch
        {
            0 or (>= 0xd800 and <= 0xdfff) => "\ufffd",
            0x0d => "\r",
            // Numbers that browsers read as Windows' Latin characters.
            >= 0x80 and <= 0x9f => "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178"[(int)code - 0x80].ToString(),
            (>= 1 and <= 8) or 0x0b or (>= 0x0e and <= 0x1f) or 0x7f or (>= 0xfdd0 and <= 0xfdef) => "",
            _ when (code & 0xfffe) == 0xfffe => "",
            _ => char.ConvertFromUtf32((int)code),
        };
    }

    private static readonly Regex Reference = new(@"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)", RegexOptions.CultureInvariant);
}
