using System.Net;
using System.Text.RegularExpressions;

namespace DermKit.Models;

/// <summary>CLIP's preparation of captions (openai/CLIP, simple_tokenizer.py): character references resolved twice,
/// white space folded, lower case, words. Omits ftfy's repair of wrongly decoded text and the character names new in
/// HTML 5.</summary>
internal static class ClipCaption
{
    // Inside a caption these texts stand for the same tokens.
    public const string Start = "<|startoftext|>", End = "<|endoftext|>";

    private static readonly string[] Parts = [Start, End, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    private static readonly Encoding WindowsLatin = CodePagesEncodingProvider.Instance.GetEncoding(1252)!;
    private static readonly Regex Spaces = new(@"\s+", RegexOptions.CultureInvariant);

    // Python's strip also removes ASCII's four separators.
    private static readonly Regex Ends = new(@"^[\s\x1c-\x1f]+|[\s\x1c-\x1f]+\z", RegexOptions.CultureInvariant);

    private static readonly Regex FinalSigma = new(@"(?<=\p{L})\u03a3(?!\p{L})", RegexOptions.CultureInvariant);
    private static readonly Regex Reference =
        new(@"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)", RegexOptions.CultureInvariant);

    private enum Kind
    {
        Space,
        Letter,
        Number,
        Other,
    }

    public static string Clean(string text)
    {
        string stripped = Ends.Replace(Unescape(Unescape(text)), "");
        // Python's lower differs for a dotted capital I and a final sigma.
        string dotted = Spaces.Replace(stripped, " ").Replace("\u0130", "i\u0307", Ordinal);
        return FinalSigma.Replace(dotted, "\u03c2").ToLowerInvariant();
    }

    // CLIP's regular expression; each number is a word. By runes, because .NET takes a character beyond U+FFFF for two.
    public static IEnumerable<string> Words(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Array.Find(Parts, p => string.CompareOrdinal(text, at, p, 0, p.Length) == 0)?.Length ?? 0;
            // CLIP's expression ignores case and takes the long s for an s.
            if (length == 0 && string.CompareOrdinal(text, at, "'\u017f", 0, 2) == 0) length = 2;
            if (length == 0)
            {
                Kind kind = KindOf(text, at, out length);
                if (kind == Kind.Space)
                {
                    at += length;
                    continue;
                }
                while (kind != Kind.Number && at + length < text.Length
                    && KindOf(text, at + length, out int next) == kind)
                    length += next;
            }
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private static Kind KindOf(string text, int at, out int length)
    {
        // Half a surrogate pair has no category.
        if (!Rune.TryGetRuneAt(text, at, out Rune rune)) rune = Rune.ReplacementChar;
        length = rune == Rune.ReplacementChar ? 1 : rune.Utf16SequenceLength;
        if (Rune.IsWhiteSpace(rune)) return Kind.Space;
        if (Rune.IsLetter(rune)) return Kind.Letter;
        return Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
            or UnicodeCategory.OtherNumber ? Kind.Number : Kind.Other;
    }

    // Python's html.unescape with HTML 4's names; the old ones need no semicolon.
    private static string Unescape(string text) => Reference.Replace(text, match =>
    {
        string body = match.Groups[1].Value;
        if (body[0] == '#') return Character(body[1..].TrimEnd(';'));
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

    private static string Character(string digits)
    {
        bool isHex = digits[0] is 'x' or 'X';
        NumberStyles style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        if (!long.TryParse(isHex ? digits[1..] : digits, style, CultureInfo.InvariantCulture, out long code))
            return "\ufffd";
        return code switch
        {
            0 or < 0 or > 0x10ffff or (>= 0xd800 and <= 0xdfff) => "\ufffd",
            0x0d => "\r",
            // Browsers read these as Windows' Latin characters.
            >= 0x80 and <= 0x9f => WindowsLatin.GetString([(byte)code]),
            (>= 1 and <= 8) or 0x0b or (>= 0x0e and <= 0x1f) or 0x7f or (>= 0xfdd0 and <= 0xfdef) => "",
            _ when (code & 0xfffe) == 0xfffe => "",
            _ => char.ConvertFromUtf32((int)code),
        };
    }
}
