namespace DermKit.Data;

/// <summary>MED-NODE (Giotis et al. 2015, Expert Systems with Applications 42(19)): 70 melanomas, 100 naevi.</summary>
internal static class MedNode
{
    public const string Name = "med-node";

    public static bool IsIn(string folder) => Directory.Exists(Path.Combine(Root(folder), "melanoma"))
        && Directory.Exists(Path.Combine(Root(folder), "naevus"));

    // {melanoma,naevus}/*.jpg; the id is "class/file". No patient id.
    public static ImageTable Load(string folder)
    {
        ImageTable table = ImageFiles.Classes(Name, Root(folder), "clinical");
        string? other = table.Column("diagnosis").FirstOrDefault(d => d is not ("melanoma" or "naevus"));
        return other is null ? table : throw new KitException($"{Root(folder)}: expected photographs in melanoma/ and "
            + $"naevus/ alone, found some in {other}/; move them away.");
    }

    private static string Root(string folder) =>
        Path.Combine(folder, "complete_mednode_dataset") is var inner && Directory.Exists(inner) ? inner : folder;
}
