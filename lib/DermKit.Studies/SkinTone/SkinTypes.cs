using DermKit.Data;

namespace DermKit.Studies;

/// <summary>Fitzpatrick skin types as data sets write them: single types, or pairs in DDI.</summary>
public static class SkinTypes
{
    private static readonly string[] Columns = ["skin_type", "skin_tone", "fitzpatrick_scale", "fitzpatrick"];
    private static readonly string[] Numerals = ["I", "II", "III", "IV", "V", "VI"];

    /// <summary>The compared pairs of types, lightest first, as in DDI (Daneshjou et al. 2022).</summary>
    public static IReadOnlyList<string> Groups { get; } = ["I-II", "III-IV", "V-VI"];

    /// <summary>A task's group column of skin types; null without one.</summary>
    public static string? ColumnOf(TaskDefinition task) => Columns.FirstOrDefault(task.Groups.Contains);

    // I to VI for 1 to 6; pairs for DDI's 12, 34 and 56; null for a missing value and for -1, unknown in
    // Fitzpatrick17k. Throws for other values.
    internal static string? Type(string? value) => Missing.Known(value)?.Trim() switch
    {
        null or "-1" => null,
        [var type and >= '1' and <= '6'] => Numerals[type - '1'],
        "12" => Groups[0],
        "34" => Groups[1],
        "56" => Groups[2],
        _ => throw new KitException($"Skin type '{value}': expected 1 to 6, 12, 34 or 56, or none."),
    };

    internal static string? Group(string? type) =>
        type is null ? null : Groups.First(g => g == type || g.Split('-').Contains(type));

    // Place in tables, by the first type.
    internal static int Order(string name) => Array.IndexOf(Numerals, name.Split('-')[0]);
}
