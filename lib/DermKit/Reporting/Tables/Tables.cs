using System.Globalization;
using System.Net;
using System.Text;
using DermKit.Evaluation;
using Microsoft.Data.Analysis;

namespace DermKit.Reporting;

/// <summary>A table with a caption; the first column names the rows. Cells are text, numbers, <see cref="Estimate"/> or <see cref="Strong"/>.</summary>
/// <param name="Caption">What the table shows.</param>
/// <param name="Columns">Headings, with units.</param>
/// <param name="Rows">Cells, as many as columns.</param>
[TypeFormatterSource(typeof(RichFormatterSource), PreferredMimeTypes = ["text/html", "text/plain"])]
public sealed record Table(string Caption, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<object?>> Rows)
{
    /// <summary>"SYNTHETIC", "FIXTURE" or empty: stands before the caption.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>One finding for the report's card on the index page; empty for none.</summary>
    public string Headline { get; init; } = "";

    /// <summary>What scores rest on; null for a table without scores.</summary>
    public Basis? Basis { get; init; }

    /// <summary>Small print under the table.</summary>
    public string Note { get; init; } = "";

    /// <summary>The table as HTML; numbers stand right.</summary>
    /// <exception cref="KitException">A row has more or fewer cells than there are columns.</exception>
    public string ToHtml()
    {
        var html = new StringBuilder("<figure class=\"kit-table\"");
        if (Headline.Length > 0) html.Append($" data-headline=\"{Markup.Escape(Headline)}\"");
        html.Append('>').Append(Grid(withCaption: true));
        if (Under.Length > 0) html.Append($"<figcaption>{Markup.Prose(Under)}</figcaption>");
        return Markup.Styled(html.Append("</figure>").ToString());
    }

    /// <summary>The table as aligned text.</summary>
    public override string ToString()
    {
        string[][] lines = [[.. Columns.Select(n => Printable.Of(n))], .. Rows.Select(r => r.Select((cell, c) => Plain(Tables.Text(cell), c)).ToArray())];
        int[] widths = [.. Columns.Select((_, c) => lines.Max(l => c < l.Length ? l[c].Length : 0))];
        string Line(string[] cells) => string.Join("  ", cells.Select((t, c) => c > 0 && Numeric(c) ? t.PadLeft(widths[c]) : t.PadRight(widths[c]))).TrimEnd();
        return $"{Stamps.Bracket(Stamp)}{Printable.Line(Caption)}\n{string.Join('\n', lines.Select(Line))}{(Under.Length > 0 ? $"\n{Under}" : "")}";
    }

    /// <summary>A cell in a line of text: rows have names in the first column, which may be anything that a file says.</summary>
    private static string Plain(string text, int column) => column == 0 ? Printable.Of(text) : Printable.Line(text);

    private string Under => Basis is null ? Note : $"{Basis} {Note}".TrimEnd();

    internal string Grid(bool withCaption)
    {
        if (Rows.FirstOrDefault(r => r.Count != Columns.Count) is { } wrong)
            throw new KitException($"Table '{Caption}': a row has {wrong.Count} cells for {Columns.Count} columns.");
        var html = new StringBuilder($"<div class=\"kit-scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{Markup.Escape(Caption)}\"><table>");
        if (withCaption) html.Append($"<caption>{Markup.Stamp(Stamp)}{Markup.Escape(Caption)}</caption>");
        string Class(int c) => c > 0 && Numeric(c) ? " class=\"num\"" : "";
        html.Append("<thead><tr>").AppendJoin("", Columns.Select((t, c) => $"<th scope=\"col\"{Class(c)}>{Markup.Escape(t)}</th>")).Append("</tr></thead><tbody>");
        foreach (IReadOnlyList<object?> row in Rows)
        {
            html.Append($"<tr><th scope=\"row\">{Cell(row[0])}</th>");
            for (int c = 1; c < row.Count; c++) html.Append($"<td{Class(c)}>{Cell(row[c])}</td>");
            html.Append("</tr>");
        }
        return html.Append("</tbody></table></div>").ToString();
    }

    private bool Numeric(int column) => Rows.Count > 0 && Rows.Select(r => r[column] is Strong s ? s.Value : r[column]).All(value =>
        value is null or IFormattable or Estimate || (Tables.Text(value) is var text && !text.Any(char.IsLetter)
        && (text.Length == 0 || char.IsDigit(text.TrimStart('-', '–', '+', '<', '≤', ' ').FirstOrDefault('0')))));

