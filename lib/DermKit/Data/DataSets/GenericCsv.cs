namespace DermKit.Data;

/// <summary>Any set as one CSV, image,label[,split][,patient_id]: the form that other dermatology evaluation kits read.</summary>
public static class GenericCsv
{
    /// <summary>Name of the file in a set's folder.</summary>
    public const string FileName = "labels.csv";

    private static readonly string[] Needed = ["label", "patient_id", "lesion_id"];

    /// <summary>
    /// Reads the CSV. Image paths are relative to its folder and, as written, are the image ids (<see
    /// cref="ImageFiles.Find"/> says how a path may differ from the file's); split is train, val or test;
    /// further columns are kept under their names. The label is also the column "diagnosis" when the file has none.
    /// </summary>
    /// <exception cref="KitException">A column is missing, a label, patient or lesion is missing, a split unknown, an
    /// image twice or not there; file and row are named.</exception>
    public static ImageTable Load(string csvPath, string name)
    {
        CsvFile file = CsvFile.Read(csvPath);
        file.Require("image", "label");
        string folder = Path.GetDirectoryName(Path.GetFullPath(csvPath))!;
        var paths = new string[file.Count];
        var split = new string?[file.Count];
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int row = 0; row < file.Count; row++)
        {
            string image = file[row, "image"];
            if (image.Length == 0) throw file.Error(row, "the image is empty; expected a path relative to the CSV.");
            paths[row] = ImageFiles.Find(folder, image, message => file.Error(row, message))
                ?? throw file.Error(row,
                    $"image '{Printable.Of(image)}' is not there "
                        + $"(looked for {Printable.Of(Path.GetFullPath(image, folder), 2 * Printable.Longest)}).");
            if (!first.TryAdd(paths[row], row))
                throw file.Error(row,
                    $"image '{Printable.Of(image)}' stands here for the second time (first "
                        + $"'{Printable.Of(file[first[paths[row]], "image"])}'); keep one row for each image.");
            foreach (string column in Needed.Where(file.Has)) file.RequireValue(row, column);
            if (!file.Has("split")) continue;
            split[row] = file[row, "split"].ToLowerInvariant();
            if (split[row] is not ("train" or "val" or "test"))
                throw file.Error(row, $"split is '{Printable.Of(file[row, "split"])}'; expected train, val or test.");
        }
        List<(string, IEnumerable<string?>)> columns = [("image", paths), ("image_id", file.Column("image")), ("source", paths.Select(_ => name))];
        if (file.Has("split")) columns.Add(("split", split));
        if (!file.Has("diagnosis")) columns.Add(("diagnosis", file.Column("label")));
        columns.AddRange(file.Columns.Except(["image", "image_id", "source", "split"]).Select(c => (c, (IEnumerable<string?>)file.Column(c))));
        return new ImageTable(name, [.. columns]);
    }
}
