namespace DermKit.Data;

/// <summary>Cleaning lists of SelfClean-Revised-Benchmarks (Gröger et al. 2023, arXiv 2309.06961; Apache-2.0), put into
/// the set's folder by the user as &lt;SET&gt;_cleaned_file_list.csv: file_name of the images that remain.</summary>
internal static class Cleaning
{
    private const string Pattern = "*_cleaned_file_list.csv";

    public static string? List(string folder) => ImageFiles.Shown(folder, Pattern) switch
    {
        [] => null,
        [var only] => only,
        var several => throw new KitException($"{folder}: expected one {Pattern}, "
            + $"found {Names.Listed(several.Select(Path.GetFileName))}; keep the one of this set."),
    };

    // By file name without suffix and case. Throws if the list names less than half of the images, or one in two ways.
    public static ImageTable Apply(ImageTable table, string list)
    {
        CsvFile file = CsvFile.Read(list);
        file.Require("file_name");
        var kept = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (int row = 0; row < file.Count; row++)
        {
            // A name may repeat: lists are also made from tables that name one file in two rows.
            string name = file[row, "file_name"], stem = Letters.Composed(ImageFiles.Stem(name));
            if (!kept.TryAdd(stem, name) && kept[stem] != name)
                throw file.Error(row, $"'{name}' stands here for the second time, after '{kept[stem]}'; keep one.");
        }
        int[] rows = [.. Enumerable.Range(0, table.Count)
            .Where(i => kept.ContainsKey(Letters.Composed(ImageFiles.Stem(table.Paths[i]))))];
        return rows.Length * 2 >= table.Count ? table.Rows(rows)
            : throw new KitException($"{list}: expected the images of {table.Name} that remain, found {rows.Length} of "
                + $"its {table.Count}; is it the list of another set?");
    }
}
