using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>Fitzpatrick skin types as data sets write them: a type each, or (DDI) two types as one.</summary>
public static class SkinTypes
{
    private static readonly string[] Columns = ["skin_type", "skin_tone", "fitzpatrick_scale", "fitzpatrick"], Numerals = ["I", "II", "III", "IV", "V", "VI"];

    /// <summary>The pairs of types that gaps are taken between: those of DDI (Daneshjou et al. 2022), from the lightest.</summary>
    public static IReadOnlyList<string> Groups { get; } = ["I-II", "III-IV", "V-VI"];

    /// <summary>The column of skin types among the group columns of a task; null when it has none.</summary>
    public static string? ColumnOf(TaskDefinition task) => Columns.FirstOrDefault(task.Groups.Contains);

    /// <summary>
    /// I to VI for 1 to 6; I-II, III-IV and V-VI for DDI's 12, 34 and 56; null for a missing value (<see
    /// cref="Data.Missing"/>) and for -1, Fitzpatrick17k's unknown.
    /// </summary>
    /// <exception cref="KitException">Any other value.</exception>
    public static string? Type(string? value) => Data.Missing.Known(value)?.Trim() switch
    {
        null or "-1" => null,
        [var type and >= '1' and <= '6'] => Numerals[type - '1'],
        "12" => Groups[0],
        "34" => Groups[1],
        "56" => Groups[2],
        _ => throw new KitException($"Skin type '{value}': expected 1 to 6, 12, 34 or 56, or none."),
    };

    /// <summary>The pair that a type of <see cref="Type"/> is in; null for none.</summary>
    public static string? Group(string? type) => type is null ? null : Groups.First(g => g == type || g.Split('-').Contains(type));
}
