using System.Globalization;

namespace DermKit.Data;

/// <summary>PAD-UFES-20 (Pacheco et al. 2020, doi:10.17632/zr7vgbcyr2.1): clinical smartphone photographs with patient data, CC BY 4.0.</summary>
public static class PadUfes20
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "pad-ufes-20";

    private static readonly string[] Diagnoses = ["ACK", "BCC", "MEL", "NEV", "SCC", "SEK"];

    /// <summary>True when <paramref name="folder"/> has metadata.csv.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "metadata.csv"));

    /// <summary>
    /// Reads metadata.csv and the photographs below the folder; a photograph may end in .png, as img_id says, or .jpg; rows without one are left out.
    /// Columns: the file's own, with diagnostic, gender, region and fitspatrick as diagnosis, sex, site and skin_type ("1".."6").
    /// lesion_id is "patient/lesion", because the file's lesion numbers are used again for other patients.
    /// </summary>
    /// <exception cref="KitException">A column is missing, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, "metadata.csv"));
        file.Require("patient_id", "lesion_id", "img_id", "diagnostic", "fitspatrick", "age", "gender", "region");
        string[] patients = file.Column("patient_id"), lesions = file.Column("lesion_id"), diagnoses = file.Column("diagnostic"), types = file.Column("fitspatrick");
        for (int row = 0; row < file.Count; row++)
        {
            if (file.Known(row, "patient_id") is null)
                throw file.Error(row,
                    $"expected a patient_id, found '{Printable.Of(patients[row])}', which says none.");
            file.RequireValue(row, "lesion_id", "img_id");
            if (!Diagnoses.Contains(diagnoses[row]))
                throw file.Error(row, $"expected diagnostic {string.Join(", ", Diagnoses)}, found "
                    + $"'{Printable.Of(diagnoses[row])}'.");
            if (file.Known(row, "fitspatrick") is null) continue;
            types[row] = double.TryParse(types[row], NumberStyles.Float, CultureInfo.InvariantCulture, out double type) && type is 1 or 2 or 3 or 4 or 5 or 6
                ? type.ToString(CultureInfo.InvariantCulture)
                : throw file.Error(row, $"expected fitspatrick 1 to 6 or empty, found '{Printable.Of(types[row])}'.");
        }
        string[] renamed = ["patient_id", "lesion_id", "img_id", "diagnostic", "fitspatrick", "gender", "region"];
        return ImageFiles.Table(Name, folder, [.. file.Column("img_id").Select(ImageFiles.Stem)],
        [
            ("patient_id", patients), ("lesion_id", [.. patients.Zip(lesions, (p, l) => $"{p}/{l}")]), ("diagnosis", diagnoses), ("skin_type", types),
            ("sex", [.. file.Column("gender").Select(g => g.ToLowerInvariant())]), ("site", file.Column("region")), ("modality", [.. patients.Select(_ => "clinical")]),
            .. file.Columns.Except(renamed).Select(c => (c, file.Column(c))),
        ]);
    }
}
