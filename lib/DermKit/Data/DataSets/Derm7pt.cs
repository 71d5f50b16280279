using System.Globalization;

namespace DermKit.Data;

/// <summary>Seven-point checklist data set (Kawahara et al. 2018, doi:10.1109/JBHI.2018.2824327): a clinical and a dermoscopic image of each case.</summary>
public static class Derm7pt
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "derm7pt";

    /// <summary>True when <paramref name="folder"/> (or release_v0 in it, as the archive unpacks) has meta/meta.csv.</summary>
    public static bool IsIn(string folder) => Root(folder) is not null;

    /// <summary>
    /// Reads meta/meta.csv, two rows of the table for each of its rows: the image that column clinic names, then that of column derm, both below images/.
    /// Columns: lesion_id (case_num), diagnosis (without its "(...)", so that melanomas of all depths are one), modality, sex, site, official_split (the authors' own, from
    /// meta/{train,valid,test}_indexes.csv where these are there; the paper does not use it), and the file's further columns. The id is the path below images/.
    /// Two rows may name one file, as both columns of nine cases of release_v0 do: both are kept, the id of the second
    /// with its case and column behind, such as #565-derm.
    /// <see cref="ImageTable.Once"/> keeps the first.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, or a row lacks what the set gives, or two names that
    /// differ are those of one file.</exception>
    public static ImageTable Load(string folder)
    {
        string root = Root(folder) ?? folder;
        CsvFile file = CsvFile.Read(Path.Combine(root, "meta", "meta.csv"));
        file.Require("case_num", "diagnosis", "clinic", "derm");
        for (int row = 0; row < file.Count; row++) file.RequireValue(row, "case_num", "diagnosis", "clinic", "derm");
        string?[] official = Official(Path.Combine(root, "meta"), file.Count);
        // Row 2i is the clinical image of case i, row 2i + 1 its dermoscopic one.
        string[] names = [.. Enumerable.Range(0, 2 * file.Count)
            .Select(i => file[i / 2, i % 2 == 0 ? "clinic" : "derm"])];
        string?[] paths = [.. names
            .Select((name, i) =>
            ImageFiles.Find(Path.Combine(root, "images"), name, message => file.Error(i / 2, message)))];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        string[] ids = [.. names
            .Select((name, i) => seen.Add(name) ? name
            : $"{name}#{file[i / 2, "case_num"]}-{(i % 2 == 0 ? "clinic" : "derm")}")];
        foreach (IGrouping<string?, int> rows in Enumerable.Range(0, names.Length).Where(i => paths[i] is not null)
            .GroupBy(i => paths[i]))
            if (rows.FirstOrDefault(i => names[i] != names[rows.First()], -1) is >= 0 and var other)
                throw file.Error(other / 2,
                    $"'{Printable.Of(names[other])}' is not there, and the file nearest to it is that of "
                        + $"'{Printable.Of(names[rows.First()])}'; bring the missing one.");
        string?[] Each(Func<int, string?> value) => [.. Enumerable.Range(0, ids.Length).Select(i => value(i / 2))];
        string[] renamed = ["case_num", "diagnosis", "clinic", "derm", "sex", "location"];
        return ImageFiles.Table(Name, ids, paths,
        [
            ("lesion_id", Each(r => file[r, "case_num"])), ("diagnosis", Each(r => Short(file[r, "diagnosis"]))), ("modality", [.. ids.Select((_, i) => i % 2 == 0 ? "clinical" : "dermoscopic")]),
            ("sex", Each(r => file.Has("sex") ? file[r, "sex"] : null)), ("site", Each(r => file.Has("location") ? file[r, "location"] : null)), ("official_split", Each(r => official[r])),
            .. file.Columns.Except(renamed).Select(c => (c, Each(r => file[r, c]))),
        ]);
    }

    /// <summary>A label without what stands in brackets.</summary>
    internal static string Short(string label) => label.IndexOf('(') is > 0 and var at ? label[..at].TrimEnd() : label;

    private static string? Root(string folder) => new[] { folder, Path.Combine(folder, "release_v0") }.FirstOrDefault(f => File.Exists(Path.Combine(f, "meta", "meta.csv")));

    private static string?[] Official(string meta, int rows)
    {
        var split = new string?[rows];
        foreach ((string part, string mark) in new[] { ("train", "train"), ("valid", "val"), ("test", "test") })
        {
            if (ImageFiles.First(meta, $"{part}_indexes.csv") is not { } path) continue;
            CsvFile indexes = CsvFile.Read(path);
            for (int i = 0; i < indexes.Count; i++)
            {
                if (!int.TryParse(indexes[i, "indexes"], NumberStyles.None, CultureInfo.InvariantCulture, out int row) || row >= rows)
                    throw indexes.Error(i, $"expected the number of a row of meta.csv, 0 to {rows - 1}, found "
                        + $"'{Printable.Of(indexes[i, "indexes"])}'.");
                if (split[row] is { } other) throw indexes.Error(i, $"case row {row} stands in the {other} part already.");
                split[row] = mark;
            }
        }
        return split;
    }
}
