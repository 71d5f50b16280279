namespace DermKit.Data;

/// <summary>HAM10000, ISIC 2018 task 3 test (Tschandl et al. 2018, doi:10.1038/sdata.2018.161), CC BY-NC 4.0.</summary>
internal static class Ham10000
{
    public const string Name = "ham10000";

    // Folder of a copy with one training image of a lesion, taken before the set's own.
    public const string Lesions = "ham10000-lesions";

    private static readonly string[] Train = ["HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata"];
    private static readonly string[] Test = ["ISIC2018_Task3_Test_GroundTruth.csv",
        "ISIC2018_Task3_Test_GroundTruth.tab"];
    internal static readonly string[] Classes = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];

    public static bool IsIn(string folder) => ImageFiles.First(folder, Train) is not null
        && ImageFiles.First(folder, Test) is not null;

    // HAM10000_metadata (train) and ISIC2018_Task3_Test_GroundTruth (test), .csv or the Dataverse's .tab, each as
    // metadata (lesion_id, image_id, dx, ...) or one-hot (image, MEL, NV, ...).
    public static ImageTable Load(string folder)
    {
        (CsvFile File, int Row, string Split)[] rows = [.. Rows(folder, Train, "train"), .. Rows(folder, Test, "test")];
        string?[] Column(string name) => [.. rows.Select(r => r.File.Optional(r.Row, name))];
        return ImageFiles.Table(Name, folder,
            [.. rows.Select(r => r.File[r.Row, r.File.Has("image") ? "image" : "image_id"])],
            ("split", [.. rows.Select(r => r.Split)]), ("lesion_id", Column("lesion_id")),
            ("diagnosis", [.. rows.Select(r => Diagnosis(r.File, r.Row))]),
            ("dx_type", Column("dx_type")), ("age", Column("age")), ("sex", Column("sex")),
            ("site", Column("localization")), ("dataset", Column("dataset")),
            ("modality", [.. rows.Select(_ => "dermoscopic")]));
    }

    private static (CsvFile File, int Row, string Split)[] Rows(string folder, string[] names, string split)
    {
        CsvFile file = CsvFile.Read(ImageFiles.First(folder, names) ?? Path.Combine(folder, names[0]));
        string[] ids = [.. new[] { "image", "image_id", "lesion_id" }.Where(file.Has)];
        return file.Map(row =>
        {
            file.RequireValue(row, ids);
            return (file, row, split);
        });
    }

    private static string Diagnosis(CsvFile file, int row)
    {
        if (!file.Has("dx")) return OneHot.Label(file, row, Classes).ToLowerInvariant();
        string label = file[row, "dx"].ToLowerInvariant();
        return Classes.Contains(label.ToUpperInvariant()) ? label
            : throw file.Expected(row, "dx", string.Join(", ", Classes).ToLowerInvariant());
    }
}
