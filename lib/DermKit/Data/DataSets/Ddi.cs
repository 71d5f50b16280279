namespace DermKit.Data;

/// <summary>Diverse Dermatology Images (Daneshjou et al. 2022, doi:10.1126/sciadv.abq6147): clinical photographs with biopsy results and skin tones.</summary>
public static class Ddi
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "ddi";

    private const string Labels = "ddi_metadata.csv";

    /// <summary>True when <paramref name="folder"/> has ddi_metadata.csv.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels));

    /// <summary>
    /// Reads ddi_metadata.csv (a leading column of row numbers, DDI_ID, DDI_file, skin_tone, malignant, disease); images anywhere below the folder.
    /// Columns: diagnosis (benign, malignant), disease, skin_tone (12, 34, 56: types I-II, III-IV, V-VI), modality. There is no patient id.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels));
        file.Require("DDI_file", "skin_tone", "malignant", "disease");
        var diagnosis = new string[file.Count];
        for (int row = 0; row < file.Count; row++)
        {
            file.RequireValue(row, "DDI_file");
            diagnosis[row] = file[row, "malignant"].ToLowerInvariant() switch
            {
                "true" => "malignant",
                "false" => "benign",
                _ => throw file.Error(row, "expected malignant True or False, found "
                    + $"'{Printable.Of(file[row, "malignant"])}'."),
            };
            if (file.Known(row, "skin_tone") is not (null or "12" or "34" or "56"))
                throw file.Error(row, "expected skin_tone 12, 34 or 56, found "
                    + $"'{Printable.Of(file[row, "skin_tone"])}'.");
        }
        return ImageFiles.Table(Name, folder, [.. file.Column("DDI_file").Select(f => ImageFiles.Stem(f))],
            ("diagnosis", diagnosis),
            ("disease", file.Column("disease")), ("skin_tone", file.Column("skin_tone")), ("modality", [.. diagnosis.Select(_ => "clinical")]));
    }
}
