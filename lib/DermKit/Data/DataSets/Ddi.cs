namespace DermKit.Data;

/// <summary>Diverse Dermatology Images (Daneshjou et al. 2022, doi:10.1126/sciadv.abq6147), clinical.</summary>
internal static class Ddi
{
    public const string Name = "ddi";

    private const string Labels = "ddi_metadata.csv";

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels));

    // diagnosis (benign, malignant), disease, skin_tone (12, 34, 56: types I-II, III-IV, V-VI); no patient id.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels));
        file.Require("DDI_file", "skin_tone", "malignant", "disease");
        string[] diagnosis = file.Map(row =>
        {
            file.RequireValue(row, "DDI_file");
            if (file.Known(row, "skin_tone") is not (null or "12" or "34" or "56"))
                throw file.Expected(row, "skin_tone", "12, 34 or 56");
            return file[row, "malignant"].ToLowerInvariant() switch
            {
                "true" => "malignant",
                "false" => "benign",
                _ => throw file.Expected(row, "malignant", "True or False"),
            };
        });
        return ImageFiles.Table(Name, folder, file.Map(row => ImageFiles.Stem(file[row, "DDI_file"])),
            ("diagnosis", diagnosis), ("disease", file.Column("disease")), ("skin_tone", file.Column("skin_tone")),
            ("modality", file.Map(_ => "clinical")));
    }
}
