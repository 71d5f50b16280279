using System.Globalization;
using System.Text.Json;

namespace DermKit.Benchmarks;

/// <summary>One measurement: a rate or time, and its share of the limit that the same run measured (null
/// where there is none).</summary>
internal sealed record Row(string Name, double Value, string Unit, double? Ratio)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Name,-34} {Value,12:g5} {Unit,-12} {(Ratio is { } r ? $"{r:f3}" : "-"),8}");

    public static string ToJson(IEnumerable<Row> rows) =>
        JsonSerializer.Serialize(
            rows.Select(r => new { name = r.Name, value = r.Value, unit = r.Unit, ratio = r.Ratio }),
            new JsonSerializerOptions { WriteIndented = true });
}
