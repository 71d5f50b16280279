namespace DermKit.Data;

/// <summary>Seven-point checklist set (Kawahara et al. 2018, doi:10.1109/JBHI.2018.2824327).</summary>
internal static class Derm7pt
{
    public const string Name = "derm7pt";

    public static bool IsIn(string folder) => Root(folder) is not null;

    // The clinic, then the derm image of each row of meta/meta.csv; its path below images/ is the id. The paper does
    // not use official_split. Both columns of nine cases of release_v0 name one file; the second id then ends in case
    // and column (#565-derm).
    public static ImageTable Load(string folder)
    {
        string root = Root(folder) ?? folder;
        CsvFile file = CsvFile.Read(Path.Combine(root, "meta", "meta.csv"));
        file.Require("case_num", "diagnosis", "clinic", "derm");
        for (int row = 0; row < file.Count; row++) file.RequireValue(row, "case_num", "diagnosis", "clinic", "derm");
        string?[] official = Official(Path.Combine(root, "meta"), file.Count);
        string[] kinds = ["clinic", "derm"];
        string[] names = [.. file.Map(row => kinds.Select(kind => file[row, kind])).SelectMany(pair => pair)];
        var seen = new HashSet<string>();
        string[] ids = [.. names.Select((name, i) =>
            seen.Add(name) ? name : $"{name}#{file[i / 2, "case_num"]}-{kinds[i % 2]}")];
        var nameOf = new Dictionary<string, string>();
        string?[] paths = [.. names.Select((name, i) =>
        {
            string? path = ImageFiles.Find(Path.Combine(root, "images"), name, message => file.Error(i / 2, message));
            if (path is null || nameOf.TryAdd(path, name) || nameOf[path] == name) return path;
            throw file.Error(i / 2, $"'{Printable.Of(name)}' is not there, and the file nearest to it is that of "
                + $"'{Printable.Of(nameOf[path])}'; bring the missing one.");
        })];
        string?[] Each(Func<int, string?> value) => [.. ids.Select((_, i) => value(i / 2))];
        string[] renamed = ["case_num", "diagnosis", "clinic", "derm", "sex", "location"];
        return ImageFiles.Table(Name, ids, paths,
        [
            ("lesion_id", Each(r => file[r, "case_num"])), ("diagnosis", Each(r => Short(file[r, "diagnosis"]))),
            ("modality", [.. ids.Select((_, i) => i % 2 == 0 ? "clinical" : "dermoscopic")]),
            ("sex", Each(r => file.Optional(r, "sex"))), ("site", Each(r => file.Optional(r, "location"))),
            ("official_split", Each(r => official[r])),
            .. file.Columns.Except(renamed).Select(c => (c, Each(r => file[r, c]))),
        ]);
    }

    internal static string Short(string label) => label.IndexOf('(') is > 0 and var at ? label[..at].TrimEnd() : label;

    private static string? Root(string folder) => new[] { folder, Path.Combine(folder, "release_v0") }
        .FirstOrDefault(f => File.Exists(Path.Combine(f, "meta", "meta.csv")));

    private static string?[] Official(string meta, int rows)
    {
        var split = new string?[rows];
        foreach ((string part, string mark) in new[] { ("train", "train"), ("valid", "val"), ("test", "test") })
        {
            if (ImageFiles.First(meta, $"{part}_indexes.csv") is not { } path) continue;
            CsvFile indexes = CsvFile.Read(path);
            for (int i = 0; i < indexes.Count; i++)
            {
                string index = indexes[i, "indexes"];
                if (!int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out int row) || row >= rows)
                    throw indexes.Error(i, $"expected the number of a row of meta.csv, 0 to {rows - 1}, found "
                        + $"'{Printable.Of(index)}'.");
                if (split[row] is { } other)
                    throw indexes.Error(i, $"case row {row} stands in the {other} part already; keep it in one part.");
                split[row] = mark;
            }
        }
        return split;
    }
}
