namespace DermKit.Data;

/// <summary>ISIC 2017 challenge, part 3 (Codella et al. 2017, arXiv 1710.05006): dermoscopic images, CC0, official train / val / test.</summary>
public static class Isic2017
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "isic2017";

    private static readonly (string Split, string Part)[] Parts = [("train", "Training"), ("val", "Validation"), ("test", "Test_v2")];

    /// <summary>True when <paramref name="folder"/> has metadata.csv or the challenge's own ground truth files.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "metadata.csv")) || File.Exists(Truth(folder, "Training"));

    /// <summary>
    /// Reads metadata.csv (image_id, split, melanoma, seborrheic_keratosis[, age_approximate, sex]), else the challenge's
    /// ISIC-2017_{Training,Validation,Test_v2}_Part3_GroundTruth.csv; images anywhere below the folder.
    /// Columns: diagnosis (melanoma, seborrheic_keratosis, nevus), age, sex, modality, split.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        string merged = Path.Combine(folder, "metadata.csv");
        (CsvFile File, string? Split)[] files = File.Exists(merged) ? [(CsvFile.Read(merged), null)]
            : [.. Parts.Select(p => (CsvFile.Read(Truth(folder, p.Part)), (string?)p.Split))];
        List<string> ids = [];
        List<string?> split = [], diagnosis = [], age = [], sex = [];
        foreach ((CsvFile file, string? part) in files)
        {
            file.Require("image_id", "melanoma", "seborrheic_keratosis");
            for (int row = 0; row < file.Count; row++)
            {
                file.RequireValue(row, "image_id");
                ids.Add(file[row, "image_id"]);
                split.Add(part ?? file[row, "split"]);
                if (split[^1] is not ("train" or "val" or "test"))
                    throw file.Error(row, $"expected split train, val or test, found '{Printable.Of(split[^1])}'.");
                diagnosis.Add((OneHot.Flag(file, row, "melanoma"), OneHot.Flag(file, row, "seborrheic_keratosis")) switch
                {
                    (true, false) => "melanoma",
                    (false, true) => "seborrheic_keratosis",
                    (false, false) => "nevus",
                    _ => throw file.Error(row, "melanoma and seborrheic_keratosis are both 1; expected at most one."),
                });
                age.Add(file.Has("age_approximate") ? file[row, "age_approximate"] : null);
                sex.Add(file.Has("sex") ? file[row, "sex"] : null);
            }
        }
        return ImageFiles.Table(Name, folder, [.. ids], ("split", [.. split]), ("diagnosis", [.. diagnosis]), ("age", [.. age]), ("sex", [.. sex]),
            ("modality", [.. ids.Select(_ => "dermoscopic")]));
    }

    private static string Truth(string folder, string part) => Path.Combine(folder, $"ISIC-2017_{part}_Part3_GroundTruth.csv");
}
