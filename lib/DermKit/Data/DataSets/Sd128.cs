namespace DermKit.Data;

/// <summary>SD-128, a part of SD-198 (Sun et al. 2016, ECCV): clinical photographs, a folder for each disease.</summary>
public static class Sd128
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "sd-128";

    /// <summary>
    /// True when <paramref name="folder"/> has images/ with an image in it, of whichever disease: a part of the set has
    /// some of them.
    /// </summary>
    public static bool IsIn(string folder) => Path.Combine(folder, "images") is var images && Directory.Exists(images)
        && ImageFiles.Under(images).Any();

    /// <summary>
    /// Reads images/{disease}/{file}. Columns: diagnosis (the folder's name; six differ only in what stands in brackets, as Actinic_solar_Damage(Pigmentation)),
    /// disease (the name without its brackets, 123 values), modality. The id is "disease folder/file". There is no patient id.
    /// </summary>
    /// <exception cref="KitException">There is no photograph.</exception>
    public static ImageTable Load(string folder) => ImageFiles.Classes(Name, Path.Combine(folder, "images"), "clinical", ("disease", Derm7pt.Short));
}
