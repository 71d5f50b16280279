namespace DermKit.Data;

/// <summary>
/// The cleaning lists of SelfClean-Revised-Benchmarks (Gröger et al. 2023, arXiv 2309.06961; Apache-2.0), where the user has put them into the set's folder under their own
/// names, &lt;SET&gt;_cleaned_file_list.csv: column file_name, the images that remain when irrelevant ones and near-duplicates are taken out.
/// </summary>
public static class Cleaning
{
    private const string Pattern = "*_cleaned_file_list.csv";

    /// <summary>The list in a set's folder; null when there is none.</summary>
    /// <exception cref="KitException">There are several.</exception>
    public static string? List(string folder) => ImageFiles.Shown(folder, Pattern) switch
    {
        [] => null,
        [var only] => only,
        var several => throw new KitException($"{folder}: expected one {Pattern}, found {Names.Listed(several.Select(Path.GetFileName))}; keep the one of this set."),
    };

    /// <summary>The rows of the table that the list names, by file name without its ending and whatever its case.</summary>
    /// <param name="table">The set.</param>
    /// <param name="list">From <see cref="List"/>.</param>
    /// <exception cref="KitException">The list names none or less than half of the table's images: it is that of
    /// another set; or it names one in two ways.</exception>
    public static ImageTable Apply(ImageTable table, string list)
    {
        CsvFile file = CsvFile.Read(list);
        file.Require("file_name");
        var kept = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (int row = 0; row < file.Count; row++)
        {
            // The very name again says nothing new: lists are also made from tables that name one file in two rows.
            string name = file[row, "file_name"], stem = Letters.Composed(ImageFiles.Stem(name));
            if (!kept.TryAdd(stem, name) && kept[stem] != name)
                throw file.Error(row, $"'{name}' stands here for the second time, after '{kept[stem]}'.");
        }
        int[] rows = [.. Enumerable.Range(0, table.Count)
            .Where(i => kept.ContainsKey(Letters.Composed(ImageFiles.Stem(table.Paths[i]))))];
        return rows.Length * 2 >= table.Count ? table.Rows(rows)
            : throw new KitException($"{list}: expected the images of {table.Name} that remain, found {rows.Length} of its {table.Count}; is it the list of another set?");
    }
}
