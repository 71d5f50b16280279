namespace DermKit.Data;

/// <summary>
/// Images that nothing is ever trained on, fixed before any training. An image is frozen when any of these says so: a list of image ids
/// data/splits/&lt;set&gt;-test.csv, of whichever set (ISIC's ids are the same in every archive); its own set's list of patients
/// data/splits/&lt;set&gt;-test-patients.csv; the table's own split "test".
/// </summary>
public static class FrozenTest
{
    /// <summary>For each row of the table: true when it is a frozen test image. Pre-training takes the rows where this is false.</summary>
    /// <exception cref="KitException">A list cannot be read, or the table of a set with a list of patients has no patient_id.</exception>
    public static bool[] Mask(KitSettings settings, ImageTable table)
    {
        string folder = Path.Combine(settings.Root, "data", "splits");
        HashSet<string> Listed(string pattern, string column) => !Directory.Exists(folder) ? []
            : Directory.GetFiles(folder, pattern).SelectMany(path => CsvFile.Read(path).Column(column)).ToHashSet(StringComparer.Ordinal);
        // ISIC's later archives hold some pictures of the earlier ones scaled down, under the same id with this ending.
        string Bare(int i) => Path.GetFileNameWithoutExtension(table.Paths[i]).Replace("_downsampled", "", StringComparison.Ordinal);
        HashSet<string> images = Listed("*-test.csv", "image_id");
        string?[] splits = table.Has("split") ? table.Column("split") : new string?[table.Count];
        bool[] mask = [.. Enumerable.Range(0, table.Count).Select(i => splits[i] == "test" || images.Contains(table.Ids[i]) || images.Contains(Bare(i)))];
        string?[] sources = table.Has("source") ? table.Column("source") : new string?[table.Count];
        foreach (var rows in Enumerable.Range(0, table.Count).GroupBy(i => sources[i] ?? table.Name))
            if (Listed($"{rows.Key}-test-patients.csv", "patient_id") is { Count: > 0 } patients && table.Column("patient_id") is var patient)
                foreach (int i in rows) mask[i] |= patient[i] is { } id && patients.Contains(id);
        return mask;
    }
}
