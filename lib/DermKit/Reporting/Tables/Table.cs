using DermKit.Evaluation;
using Microsoft.Data.Analysis;

namespace DermKit.Reporting;

/// <summary>A table with a caption. The first column names the rows; headings have units; cells are text, numbers or
/// <see cref="Estimate"/>.</summary>
[TypeFormatterSource]
public sealed record Table(
    string Caption, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<object?>> Rows) : IRichOutput
{
    private const string Unknown = "–";

    /// <summary>"SYNTHETIC", "FIXTURE", "PART" or empty; printed before the caption.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>A finding for the index page of the reports; empty for none.</summary>
    public string Headline { get; init; } = "";

    /// <summary>How the scores were computed; null without scores.</summary>
    public TableFootnote? Footnote { get; init; }

    /// <summary>A note under the table.</summary>
    public string Note { get; init; } = "";

    /// <summary>The files that <see cref="Save"/> wrote.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    private string Under => Footnote is null ? Note : $"{Footnote} {Note}".TrimEnd();

    /// <summary>Writes tables/<paramref name="name"/>.csv and .parquet into KIT_REPORTS_DIR, else reports/ of the kit,
    /// over older files. Returns the table with links to both.</summary>
    /// <exception cref="KitException">The name has characters other than letters, digits, '-', '_' and '.'.</exception>
    /// <exception cref="IOException">The folder is not writable or the disk is full.</exception>
    public Table Save(string name) => this with { Files = TableFiles.Save(ToDataFrame(), name) };

    // The table as a data frame. An Estimate has columns for its value and the ends of its interval; a stamped table
    // has a column with the stamp.
    internal DataFrame ToDataFrame()
    {
        var columns = new List<DataFrameColumn>();
        for (int c = 0; c < Columns.Count; c++)
        {
            object?[] cells = [.. Rows.Select(r => r[c])];
            // A frame refuses a second column of the same name.
            int same = Columns.Take(c).Count(name => name == Columns[c]);
            AddColumns(same > 0 ? $"{Columns[c]} ({same + 1})" : Columns[c], cells, columns);
        }
        if (Stamp.Length > 0) columns.Add(new StringDataFrameColumn("stamp", Rows.Select(_ => Stamp)));
        return new(columns);
    }

    /// <summary>The table as HTML; numbers are aligned to the right.</summary>
    /// <exception cref="KitException">A row has more or fewer cells than there are columns.</exception>
    public string ToHtml()
    {
        var html = new StringBuilder("<figure class=\"kit-table\"");
        if (Headline.Length > 0) html.Append($" data-headline=\"{Markup.Escape(Headline)}\"");
        html.Append('>').Append(Grid(withCaption: true));
        if (Under.Length > 0) html.Append($"<figcaption>{Markup.Prose(Under)}</figcaption>");
        if (Files.Count > 0) html.Append($"<figcaption>Saved as {string.Join(", ", Files.Select(Link))}.</figcaption>");
        return Markup.Styled(html.Append("</figure>").ToString());

        static string Link(string file)
        {
            string address = Uri.EscapeDataString(TableFiles.Address(file)).Replace("%2F", "/");
            return $"<a href=\"{address}\">{Markup.Escape(Path.GetFileName(file))}</a>";
        }
    }

    /// <summary>The table as aligned text.</summary>
    public override string ToString()
    {
        string[] heads = [.. Columns.Select(n => Printable.Of(n))];
        string[][] lines = [heads, .. Rows.Select(r => r.Select(Plain).ToArray())];
        int[] widths = [.. Columns.Select((_, c) => lines.Max(l => c < l.Length ? l[c].Length : 0))];
        bool[] numeric = [.. Columns.Select((_, c) => c > 0 && IsNumeric(c))];
        string Padded(string text, int c) => numeric[c] ? text.PadLeft(widths[c]) : text.PadRight(widths[c]);
        string under = Under.Length > 0 ? $"\n{Under}" : "";
        string files = Files.Count > 0 ? $"\nSaved as {string.Join(", ", Files.Select(TableFiles.Address))}." : "";
        string body = string.Join('\n', lines.Select(l => string.Join("  ", l.Select(Padded)).TrimEnd()));
        return $"{Stamps.Bracket(Stamp)}{Printable.Line(Caption)}\n{body}{under}{files}";

        // Names from files may have any length.
        static string Plain(object? cell, int c)
        {
            string text = Tables.Text(cell);
            return c == 0 ? Printable.Of(text) : Printable.Line(text);
        }
    }

    string IRichOutput.ToPlain() => ToString();

    internal string Grid(bool withCaption)
    {
        if (Rows.FirstOrDefault(r => r.Count != Columns.Count) is { } wrong)
            throw new KitException($"Table '{Caption}': a row has {wrong.Count} cells for {Columns.Count} columns.");
        string[] classes = [.. Columns.Select((_, c) => c > 0 && IsNumeric(c) ? " class=\"num\"" : "")];
        string label = Markup.Escape(Caption);
        var html = new StringBuilder(
            $"<div class=\"kit-scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>");
        if (withCaption) html.Append($"<caption>{Markup.Stamp(Stamp)}{label}</caption>");
        html.Append("<thead><tr>");
        for (int c = 0; c < Columns.Count; c++)
            html.Append($"<th scope=\"col\"{classes[c]}>{Markup.Escape(Columns[c])}</th>");
        html.Append("</tr></thead><tbody>");
        foreach (IReadOnlyList<object?> row in Rows)
        {
            html.Append($"<tr><th scope=\"row\">{Cell(row[0])}</th>");
            for (int c = 1; c < row.Count; c++) html.Append($"<td{classes[c]}>{Cell(row[c])}</td>");
            html.Append("</tr>");
        }
        return html.Append("</tbody></table></div>").ToString();
    }

    private static void AddColumns(string heading, object?[] cells, List<DataFrameColumn> columns)
    {
        object?[] known = [.. cells.Where(v => v is not (null or "" or Unknown))];
        if (known.Any(v => v is Estimate) && known.All(v => v is Estimate or double))
        {
            Estimate?[] all = [.. cells.Select(v => v is double d ? d : v as Estimate?)];
            string name = heading.Replace(" [95 %]", "", StringComparison.Ordinal);
            columns.Add(Numbers(name, all.Select(e => e?.Value)));
            columns.Add(Numbers($"{name}, low", all.Select(e => e?.Low)));
            columns.Add(Numbers($"{name}, high", all.Select(e => e?.High)));
        }
        else if (known.Length > 0 && known.All(v => v is int or long))
            columns.Add(new PrimitiveDataFrameColumn<long>(heading, cells.Select(v => v is int or long
                ? Convert.ToInt64(v, CultureInfo.InvariantCulture) : (long?)null)));
        else if (known.Length > 0 && known.All(v => v is int or long or float or double))
            columns.Add(Numbers(heading, cells.Select(v => v is int or long or float or double
                ? Convert.ToDouble(v, CultureInfo.InvariantCulture) : (double?)null)));
        else columns.Add(new StringDataFrameColumn(heading, cells.Select(Tables.Text)));

        static DataFrameColumn Numbers(string name, IEnumerable<double?> values) =>
            new PrimitiveDataFrameColumn<double>(name,
                values.Select(v => v is { } n && double.IsFinite(n) ? n : (double?)null));
    }

    private bool IsNumeric(int column) => Rows.Count > 0 && Rows.All(r => IsNumeric(r[column]));

    private static bool IsNumeric(object? value)
    {
        if (value is null or IFormattable or Estimate) return true;
        string text = Tables.Text(value);
        char first = text.TrimStart('-', '–', '+', '<', '≤', ' ').FirstOrDefault('0');
        return !text.Any(char.IsLetter) && (text.Length == 0 || char.IsDigit(first));
    }

    private static string Cell(object? value) => Markup.Breakable(Tables.Text(value));
}
