using DermKit.Data;

namespace DermKit.Studies;

/// <summary>Metadata columns that are left out together.</summary>
public sealed record MetadataGroup(string Name, string[] Numbers, string[] Categories)
{
    private static readonly MetadataGroup[] Known =
    [
        new("age", ["age"], []),
        new("sex", [], ["sex"]),
        new("body site", [], ["site"]),
        new("skin type", [], ["skin_type"]),
        new("size", ["diameter_1", "diameter_2", "diameter_mm"], []),
        new("symptoms", [], ["itch", "grew", "hurt", "changed", "bleed", "elevation"]),
        new("history of cancer", [], ["skin_cancer_history", "cancer_history"]),
        new("habits and exposure", [], ["smoke", "drink", "pesticide"]),
        new("parents' origin", [], ["background_father", "background_mother"]),
        new("water and sewage", [], ["has_piped_water", "has_sewage_system"]),
    ];

    internal IEnumerable<string> Columns => Numbers.Concat(Categories);

    /// <summary>The groups of a table's columns, without PAD-UFES-20's biopsed, decided with the diagnosis in mind
    /// (every malignant lesion was), and without the drawn set's own measurements.</summary>
    /// <exception cref="KitException">The table has none.</exception>
    public static IReadOnlyList<MetadataGroup> In(ImageTable table)
    {
        bool drawn = table.Has("lesion_fraction");
        bool IsMetadata(string column) => table.Has(column) && !(drawn && column == "elevation");
        IEnumerable<MetadataGroup> found = Known.Select(g =>
            new MetadataGroup(g.Name, [.. g.Numbers.Where(IsMetadata)], [.. g.Categories.Where(IsMetadata)]));
        MetadataGroup[] groups = [.. found.Where(g => g.Columns.Any())];
        return groups.Length > 0 ? groups : throw new KitException($"{table.Name}: none of the columns "
            + $"{Names.Listed(Known.SelectMany(g => g.Columns))} is there; expected metadata of patients or lesions.");
    }

    // Null for a missing value, which PAD-UFES-20 also writes as UNK.
    internal static string? Value(string? text) =>
        Missing.Is(text) || text!.Trim().Equals("UNK", StringComparison.OrdinalIgnoreCase) ? null : text;

    /// <summary>Share of the groups' columns, 0 to 1, that have a value in each row.</summary>
    public static double[] Recorded(ImageTable table, IReadOnlyList<MetadataGroup> groups)
    {
        string?[][] columns = [.. groups.SelectMany(g => g.Columns).Select(table.Column)];
        double Share(int row) => columns.Count(c => Value(c[row]) is not null) / (double)columns.Length;
        return [.. Enumerable.Range(0, table.Count).Select(Share)];
    }
}
