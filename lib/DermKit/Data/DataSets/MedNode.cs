namespace DermKit.Data;

/// <summary>MED-NODE (Giotis et al. 2015, Expert Systems with Applications 42(19)): clinical photographs, 70 melanomas and 100 naevi.</summary>
public static class MedNode
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "med-node";

    /// <summary>True when <paramref name="folder"/> (or complete_mednode_dataset in it, as the archive unpacks) has melanoma/ and naevus/.</summary>
    public static bool IsIn(string folder) => Directory.Exists(Path.Combine(Root(folder), "melanoma")) && Directory.Exists(Path.Combine(Root(folder), "naevus"));

    /// <summary>Reads {melanoma,naevus}/*.jpg. Columns: diagnosis (melanoma, naevus), modality. The id is "class/file". There is no patient id.</summary>
    /// <exception cref="KitException">There is no photograph, or there are other folders of photographs beside the two.</exception>
    public static ImageTable Load(string folder)
    {
        ImageTable table = ImageFiles.Classes(Name, Root(folder), "clinical");
        return table.Column("diagnosis").FirstOrDefault(d => d is not ("melanoma" or "naevus")) is { } other
            ? throw new KitException($"{Root(folder)}: expected photographs in melanoma/ and naevus/ alone, found some in {other}/; move them away.") : table;
    }

    private static string Root(string folder) => Path.Combine(folder, "complete_mednode_dataset") is var inner && Directory.Exists(inner) ? inner : folder;
}
