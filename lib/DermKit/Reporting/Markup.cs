using System.Net;

namespace DermKit.Reporting;

internal static class Markup
{
    internal static string Escape(string text) => WebUtility.HtmlEncode(text);

    // Escaped; an address may break after each slash, so that it does not widen its column.
    internal static string Breakable(string text) => string.Join(' ', Escape(text).Split(' ').Select(word =>
        word.Contains("://", StringComparison.Ordinal) ? word.Replace("/", "/<wbr>", StringComparison.Ordinal) : word));

    // Escaped; a number and its percent sign stay on one line.
    internal static string Prose(string text) => Escape(text.Replace(" %", "\u00a0%"));

    internal static string Stamp(string stamp) =>
        stamp.Length > 0 ? $"<span class=\"kit-stamp\">{Escape(stamp)}</span> " : "";

    // Adds the style sheet where no report brings it.
    internal static string Styled(string body) => FigureHtml.InReport
        ? body
        : $"<div class=\"kit-live\"><style>{FigureHtml.StyleSheet}</style>{body}</div>";
}