    private static string Cell(object? value) => value is Strong ? $"<strong>{Markup.Breakable(Tables.Text(value))}</strong>" : Markup.Breakable(Tables.Text(value));
}

/// <summary>A cell that stands out, such as the best of its column.</summary>
public sealed record Strong(object? Value);

/// <summary>Tables from data frames and lists, and how numbers are written in them (invariant culture).</summary>
public static class Tables
{
    /// <summary>A table of a list.</summary>
    public static Table From<T>(string caption, IEnumerable<T> items, params (string Heading, Func<T, object?> Value)[] columns) =>
        new(caption, [.. columns.Select(c => c.Heading)], [.. items.Select(item => (IReadOnlyList<object?>)[.. columns.Select(c => c.Value(item))])]);

    /// <summary>A table of a data frame's first <paramref name="rows"/> rows.</summary>
    public static Table From(string caption, DataFrame frame, int rows = 20) =>
        new(caption, [.. frame.Columns.Select(c => c.Name)], [.. frame.Rows.Take(rows).Select(r => (IReadOnlyList<object?>)[.. r])])
        { Note = frame.Rows.Count > rows ? $"First {rows} of {frame.Rows.Count} rows." : "" };

    /// <summary>Such as 1234, 0.714, 3.2e-05; "–" for NaN.</summary>
    public static string Number(double value) => value switch
    {
        double.NaN => "–",
        _ when value == Math.Round(value) && Math.Abs(value) < 1e9 => value.ToString("0", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) is >= 1000 and < 1e9 => value.ToString("0", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) is >= 10 and < 1000 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) is >= 1 and < 10 => value.ToString("0.0#", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) is >= 0.001 and < 1 => value.ToString("0.000", CultureInfo.InvariantCulture),
        _ => value.ToString("0.0e+0", CultureInfo.InvariantCulture),
    };

    /// <summary>Such as 0.031, ≤ 0.020 for an upper bound, and "–" for none.</summary>
    internal static string P(double? p, bool isBound) => p is { } value ? $"{(isBound ? "≤ " : "")}{Number(value)}"
        : "–";

    /// <summary>A share of 1 as a whole per cent.</summary>
    public static string Percent(double share) => double.IsNaN(share) ? "–" : share.ToString("0 %", CultureInfo.InvariantCulture);

    /// <summary>Such as 0.71 [0.66, 0.75]; the number alone when it has no interval.</summary>
    public static string Interval(Estimate estimate, int digits = 2)
    {
        // Adding zero turns a rounded -0 into 0.
        string Fixed(double v) => double.IsNaN(v) ? "–" : (Math.Round(v, digits) + 0.0).ToString($"F{digits}", CultureInfo.InvariantCulture);
        return estimate.HasInterval ? $"{Fixed(estimate.Value)} [{Fixed(estimate.Low)}, {Fixed(estimate.High)}]" : Fixed(estimate.Value);
    }

    /// <summary>Such as 0.71 [0.66, 0.75].</summary>
    public static string Interval(Interval interval) => Interval(Estimate.Of(interval));

    /// <summary>Such as 12.3 s, 2 min 13 s, 3 h 5 min.</summary>
    public static string Duration(TimeSpan time)
    {
        if (time.TotalSeconds < 59.95) return string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");
        var whole = TimeSpan.FromSeconds(Math.Round(time.TotalSeconds));
        return whole.TotalHours < 1 ? $"{whole.Minutes} min {whole.Seconds} s" : $"{(int)whole.TotalHours} h {whole.Minutes} min";
    }

    internal static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        Strong strong => Text(strong.Value),
        double number => Number(number),
        float number => Number(number),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}

internal static class Markup
{
    internal static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>Escaped, and an address may end a line after each of its slashes, so that no column is as wide as one.</summary>
    internal static string Breakable(string text) => string.Join(' ', Escape(text).Split(' ').Select(word => word.Contains("://", StringComparison.Ordinal) ? word.Replace("/", "/<wbr>", StringComparison.Ordinal) : word));

    /// <summary>Escaped, and no line ends between a number and its per cent sign.</summary>
    internal static string Prose(string text) => Escape(text.Replace(" %", "\u00a0%"));

    internal static string Stamp(string stamp) => stamp.Length > 0 ? $"<span class=\"kit-stamp\">{Escape(stamp)}</span> " : "";

    /// <summary>Adds the style sheet where no report brings it.</summary>
    internal static string Styled(string body) => FigureHtml.InReport ? body : $"<div class=\"kit-live\"><style>{FigureHtml.StyleSheet}</style>{body}</div>";
}
