namespace DermKit.Data;

/// <summary>Fitzpatrick17k (Groh et al. 2021, arXiv 2104.09957): clinical, 114 diseases, CC BY-NC-SA 3.0.</summary>
internal static class Fitzpatrick17k
{
    public const string Name = "fitzpatrick17k";

    private const string Labels = "fitzpatrick17k.csv";

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels));

    // Images are {md5hash}.jpg (41 rows have no address). A fitzpatrick_scale of -1 is null. No patient id.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels));
        file.Require("md5hash", "fitzpatrick_scale", "fitzpatrick_centaur", "label", "nine_partition_label",
            "three_partition_label", "qc");
        string?[] types = file.Map(row =>
        {
            file.RequireValue(row, "md5hash", "label", "nine_partition_label", "three_partition_label");
            if (file.Known(row, "fitzpatrick_scale") is not { } scale) return null;
            bool known = int.TryParse(scale, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int type);
            if (!known || type is not (-1 or (>= 1 and <= 6)))
                throw file.Expected(row, "fitzpatrick_scale", "1 to 6 or -1");
            return type < 0 ? null : scale;
        });
        (string, string?[]) Column(string name) => (name, file.Column(name));
        return ImageFiles.Table(Name, folder, file.Column("md5hash"), ("diagnosis", file.Column("label")),
            Column("nine_partition_label"), Column("three_partition_label"), ("skin_type", types),
            Column("fitzpatrick_centaur"), Column("qc"), ("modality", file.Map(_ => "clinical")));
    }
}
