namespace DermKit.Data;

/// <summary>HAM10000 with the ISIC 2018 task 3 test images (Tschandl et al. 2018, doi:10.1038/sdata.2018.161): dermoscopic images, 7 classes, CC BY-NC 4.0.</summary>
public static class Ham10000
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "ham10000";

    private static readonly string[] Train = ["HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata"];
    private static readonly string[] Test = ["ISIC2018_Task3_Test_GroundTruth.csv", "ISIC2018_Task3_Test_GroundTruth.tab"];
    private static readonly string[] Classes = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];

    /// <summary>True when <paramref name="folder"/> has both label files.</summary>
    public static bool IsIn(string folder) => ImageFiles.First(folder, Train) is not null && ImageFiles.First(folder, Test) is not null;

    /// <summary>
    /// Reads HAM10000_metadata (split "train") and ISIC2018_Task3_Test_GroundTruth (split "test"), as .csv or as the Dataverse's tab-separated .tab, each in the metadata form
    /// (lesion_id, image_id, dx, ...[, dataset]) or one-hot (image, MEL, NV, ...); images anywhere below the folder.
    /// Columns: lesion_id, diagnosis (mel, nv, bcc, akiec, bkl, df, vasc), dx_type, age, sex, site, dataset, modality, split.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        (CsvFile File, string Split)[] files = [(Read(folder, Train), "train"), (Read(folder, Test), "test")];
        foreach ((CsvFile file, _) in files)
            foreach (string column in new[] { "image", "image_id", "lesion_id" }.Where(file.Has))
                for (int row = 0; row < file.Count; row++) file.RequireValue(row, column);
        string?[] Column(string name) => [.. files.SelectMany(f => f.File.Has(name) ? f.File.Column(name) : new string[f.File.Count])];
        return ImageFiles.Table(Name, folder, [.. files.SelectMany(f => f.File.Column(f.File.Has("image") ? "image" : "image_id"))],
            ("split", [.. files.SelectMany(f => Enumerable.Repeat(f.Split, f.File.Count))]),
            ("lesion_id", Column("lesion_id")),
            ("diagnosis", [.. files.SelectMany(f => Enumerable.Range(0, f.File.Count).Select(row => Diagnosis(f.File, row)))]),
            ("dx_type", Column("dx_type")), ("age", Column("age")), ("sex", Column("sex")), ("site", Column("localization")), ("dataset", Column("dataset")),
            ("modality", [.. files.SelectMany(f => Enumerable.Repeat("dermoscopic", f.File.Count))]));
    }

    private static CsvFile Read(string folder, string[] names) => CsvFile.Read(ImageFiles.First(folder, names) ?? Path.Combine(folder, names[0]));

    private static string Diagnosis(CsvFile file, int row)
    {
        if (!file.Has("dx")) return OneHot.Label(file, row, Classes).ToLowerInvariant();
        string label = file[row, "dx"];
        return Classes.Contains(label.ToUpperInvariant()) ? label.ToLowerInvariant()
            : throw file.Error(row, $"expected dx {string.Join(", ", Classes).ToLowerInvariant()}, found "
                + $"'{Printable.Of(label)}'.");
    }
}
