namespace DermKit.Data;

/// <summary>SD-128, a part of SD-198 (Sun et al. 2016, ECCV): clinical, a folder for each disease.</summary>
internal static class Sd128
{
    public const string Name = "sd-128";

    public static bool IsIn(string folder) => Path.Combine(folder, "images") is var images && Directory.Exists(images)
        && ImageFiles.Under(images).Any();

    // images/{disease}/{file}. diagnosis is the folder's name (six differ only in brackets), disease the name without
    // brackets (123 values). No patient id.
    public static ImageTable Load(string folder) =>
        ImageFiles.Classes(Name, Path.Combine(folder, "images"), "clinical", ("disease", Derm7pt.Short));
}
