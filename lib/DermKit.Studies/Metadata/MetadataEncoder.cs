using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Data;
using System.Globalization;

namespace DermKit.Studies;

/// <summary>Metadata that belongs together and is left out together.</summary>
/// <param name="Name">Name for tables.</param>
/// <param name="Numbers">Columns that hold numbers.</param>
/// <param name="Categories">Columns that hold one of several values.</param>
public sealed record MetadataGroup(string Name, string[] Numbers, string[] Categories)
{
    private static readonly MetadataGroup[] Known =
    [
        new("age", ["age"], []), new("sex", [], ["sex"]), new("body site", [], ["site"]), new("skin type", [], ["skin_type"]),
        new("size", ["diameter_1", "diameter_2", "diameter_mm"], []), new("symptoms", [], ["itch", "grew", "hurt", "changed", "bleed", "elevation"]),
        new("history of cancer", [], ["skin_cancer_history", "cancer_history"]), new("habits and exposure", [], ["smoke", "drink", "pesticide"]),
        new("parents' origin", [], ["background_father", "background_mother"]), new("water and sewage", [], ["has_piped_water", "has_sewage_system"]),
    ];

    /// <summary>All columns.</summary>
    public IEnumerable<string> Columns => Numbers.Concat(Categories);

    /// <summary>
    /// The groups that a table has columns of. Not among them: biopsed of PAD-UFES-20, which was decided with the diagnosis in mind (every malignant lesion was), and what the drawn set measures on its own drawing.
    /// </summary>
    /// <exception cref="KitException">The table has none.</exception>
    public static IReadOnlyList<MetadataGroup> In(ImageTable table)
    {
        bool drawn = table.Has("lesion_fraction");
        MetadataGroup[] groups = [.. Known.Select(g => g with { Numbers = [.. g.Numbers.Where(table.Has)], Categories = [.. g.Categories.Where(c => table.Has(c) && !(drawn && c == "elevation"))] }).Where(g => g.Columns.Any())];
        return groups.Length > 0 ? groups
            : throw new KitException($"{table.Name}: none of the columns {Names.Listed(Known.SelectMany(g => g.Columns))} is there; expected metadata of patients or lesions.");
    }

    /// <summary>A value as the sets write it; null where it is missing, which PAD-UFES-20 also writes as UNK.</summary>
    internal static string? Value(string? text) => Missing.Is(text)
        || text!.Trim().Equals("UNK", StringComparison.OrdinalIgnoreCase) ? null : text;

    /// <summary>Share of the columns of these groups that a row has values in.</summary>
    public static double[] Recorded(ImageTable table, IReadOnlyList<MetadataGroup> groups)
    {
        string?[][] columns = [.. groups.SelectMany(g => g.Columns).Select(table.Column)];
        return [.. Enumerable.Range(0, table.Count).Select(i => columns.Count(c => Value(c[i]) is not null) / (double)columns.Length)];
    }
}

/// <summary>
/// Metadata as numbers, learned from training rows alone. A number is centred and scaled by the training rows that have it; where it is missing it is their median, and a column says so if training rows lack it too.
/// A category has a column for each value of <see cref="FewestRows"/> training rows or more, one for all other values, and one for missing where training rows lack it.
/// </summary>
public sealed class MetadataEncoder
{
    /// <summary>Training rows below which a value has no column of its own.</summary>
    public const int FewestRows = 3;

    private readonly List<(string Name, string Column, Func<string?, double> Encode)> columns = [];

    private MetadataEncoder() { }

    /// <summary>Names of the encoded columns.</summary>
    public IReadOnlyList<string> Names => [.. columns.Select(c => c.Name)];

    /// <summary>Learns the encoding.</summary>
    /// <param name="table">The images.</param>
    /// <param name="train">Rows to learn from; no other row is looked at.</param>
    /// <param name="groups">What to encode.</param>
    /// <exception cref="KitException">A number cannot be read, or a column has no value in any training row of a number.</exception>
    public static MetadataEncoder Fit(ImageTable table, int[] train, IReadOnlyList<MetadataGroup> groups)
    {
        var encoder = new MetadataEncoder();
        foreach (MetadataGroup group in groups)
        {
            foreach (string name in group.Numbers) encoder.AddNumber(name, table, train);
            foreach (string name in group.Categories) encoder.AddCategory(name, table, train);
        }
        return encoder;
    }

    /// <summary>Encoded rows.</summary>
    /// <param name="table">The table it was fitted on, or one with the same columns.</param>
    /// <param name="rows">Rows to encode.</param>
    /// <returns>[rows, columns].</returns>
    /// <exception cref="KitException">A number cannot be read.</exception>
    public float[,] Encode(ImageTable table, int[] rows)
    {
        var encoded = new float[rows.Length, columns.Count];
        var texts = columns.Select(c => c.Column).Distinct().ToDictionary(c => c, table.Column);
        for (int c = 0; c < columns.Count; c++)
            for (int i = 0; i < rows.Length; i++) encoded[i, c] = (float)columns[c].Encode(MetadataGroup.Value(texts[columns[c].Column][rows[i]]));
        return encoded;
    }

    private void AddNumber(string name, ImageTable table, int[] train)
    {
        string?[] values = table.Column(name);
        double Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value
            : throw new KitException($"{table.Name}: column '{name}' holds '{text}'; expected a number or nothing.");
        double[] known = [.. train.Select(i => MetadataGroup.Value(values[i])).OfType<string>().Select(Number).Order()];
        if (known.Length == 0) throw new KitException($"{table.Name}: no training image has a value in column '{name}'; leave its group out.");
        double median = Bootstrap.Percentile(known, 0.5), mean = known.Average(), spread = Math.Sqrt(known.Average(v => (v - mean) * (v - mean)));
        columns.Add((name, name, text => ((text is null ? median : Number(text)) - mean) / (spread == 0 ? 1 : spread)));
        if (known.Length < train.Length) columns.Add(($"{name} missing", name, text => text is null ? 1 : 0));
    }

    private void AddCategory(string name, ImageTable table, int[] train)
    {
        string?[] values = [.. table.Column(name).Select(v => MetadataGroup.Value(v)?.ToUpperInvariant())];
        var counts = train.Select(i => values[i]).OfType<string>().CountBy(v => v).ToDictionary();
        string[] own = [.. counts.Where(c => c.Value >= FewestRows).Select(c => c.Key).Order(StringComparer.Ordinal)];
        foreach (string value in own) columns.Add(($"{name} {value}", name, text => string.Equals(text, value, StringComparison.OrdinalIgnoreCase) ? 1 : 0));
        if (counts.Count > own.Length) columns.Add(($"{name} other", name, text => text is not null && !own.Contains(text.ToUpperInvariant()) ? 1 : 0));
        if (train.Any(i => values[i] is null)) columns.Add(($"{name} missing", name, text => text is null ? 1 : 0));
    }
}
