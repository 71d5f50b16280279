namespace DermKit.Data;

/// <summary>A CSV or tab-separated (.tab, .tsv) file as strings, read strictly after RFC 4180; DataFrame.LoadCsv
/// guesses types and keeps no line numbers for errors.</summary>
internal sealed class CsvFile
{
    private readonly Dictionary<string, int> columns = [];
    private readonly List<string[]> rows = [];
    private readonly List<int> lines = [];

    private CsvFile(string path) => Path = path;

    public string Path { get; }

    public IEnumerable<string> Columns => columns.Keys;

    public int Count => rows.Count;

    public bool Has(string column) => columns.ContainsKey(column);

    public string this[int row, string column] => rows[row][Index(column)];

    public string? Optional(int row, string column) => Has(column) ? this[row, column] : null;

    public string? Known(int row, string column) => Missing.Known(this[row, column]);

    public string[] Column(string column)
    {
        int index = Index(column);
        return Map(row => rows[row][index]);
    }

    public T[] Map<T>(Func<int, T> value) => [.. Enumerable.Range(0, Count).Select(value)];

    public void RequireValue(int row, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (Known(row, name) is null)
                throw Error(row, name + (this[row, name] is { Length: > 0 } text
                    ? $" is '{text}', which stands for a missing value; " : " is empty; ")
                    + "fill it in or take the row out.");
    }

    public void Require(params ReadOnlySpan<string> names)
    {
        foreach (string name in names) Index(name);
    }

    public KitException Error(int row, string message) => new($"{Path}, row {lines[row]}: {message}");

    public KitException Expected(int row, string column, string expected) => Error(row,
        $"expected {column} {expected}, found '{Printable.Of(this[row, column])}'; correct the row or get the file "
        + "again.");

    // Throws on broken quotes, repeated columns, rows of another length, and files that are not UTF-8.
    public static CsvFile Read(string path)
    {
        if (!File.Exists(path)) throw new KitException($"{path}: expected a CSV file, found none.");
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path))
                .TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException error)
        {
            throw new KitException($"{path}: expected UTF-8, found other bytes; save the file as UTF-8.", error);
        }
        var file = new CsvFile(path);
        bool tabs = System.IO.Path.GetExtension(path).ToLowerInvariant() is ".tab" or ".tsv";
        var reader = new RecordReader(path, text, tabs ? '\t' : ',');
        while (reader.Next() is { } record)
        {
            KitException Error(string message) => new($"{path}, row {record.Line}: {message}");
            string[] fields = record.Fields;
            if (fields is [""]) continue;
            if (file.columns.Count > 0)
            {
                if (fields.Length != file.columns.Count)
                    throw Error($"expected {file.columns.Count} fields as in the header, found {fields.Length}.");
                file.rows.Add(fields);
                file.lines.Add(record.Line);
                continue;
            }
            string wanted = tabs ? "tabs" : "commas";
            if (fields is [var only] && only.IndexOfAny([';', '\t', '|', ',']) is >= 0 and var other)
                throw Error($"expected fields separated by {wanted}, found "
                    + $"{(only[other] == '\t' ? "tabs" : $"'{only[other]}'")} in '{Printable.Of(only)}'; save the file "
                    + $"with {wanted}.");
            foreach (string name in fields)
                if (!file.columns.TryAdd(name, file.columns.Count))
                    throw Error($"column '{Printable.Of(name)}' stands twice in the header; rename one.");
        }
        if (file.columns.Count == 0) throw new KitException($"{path}: expected a header row, found an empty file.");
        return file;
    }

    public static string Line(params IEnumerable<string> fields) => string.Join(',', fields.Select(field =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 && field.Trim() == field ? field
            : $"\"{field.Replace("\"", "\"\"")}\""));

    private int Index(string column) => columns.TryGetValue(column, out int index) ? index
        : throw new KitException($"{Path}, row 1: expected a column '{column}', found "
            + $"{Names.Listed(columns.Keys.Select(c => $"'{c}'"))}; did you mean "
            + $"'{Printable.Of(KitException.Nearest(column, columns.Keys))}'?");

    private sealed class RecordReader(string path, string text, char separator)
    {
        private int at, line = 1;

        // The next record and its first line; null at the end.
        public (string[] Fields, int Line)? Next()
        {
            if (at >= text.Length) return null;
            var fields = new List<string>();
            for (int start = line; ; at++)
            {
                fields.Add(Field());
                if (at < text.Length && text[at] == separator) continue;
                at++;
                line++;
                return ([.. fields], start);
            }
        }

        private string Field()
        {
            int start = at, end = text.AsSpan(at).IndexOfAny('"', separator, '\n');
            at = end < 0 ? text.Length : at + end;
            string plain = text[start..at].Trim();
            if (at >= text.Length || text[at] != '"') return plain;
            string inside = "a quote inside a field; put the whole field in quotes and double the quotes inside.";
            if (plain.Length > 0) throw Error(inside);
            int open = ++at;
            for (; ; at += 2)
            {
                at = text.IndexOf('"', at);
                if (at < 0) throw Error("a quote is opened and never closed; close it.");
                if (at + 1 == text.Length || text[at + 1] != '"') break;
            }
            string quoted = text[open..at].Replace("\"\"", "\"", Ordinal).Trim();
            line += text.AsSpan(open, at - open).Count('\n');
            for (at++; at < text.Length && text[at] != separator && text[at] != '\n'; at++)
                if (!char.IsWhiteSpace(text[at]))
                    throw Error(text[at] == '"' ? inside
                        : "text after a closing quote; expected a comma or the end of the row.");
            return quoted;
        }

        private KitException Error(string message) => new($"{path}, row {line}: {message}");
    }
}
