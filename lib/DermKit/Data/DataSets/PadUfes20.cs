namespace DermKit.Data;

/// <summary>PAD-UFES-20 (Pacheco et al. 2020, doi:10.17632/zr7vgbcyr2.1): smartphone photographs, CC BY 4.0.</summary>
internal static class PadUfes20
{
    public const string Name = "pad-ufes-20";

    internal static readonly string[] Diagnoses = ["ACK", "BCC", "MEL", "NEV", "SCC", "SEK"];

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "metadata.csv"));

    // Photographs end in .png or .jpg. lesion_id is "patient/lesion", because patients share lesion numbers.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, "metadata.csv"));
        string[] renamed = ["patient_id", "lesion_id", "img_id", "diagnostic", "fitspatrick", "gender", "region"];
        file.Require([.. renamed, "age"]);
        string[] types = file.Map(row =>
        {
            if (file.Known(row, "patient_id") is null)
                throw file.Error(row, $"expected a patient_id, found '{Printable.Of(file[row, "patient_id"])}', which "
                    + "stands for a missing value.");
            file.RequireValue(row, "lesion_id", "img_id");
            if (!Diagnoses.Contains(file[row, "diagnostic"]))
                throw file.Expected(row, "diagnostic", string.Join(", ", Diagnoses));
            if (file.Known(row, "fitspatrick") is not { } type) return "";
            return double.TryParse(type, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                && number is 1 or 2 or 3 or 4 or 5 or 6 ? number.ToString(CultureInfo.InvariantCulture)
                : throw file.Expected(row, "fitspatrick", "1 to 6 or empty");
        });
        return ImageFiles.Table(Name, folder, file.Map(row => ImageFiles.Stem(file[row, "img_id"])),
        [
            ("patient_id", file.Column("patient_id")),
            ("lesion_id", file.Map(row => $"{file[row, "patient_id"]}/{file[row, "lesion_id"]}")),
            ("diagnosis", file.Column("diagnostic")), ("skin_type", types),
            ("sex", file.Map(row => file[row, "gender"].ToLowerInvariant())), ("site", file.Column("region")),
            ("modality", file.Map(_ => "clinical")), .. file.Columns.Except(renamed).Select(c => (c, file.Column(c))),
        ]);
    }
}
