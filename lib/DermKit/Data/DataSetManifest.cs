namespace DermKit.Data;

/// <summary>What a data set must hold before a number is published from it: data/manifests/&lt;set&gt;.&lt;name&gt;.json.</summary>
public sealed record DataSetManifest
{
    /// <summary>Version of the file's form; 1.</summary>
    public required int Version { get; init; }

    /// <summary>The data set.</summary>
    public required string DataSet { get; init; }

    /// <summary>Which state of it: "full", "subset", ...</summary>
    public required string Name { get; init; }

    /// <summary>Where the numbers were counted, and what differs from the published set.</summary>
    public required string Note { get; init; }

    /// <summary>Number of images.</summary>
    public required int Images { get; init; }

    /// <summary>Images of each class for each split ("all" for a set without one); class "*" counts all classes together, split "*" alone all splits.</summary>
    public required Dictionary<string, Dictionary<string, int>> Counts { get; init; }

    /// <summary>Id and diagnosis of the first row, "*" for an id that is not known; null when neither is.</summary>
    public string[]? First { get; init; }

    /// <summary>Id and diagnosis of the last row, as <see cref="First"/>.</summary>
    public string[]? Last { get; init; }

    /// <summary>A CSV beside this file whose image_id column lists the images that count; others in the folder are left out.</summary>
    public string? Ids { get; init; }

    /// <summary>The manifests of a data set, the largest first.</summary>
    /// <param name="dataRoot">The kit's own data/ folder.</param>
    /// <param name="dataSet">Name of the set.</param>
    /// <exception cref="KitException">A file is not valid.</exception>
    public static DataSetManifest[] All(string dataRoot, string dataSet) => !Directory.Exists(Folder(dataRoot)) ? []
        : [.. Directory.GetFiles(Folder(dataRoot), $"{dataSet}.*.json").Select(StrictJson.Read<DataSetManifest>).OrderByDescending(m => m.Images).ThenBy(m => m.Name, StringComparer.Ordinal)];

    /// <summary>The rows of <paramref name="table"/> that this manifest is about, after every count, and the first and last label, was compared.</summary>
    /// <exception cref="KitException">Names every count that differs and the images that are missing.</exception>
    public ImageTable Check(string dataRoot, ImageTable table)
    {
        IReadOnlyList<string> absent = table.Absent;
        if (Ids is not null)
        {
            string[] wanted = CsvFile.Read(Path.Combine(Folder(dataRoot), Ids)).Column("image_id");
            absent = [.. wanted.Except(table.Ids)];
            var set = wanted.ToHashSet(StringComparer.Ordinal);
            table = table.Rows([.. Enumerable.Range(0, table.Count).Where(i => set.Contains(table.Ids[i]))]);
        }
        string?[] labels = table.Column("diagnosis"), splits = Counts.ContainsKey("*") ? [.. table.Ids.Select(_ => "*")] : table.Has("split") ? table.Column("split") : [.. table.Ids.Select(_ => "all")];
        var wrong = new List<string>();
        if (table.Count != Images) wrong.Add($"{Images} images, found {table.Count}");
        foreach (string split in splits.Select(s => s ?? "").Union(Counts.Keys).Order(StringComparer.Ordinal))
        {
            Dictionary<string, int> expected = Counts.GetValueOrDefault(split, []);
            var found = Enumerable.Range(0, table.Count).Where(i => (splits[i] ?? "") == split)
                .CountBy(i => expected.ContainsKey("*") ? "*" : labels[i] ?? "").ToDictionary();
            wrong.AddRange(expected.Keys.Union(found.Keys).Order(StringComparer.Ordinal)
                .Where(c => expected.GetValueOrDefault(c) != found.GetValueOrDefault(c))
                .Select(c => $"{expected.GetValueOrDefault(c)} of '{c}' in split '{split}', found {found.GetValueOrDefault(c)}"));
        }
        if (First is not null) Compare("first", First, 0);
        if (Last is not null) Compare("last", Last, table.Count - 1);
        if (wrong.Count == 0) return table;
        string missing = absent.Count == 0 ? "No listed image is missing: the labels were changed."
            : $"Missing images: {string.Join(", ", absent.Take(5))}{(absent.Count > 5 ? $" and {absent.Count - 5} more" : "")}.";
        throw new KitException($"{DataSet} is not the data of manifest '{Name}': expected {string.Join("; expected ", wrong)}. {missing} Get the set again as data/sources.json says.");

        void Compare(string place, string[] expected, int row)
        {
            string[] found = row >= 0 && row < table.Count ? [table.Ids[row], labels[row] ?? ""] : ["no row", ""];
            if (expected[0] == "*") found[0] = "*";
            if (!found.SequenceEqual(expected)) wrong.Add($"{place} row {string.Join(" = ", expected)}, found {string.Join(" = ", found)}");
        }
    }

    private static string Folder(string dataRoot) => Path.Combine(dataRoot, "manifests");
}
