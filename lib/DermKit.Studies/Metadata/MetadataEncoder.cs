using DermKit.Data;
using System.Globalization;

namespace DermKit.Studies;

/// <summary>Metadata as numbers, learned from training rows. A number is centred and scaled; missing becomes the
/// median. A category has a column for each value of at least <see cref="FewestRows"/> rows and one for all others. A
/// column marks missing values if any.</summary>
public sealed class MetadataEncoder
{
    /// <summary>Training rows that a value needs for its own column.</summary>
    public const int FewestRows = 3;

    private readonly List<(string Name, string Column, Func<string?, double> Encode)> columns = [];

    private MetadataEncoder() { }

    /// <summary>Names of the encoded columns.</summary>
    public IReadOnlyList<string> Names => [.. columns.Select(c => c.Name)];

    /// <summary>Learns the encoding.</summary>
    /// <exception cref="KitException">A number cannot be read, or a number column has no value in training.</exception>
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

    /// <summary>Encodes rows, [rows, columns], of a table with the fitted columns.</summary>
    /// <exception cref="KitException">A number cannot be read.</exception>
    public float[,] Encode(ImageTable table, int[] rows)
    {
        var encoded = new float[rows.Length, columns.Count];
        for (int c = 0; c < columns.Count; c++)
        {
            string?[] texts = table.Column(columns[c].Column);
            for (int i = 0; i < rows.Length; i++)
                encoded[i, c] = (float)columns[c].Encode(MetadataGroup.Value(texts[rows[i]]));
        }
        return encoded;
    }

    private void AddNumber(string name, ImageTable table, int[] train)
    {
        string?[] values = table.Column(name);
        double[] known = [.. train.Select(i => MetadataGroup.Value(values[i])).OfType<string>().Select(Number).Order()];
        if (known.Length == 0)
            throw new KitException($"{table.Name}: no training image has a value in column '{name}'; leave its group "
                + "out.");
        double median = Bootstrap.Percentile(known, 0.5);
        double mean = known.Average();
        double deviation = Math.Sqrt(known.Average(v => (v - mean) * (v - mean)));
        double spread = deviation == 0 ? 1 : deviation;
        columns.Add((name, name, text => ((text is null ? median : Number(text)) - mean) / spread));
        if (known.Length < train.Length) AddMissing(name);

        double Number(string text) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && double.IsFinite(value) ? value
                : throw new KitException(
                    $"{table.Name}: column '{name}' holds '{text}'; expected a number or nothing.");
    }

    private void AddCategory(string name, ImageTable table, int[] train)
    {
        string?[] values = [.. table.Column(name).Select(v => MetadataGroup.Value(v)?.ToUpperInvariant())];
        var counts = train.Select(i => values[i]).OfType<string>().CountBy(v => v).ToDictionary();
        IEnumerable<string> frequent = counts.Where(c => c.Value >= FewestRows).Select(c => c.Key);
        string[] own = [.. frequent.Order(StringComparer.Ordinal)];
        foreach (string value in own) Add($"{name} {value}", text => value == text?.ToUpperInvariant());
        if (counts.Count > own.Length)
            Add($"{name} other", text => text is not null && !own.Contains(text.ToUpperInvariant()));
        if (train.Any(i => values[i] is null)) AddMissing(name);

        void Add(string column, Func<string?, bool> isSet) => columns.Add((column, name, text => isSet(text) ? 1 : 0));
    }

    private void AddMissing(string name) => columns.Add(($"{name} missing", name, text => text is null ? 1 : 0));
}
