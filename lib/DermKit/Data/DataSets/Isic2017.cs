namespace DermKit.Data;

/// <summary>ISIC 2017 challenge, part 3 (Codella et al. 2017, arXiv 1710.05006): dermoscopic, CC0.</summary>
internal static class Isic2017
{
    public const string Name = "isic2017";

    private static readonly (string Split, string Part)[] Parts = [("train", "Training"), ("val", "Validation"),
        ("test", "Test_v2")];

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "metadata.csv"))
        || File.Exists(Truth(folder, "Training"));

    // metadata.csv, else the challenge's ISIC-2017_{Training,Validation,Test_v2}_Part3_GroundTruth.csv.
    public static ImageTable Load(string folder)
    {
        string merged = Path.Combine(folder, "metadata.csv");
        (CsvFile File, int Row, string? Split)[] rows = File.Exists(merged) ? Rows(merged, null)
            : [.. Parts.SelectMany(p => Rows(Truth(folder, p.Part), p.Split))];
        return ImageFiles.Table(Name, folder, [.. rows.Select(r => r.File[r.Row, "image_id"])],
            ("split", [.. rows.Select(r => r.Split)]), ("diagnosis", [.. rows.Select(r => Diagnosis(r.File, r.Row))]),
            ("age", [.. rows.Select(r => r.File.Optional(r.Row, "age_approximate"))]),
            ("sex", [.. rows.Select(r => r.File.Optional(r.Row, "sex"))]),
            ("modality", [.. rows.Select(_ => "dermoscopic")]));
    }

    private static (CsvFile, int, string?)[] Rows(string path, string? part)
    {
        CsvFile file = CsvFile.Read(path);
        file.Require("image_id", "melanoma", "seborrheic_keratosis");
        return file.Map(row =>
        {
            file.RequireValue(row, "image_id");
            string split = part ?? file[row, "split"];
            if (split is not ("train" or "val" or "test")) throw file.Expected(row, "split", "train, val or test");
            return (file, row, (string?)split);
        });
    }

    private static string Diagnosis(CsvFile file, int row)
    {
        bool melanoma = OneHot.Flag(file, row, "melanoma"), keratosis = OneHot.Flag(file, row, "seborrheic_keratosis");
        if (melanoma && keratosis)
            throw file.Error(row, "melanoma and seborrheic_keratosis are both 1; expected at most one.");
        return melanoma ? "melanoma" : keratosis ? "seborrheic_keratosis" : "nevus";
    }

    private static string Truth(string folder, string part) =>
        Path.Combine(folder, $"ISIC-2017_{part}_Part3_GroundTruth.csv");
}
