using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>Small copies of the real folder layouts: the real file names and headers, a few rows, and image files
/// that no adapter opens.</summary>
internal static class MiniTrees
{
    internal const string PadHeader = "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,"
        + "pesticide,gender,skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,"
        + "diameter_1,diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed";

    internal static string PadRow(string patient, string lesion, string diagnosis, string type, string image) =>
        $"{patient},{lesion},,,,,55,,FEMALE,,,,,{type},NECK,,,{diagnosis},True,False,False,False,False,True,{image},"
        + "True";

    /// <summary>Settings whose root and data folder lie below one temporary folder.</summary>
    internal static KitSettings Settings(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        Directory.CreateDirectory(Path.Combine(folder, "sets"));
        return new(RunMode.Quick, "cpu", folder, Path.Combine(folder, "sets"), Path.Combine(folder, "cache"));
    }

    internal static string Write(string folder, string file, params string[] lines)
    {
        string path = Path.Combine(folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, string.Concat(lines.Select(l => l + "\n")));
        return path;
    }

    internal static void Images(string folder, params string[] names)
    {
        foreach (string name in names) Write(folder, name);
    }

    internal static string Pad(string folder)
    {
        Write(folder, "metadata.csv", PadHeader, PadRow("PAT_1", "7", "NEV", "", "PAT_1_7_10.png"),
            PadRow("PAT_2", "7", "BCC", "2.0", "PAT_2_7_11.png"),
            PadRow("PAT_2", "7", "BCC", "2.0", "PAT_2_7_12.png"), PadRow("PAT_3", "9", "MEL", "4.0", "PAT_3_9_13.png"));
        Images(folder, "images/PAT_1_7_10.jpg", "images/PAT_2_7_11.png", "images/PAT_3_9_13.JPG");
        return folder;
    }

    internal static string Isic(string folder)
    {
        Write(folder, "metadata.csv", "image_id,split,melanoma,seborrheic_keratosis,diagnosis,age_approximate,sex",
            "ISIC_0000000,train,0.0,0.0,nevus,55,female", "ISIC_0000002,train,1.0,0.0,melanoma,unknown,female",
            "ISIC_0001769,val,0.0,1.0,seborrheic_keratosis,,", "ISIC_0012086,test,0.0,0.0,nevus,,");
        Images(folder, "images/ISIC_0000000.jpg", "images/ISIC_0000002.jpg", "images/ISIC_0001769.jpg",
            "images/ISIC_0012086.jpg");
        return folder;
    }

    internal static ImageTable Table(params (string Id, string Split, string Patient,
        string Diagnosis)[] rows) => new("mini",
            ("image", rows.Select(r => "/photos/" + r.Id)), ("image_id", rows.Select(r => r.Id)),
            ("split", rows.Select(r => r.Split)),
            ("patient_id", rows.Select(r => r.Patient)), ("diagnosis", rows.Select(r => r.Diagnosis)));
}
