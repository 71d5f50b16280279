namespace DermKit.Data;

/// <summary>Ground truth as 0/1 columns, the ISIC challenges' form.</summary>
internal static class OneHot
{
    internal static bool Flag(CsvFile file, int row, string column) => file[row, column] switch
    {
        "1" or "1.0" => true,
        "0" or "0.0" => false,
        var other => throw file.Error(row, $"{column} is '{Printable.Of(other)}'; expected 0 or 1."),
    };

    internal static string Label(CsvFile file, int row, params string[] classes)
    {
        string[] set = [.. classes.Where(c => Flag(file, row, c))];
        return set is [var only] ? only : throw file.Error(row,
            $"expected exactly one of {string.Join(", ", classes)} to be 1, found {set.Length}.");
    }
}
