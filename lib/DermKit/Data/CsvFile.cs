using System.Text;

namespace DermKit.Data;

/// <summary>
/// A CSV file as strings, read strictly after RFC 4180 (quotes, doubled quotes, line breaks inside quotes; CRLF or LF; optional byte-order mark).
/// Fields are separated by commas; in a file called .tab or .tsv by tabs. DataFrame.LoadCsv guesses column types from the first rows and forgets line numbers; labels and ids must stay text, and an error must name its row.
/// </summary>
public sealed class CsvFile
{
    private readonly Dictionary<string, int> columns = [];
    private readonly List<string[]> rows = [];
    private readonly List<int> lines = [];

    private CsvFile(string path) => Path = path;

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Column names in file order.</summary>
    public IEnumerable<string> Columns => columns.Keys;

    /// <summary>Number of data rows.</summary>
    public int Count => rows.Count;

    /// <summary>True when the header names this column.</summary>
    public bool Has(string column) => columns.ContainsKey(column);

    /// <summary>The field in data row <paramref name="row"/> (from 0), trimmed.</summary>
    /// <exception cref="KitException">There is no such column; the nearest is named.</exception>
    public string this[int row, string column] => rows[row][Index(column)];

    /// <summary>All fields of a column, trimmed.</summary>
    /// <exception cref="KitException">There is no such column; the nearest is named.</exception>
    public string[] Column(string column)
    {
        int index = Index(column);
        return [.. rows.Select(r => r[index])];
    }

    /// <summary>
    /// The field in data row <paramref name="row"/> (from 0); null where its value is missing (<see cref="Missing"/>).
    /// </summary>
    /// <exception cref="KitException">There is no such column; the nearest is named.</exception>
    public string? Known(int row, string column) => Missing.Known(this[row, column]);

    /// <summary>
    /// Refuses a data row (from 0) in which one of the columns is missing (<see cref="Missing"/>): an id or a label.
    /// </summary>
    /// <exception cref="KitException">Names file, row and column; or there is no such column.</exception>
    public void RequireValue(int row, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (Known(row, name) is null)
                throw Error(row,
                    $"{name} is {(this[row, name] is { Length: > 0 } text ? $"'{text}', which stands for a missing value" : "empty")}; fill it in or take the row out.");
    }

    /// <summary>Refuses a file that lacks one of the columns.</summary>
    /// <exception cref="KitException">Names the missing column and those that are there.</exception>
    public void Require(params ReadOnlySpan<string> names)
    {
        foreach (string name in names) Index(name);
    }

    /// <summary>An error about one data row (from 0): names file and line, the header being line 1.</summary>
    public KitException Error(int row, string message) => new($"{Path}, row {lines[row]}: {message}");

    /// <summary>Reads a file.</summary>
    /// <exception cref="KitException">It is absent, empty, no UTF-8, separated by something else, has a broken quote, a doubled column or a row of another length.</exception>
    public static CsvFile Read(string path)
    {
        if (!File.Exists(path)) throw new KitException($"{path}: expected a CSV file, found none.");
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException error)
        {
            throw new KitException($"{path}: expected UTF-8, found other bytes; save the file as UTF-8.", error);
        }
        var file = new CsvFile(path);
        char separator = System.IO.Path.GetExtension(path).ToLowerInvariant() is ".tab" or ".tsv" ? '\t' : ',';
        int at = 0, line = 1;
        while (at < text.Length)
        {
            int start = line;
            string[] fields = Record(path, text, separator, ref at, ref line);
            if (fields is [""]) continue;
            if (file.columns.Count == 0)
            {
                if (fields is [var only] && only.IndexOfAny([';', '\t', '|', ',']) is >= 0 and var other)
                    throw new KitException($"{path}, row {start}: expected fields separated by {(separator == ',' ? "commas" : "tabs")}, found {(only[other] == '\t' ? "tabs" : $"'{only[other]}'")} in '{Printable.Of(only)}'; save the file with {(separator == ',' ? "commas" : "tabs")}.");
                foreach (string name in fields)
                    if (!file.columns.TryAdd(name, file.columns.Count))
                        throw new KitException($"{path}, row {start}: column '{Printable.Of(name)}' stands twice in the header.");
                continue;
            }
            if (fields.Length != file.columns.Count)
                throw new KitException($"{path}, row {start}: expected {file.columns.Count} fields as in the header, found {fields.Length}.");
            file.rows.Add(fields);
            file.lines.Add(start);
        }
        if (file.columns.Count == 0) throw new KitException($"{path}: expected a header row, found an empty file.");
        return file;
    }

    /// <summary>Joins fields to one CSV line without its end, with quotes where a field needs them.</summary>
    public static string Line(params ReadOnlySpan<string> fields)
    {
        var line = new StringBuilder();
        for (int i = 0; i < fields.Length; i++)
        {
            if (i > 0) line.Append(',');
            line.Append(fields[i].AsSpan().IndexOfAny(",\"\r\n") < 0 && fields[i].Trim() == fields[i] ? fields[i] : $"\"{fields[i].Replace("\"", "\"\"")}\"");
        }
        return line.ToString();
    }

    private static string[] Record(string path, string text, char separator, ref int at, ref int line)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        int start = line;
        bool wasQuoted = false;
        for (; ; at++)
        {
            char c = at < text.Length ? text[at] : '\n';
            if (c == '"')
            {
                if (wasQuoted || field.ToString().Trim().Length > 0)
                    throw new KitException($"{path}, row {line}: a quote inside a field; put the whole field in quotes and double the quotes inside.");
                wasQuoted = true;
                field.Clear();
                for (at++; ; at++)
                {
                    if (at >= text.Length) throw new KitException($"{path}, row {start}: a quote is opened and never closed.");
                    if (text[at] == '\n') line++;
                    if (text[at] != '"') field.Append(text[at]);
                    else if (at + 1 < text.Length && text[at + 1] == '"') field.Append(text[at++]);
                    else break;
                }
            }
            else if (c == separator || c == '\n')
            {
                fields.Add(field.ToString().Trim());
                field.Clear();
                wasQuoted = false;
                if (c == separator) continue;
                at++;
                line++;
                return [.. fields];
            }
            else if (wasQuoted && !char.IsWhiteSpace(c))
                throw new KitException($"{path}, row {line}: text after a closing quote; expected a comma or the end of the row.");
            else if (!wasQuoted) field.Append(c);
        }
    }

    private int Index(string column) => columns.TryGetValue(column, out int index) ? index
        : throw new KitException($"{Path}, row 1: expected a column '{column}', found "
            + $"{Names.Listed(columns.Keys.Select(c => $"'{c}'"))}; did you mean "
            + $"'{Printable.Of(KitException.Nearest(column, columns.Keys))}'?");
}
