namespace DermKit.Data;

/// <summary>
/// Images that nothing is ever trained on, fixed before any training: data/splits/&lt;set&gt;-test.csv lists image ids,
/// data/splits/&lt;set&gt;-test-patients.csv patients. A set without a list freezes the rows of its own split "test".
/// </summary>
public static class FrozenTest
{
    /// <summary>The frozen ids of a set and the column they are in (image_id or patient_id); null when the set has no list.</summary>
    /// <exception cref="KitException">The list cannot be read.</exception>
    public static (string Column, HashSet<string> Ids)? Ids(KitSettings settings, string dataSet)
    {
        foreach ((string column, string suffix) in new[] { ("image_id", "test"), ("patient_id", "test-patients") })
        {
            string path = Path.Combine(settings.Root, "data", "splits", $"{dataSet}-{suffix}.csv");
            if (File.Exists(path)) return (column, CsvFile.Read(path).Column(column).ToHashSet(StringComparer.Ordinal));
        }
        return null;
    }

    /// <summary>For each row of the table: true when it is a frozen test image. Pre-training takes the rows where this is false.</summary>
    /// <exception cref="KitException">A list cannot be read, or the table lacks the column that the list is about.</exception>
    public static bool[] Mask(KitSettings settings, ImageTable table)
    {
        string[] sources = [.. table.Has("source") ? table.Column("source").Select(s => s ?? table.Name) : table.Ids.Select(_ => table.Name)];
        var mask = new bool[table.Count];
        foreach (string source in sources.Distinct())
        {
            (string Column, HashSet<string> Ids)? list = Ids(settings, source);
            string?[]? values = list is { } l ? table.Column(l.Column) : table.Has("split") ? table.Column("split") : null;
            for (int i = 0; i < table.Count; i++)
                if (sources[i] == source)
                    mask[i] = values?[i] is { } value && (list?.Ids.Contains(value) ?? value == "test");
        }
        return mask;
    }
}
