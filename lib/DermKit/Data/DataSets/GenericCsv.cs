namespace DermKit.Data;

/// <summary>Any set as one CSV, image,label[,split][,patient_id], as other dermatology evaluation kits.</summary>
internal static class GenericCsv
{
    public const string FileName = "labels.csv";

    private static readonly string[] Needed = ["label", "patient_id", "lesion_id"];

    // An image's path, relative to the CSV and as written, is its id; label is also the diagnosis if there is none.
    public static ImageTable Load(string csvPath, string name)
    {
        CsvFile file = CsvFile.Read(csvPath);
        file.Require("image", "label");
        string folder = Path.GetDirectoryName(Path.GetFullPath(csvPath))!;
        var first = new Dictionary<string, string>();
        var split = new string?[file.Count];
        string[] paths = file.Map(row =>
        {
            string image = file[row, "image"], shown = Printable.Of(image);
            if (image.Length == 0) throw file.Error(row, "the image is empty; expected a path relative to the CSV.");
            string path = ImageFiles.Find(folder, image, message => file.Error(row, message))
                ?? throw file.Error(row, $"image '{shown}' is not there (looked for "
                    + $"{Printable.Of(Path.GetFullPath(image, folder), 2 * Printable.Longest)}); bring it or take the "
                    + "row out.");
            if (!first.TryAdd(path, image))
                throw file.Error(row, $"image '{shown}' stands here for the second time (first "
                    + $"'{Printable.Of(first[path])}'); keep one row for each image.");
            foreach (string column in Needed.Where(file.Has)) file.RequireValue(row, column);
            split[row] = file.Optional(row, "split")?.ToLowerInvariant();
            if (split[row] is not (null or "train" or "val" or "test"))
                throw file.Error(row, $"split is '{Printable.Of(file[row, "split"])}'; expected train, val or test.");
            return path;
        });
        List<(string, IEnumerable<string?>)> columns = [("image", paths), ("image_id", file.Column("image")),
            ("source", paths.Select(_ => name))];
        if (file.Has("split")) columns.Add(("split", split));
        if (!file.Has("diagnosis")) columns.Add(("diagnosis", file.Column("label")));
        foreach (string column in file.Columns.Except(["image", "image_id", "source", "split"]))
            columns.Add((column, file.Column(column)));
        return new ImageTable(name, [.. columns]);
    }
}
