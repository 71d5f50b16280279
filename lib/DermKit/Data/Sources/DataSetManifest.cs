namespace DermKit.Data;

/// <summary>What a data set must hold before a number is published:
/// data/manifests/&lt;set&gt;.&lt;name&gt;.json.</summary>
internal sealed record DataSetManifest
{
    // Takes the images that are here instead of a manifest; results are stamped PART and are in no mean.
    public const string Part = "part";

    public required int Version { get; init; }

    public required string DataSet { get; init; }

    // State of the set: "full", "subset", ...
    public required string Name { get; init; }

    // Origin of the numbers, and differences from the published set.
    public required string Note { get; init; }

    public required int Images { get; init; }

    // Number of image files where rows share one; else null.
    public int? Files { get; init; }

    // Images by split ("all" without one) and class; class "*" counts all classes, split "*" (alone) all splits.
    public required Dictionary<string, Dictionary<string, int>> Counts { get; init; }

    // Id ("*" if unknown) and diagnosis of the first row; null if neither is known.
    public string[]? First { get; init; }

    public string[]? Last { get; init; }

    // A CSV beside this file whose image_id lists the images that count.
    public string? Ids { get; init; }

    // The largest first.
    public static DataSetManifest[] All(string dataRoot, string dataSet) => !Directory.Exists(Folder(dataRoot)) ? []
        : [.. Directory.GetFiles(Folder(dataRoot), $"{dataSet}.*.json").Select(StrictJson.Read<DataSetManifest>)
            .OrderByDescending(m => m.Images).ThenBy(m => m.Name, StringComparer.Ordinal)];

    // Returns this manifest's rows, or throws with the differences.
    public ImageTable Check(string dataRoot, ImageTable table)
    {
        IReadOnlyList<string> absent = table.Absent;
        if (Ids is not null)
        {
            string[] wanted = CsvFile.Read(Path.Combine(Folder(dataRoot), Ids)).Column("image_id");
            absent = [.. wanted.Except(table.Ids)];
            var set = wanted.ToHashSet();
            table = table.Rows([.. Enumerable.Range(0, table.Count).Where(i => set.Contains(table.Ids[i]))]);
        }
        string?[] labels = table.Column("diagnosis");
        var wrong = new List<string>();
        if (table.Count != Images) wrong.Add($"{Images} images, found {table.Count}");
        if (Files is { } files && table.Count == Images
            && table.Paths.Distinct().Count() is var found && found != files)
            wrong.Add($"{files} image files, found {found}");
        var counts = Compared(table).Where(c => c.Expected != c.Found).ToArray();
        wrong.AddRange(counts.Select(c => $"{c.Expected} of '{c.Class}' in split '{c.Split}', found {c.Found}"));
        // Counts that differ only between splits say nothing about labels.
        bool relabelled = !counts.Any(c => c.Class == "*")
            && counts.GroupBy(c => c.Class).Any(g => g.Sum(c => c.Expected - c.Found) != 0);
        bool reordered = false;
        if (First is not null) Compare("first", First, 0);
        if (Last is not null) Compare("last", Last, table.Count - 1);
        if (wrong.Count == 0) return table;
        bool isPart = table.Count < Images || absent.Count > 0;
        string missing = absent.Count > 0 ? $" Missing images: {Names.Listed(absent, 5)}."
            : table.Count < Images ? $" {Images - table.Count} images are missing."
            : table.Count == Images ? $" No listed image is missing: {Changed()}." : "";
        string remedy = isPart && Ids is null
            ? $"Get the rest as data/sources.json says, or take what is here as a part: manifest '{Part}', for a task "
                + $"its name with -{Part}."
            : "Get the set again as data/sources.json says.";
        throw new KitException($"{DataSet} is not the data of manifest '{Name}': "
            + $"expected {Names.Listed(wrong, isPart ? 3 : Names.Most, "; expected ")}.{missing} {remedy}");

        string Changed() => relabelled ? "the labels were changed"
            : counts.Length > 0 ? "the splits or their labels were changed"
            : reordered ? "the rows have another order or other names"
            : "the number of image files differs, not the labels";

        void Compare(string place, string[] expected, int row)
        {
            string[] found = row >= 0 && row < table.Count ? [table.Ids[row], labels[row] ?? ""] : ["no row", ""];
            if (expected[0] == "*") found[0] = "*";
            if (found.SequenceEqual(expected)) return;
            if (found[0] == expected[0]) relabelled = true;
            else reordered = true;
            wrong.Add($"{place} row {string.Join(" = ", expected)}, found {string.Join(" = ", found)}");
        }
    }

    // "PART of ddi: 267 of 656 images, 2 of 2 classes; missing: ...".
    internal string PartOf(ImageTable table)
    {
        if (table.Count == 0)
            throw new KitException($"{DataSet} is here without an image: expected some of its {Images}. Get them as "
                + "data/sources.json says.");
        string[] over = [.. Compared(table).Where(c => c.Found > c.Expected)
            .Select(c => $"{c.Expected} of '{c.Class}' in split '{c.Split}', found {c.Found}")];
        if (table.Count > Images) over = [$"{Images} images, found {table.Count}", .. over];
        if (over.Length > 0)
            throw new KitException($"{DataSet} is no part of the data of manifest '{Name}': expected at "
                + $"most {Names.Listed(over, separator: "; at most ")}. Get the set again as data/sources.json says.");
        string[] known = [.. Counts.Values.SelectMany(c => c.Keys).Where(c => c != "*").Distinct()],
            here = [.. table.Column("diagnosis").OfType<string>().Distinct()];
        string classes = known.Length > 0 ? $"{here.Length} of {known.Length} classes" : $"{here.Length} classes";
        string missing = table.Absent.Count > 0 ? $"; missing: {Names.Listed(table.Absent, 5)}"
            : known.Except(here).ToArray() is { Length: > 0 } lacking
                ? $"; no image of {Names.Listed(lacking.Order(StringComparer.Ordinal), 5)}" : "";
        return $"PART of {DataSet}: {table.Count} of {Images} images, {classes}{missing}.";
    }

    private IEnumerable<(string Split, string Class, int Expected, int Found)> Compared(ImageTable table)
    {
        string?[] labels = table.Column("diagnosis");
        string?[] splits = Counts.ContainsKey("*") ? [.. table.Ids.Select(_ => "*")] : table.Has("split")
            ? table.Column("split") : [.. table.Ids.Select(_ => "all")];
        foreach (string split in splits.Select(s => s ?? "").Union(Counts.Keys).Order(StringComparer.Ordinal))
        {
            Dictionary<string, int> expected = Counts.GetValueOrDefault(split, []);
            var found = Enumerable.Range(0, table.Count).Where(i => (splits[i] ?? "") == split)
                .CountBy(i => expected.ContainsKey("*") ? "*" : labels[i] ?? "").ToDictionary();
            foreach (string label in expected.Keys.Union(found.Keys).Order(StringComparer.Ordinal))
                yield return (split, label, expected.GetValueOrDefault(label), found.GetValueOrDefault(label));
        }
    }

    private static string Folder(string dataRoot) => Path.Combine(dataRoot, "manifests");
}
