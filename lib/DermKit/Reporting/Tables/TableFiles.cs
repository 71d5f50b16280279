using DermKit.Data;
using Microsoft.Data.Analysis;
using Parquet;
using Parquet.Schema;

namespace DermKit.Reporting;

/// <summary>Writes CSV and Parquet; a file is written completely or not at all.</summary>
internal static class TableFiles
{
    private const string ReportsVariable = "KIT_REPORTS_DIR";

    private static string Reports => Environment.GetEnvironmentVariable(ReportsVariable) is { Length: > 0 } folder
        ? Path.GetFullPath(folder)
        : Path.Combine(KitSettings.FromEnvironment().Root, "reports");

    // Writes tables/NAME.csv and tables/NAME.parquet into the reports folder.
    internal static IReadOnlyList<string> Save(DataFrame frame, string name)
    {
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            throw new KitException(
                $"Table file '{name}': expected letters, digits, '-', '_' or '.', such as 02-scores.");
        string path = Path.Combine(Reports, "tables", name);
        WriteCsv(frame, path + ".csv");
        WriteParquet(frame, path + ".parquet");
        return [path + ".csv", path + ".parquet"];
    }

    // A link's address: from the report's folder in a report, from the notebook's elsewhere.
    internal static string Address(string path)
    {
        string from = FigureHtml.InReport ? Reports : Environment.CurrentDirectory;
        return Path.GetRelativePath(from, path).Replace('\\', '/');
    }

    // UTF-8 without a byte-order mark.
    internal static void WriteCsv(DataFrame frame, string path)
    {
        var text = new StringBuilder();
        Add(frame.Columns.Select(c => c.Name));
        foreach (DataFrameRow row in frame.Rows) Add(row);
        AtomicFile.WriteAllText(path, text.ToString());

        void Add(IEnumerable<object?> cells)
        {
            string[] line = [.. cells.Select(c => Convert.ToString(c, CultureInfo.InvariantCulture) ?? "")];
            text.Append(CsvFile.Line(line)).Append('\n');
        }
    }

    // Writes one row group; all columns are nullable.
    internal static void WriteParquet(DataFrame frame, string path)
    {
        DataField[] fields = [.. frame.Columns.Select(c => new DataField(c.Name, c.DataType, isNullable: true))];
        AtomicFile.Write(path, stream => Write(stream).GetAwaiter().GetResult());

        async Task Write(Stream stream)
        {
            await using ParquetWriter writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), stream);
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            foreach ((DataField field, DataFrameColumn column) in fields.Zip(frame.Columns))
            {
                switch (column)
                {
                    case PrimitiveDataFrameColumn<double> numbers:
                        await group.WriteAsync<double>(field, numbers.ToArray());
                        break;
                    case PrimitiveDataFrameColumn<long> numbers:
                        await group.WriteAsync<long>(field, numbers.ToArray());
                        break;
                    case StringDataFrameColumn texts:
                        await group.WriteAsync(field, texts.ToArray());
                        break;
                    default:
                        throw new KitException($"Table file {path}: column '{column.Name}' holds "
                            + $"{column.DataType.Name}; expected double, long or string.");
                }
            }
            group.CompleteValidate();
        }
    }
}
