using System.Globalization;

namespace DermKit.Data;

/// <summary>Fitzpatrick17k (Groh et al. 2021, arXiv 2104.09957): clinical photographs of two atlases, 114 diseases, skin types by annotators, CC BY-NC-SA 3.0.</summary>
public static class Fitzpatrick17k
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "fitzpatrick17k";

    private const string Labels = "fitzpatrick17k.csv";

    /// <summary>True when <paramref name="folder"/> has fitzpatrick17k.csv.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels));

    /// <summary>
    /// Reads fitzpatrick17k.csv; images called {md5hash}.jpg anywhere below the folder, rows without one are left out (41 rows have no address to fetch it from).
    /// Columns: diagnosis (label), nine_partition_label, three_partition_label, skin_type (fitzpatrick_scale; -1 and a
    /// missing value, unknown, are null), fitzpatrick_centaur, qc, modality.
    /// There is no patient id.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels));
        file.Require("md5hash", "fitzpatrick_scale", "fitzpatrick_centaur", "label", "nine_partition_label", "three_partition_label", "qc");
        string?[] types = new string?[file.Count];
        for (int row = 0; row < file.Count; row++)
        {
            file.RequireValue(row, "md5hash", "label", "nine_partition_label", "three_partition_label");
            if (file.Known(row, "fitzpatrick_scale") is null) continue;
            string scale = file[row, "fitzpatrick_scale"];
            if (!int.TryParse(scale, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int type) || type is not (-1 or (>= 1 and <= 6)))
                throw file.Error(row, $"expected fitzpatrick_scale 1 to 6 or -1, found '{Printable.Of(scale)}'.");
            types[row] = type < 0 ? null : scale;
        }
        return ImageFiles.Table(Name, folder, file.Column("md5hash"), ("diagnosis", file.Column("label")),
            ("nine_partition_label", file.Column("nine_partition_label")), ("three_partition_label", file.Column("three_partition_label")),
            ("skin_type", types), ("fitzpatrick_centaur", file.Column("fitzpatrick_centaur")), ("qc", file.Column("qc")), ("modality", [.. types.Select(_ => "clinical")]));
    }
}
