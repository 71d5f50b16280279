using System.Globalization;
using Microsoft.Data.Analysis;

namespace DermKit.Data;

/// <summary>
/// One row per image over a <see cref="DataFrame"/>. Column names used by every set: "image" (absolute path), "image_id",
/// "source" (set name), "patient_id", "lesion_id", "diagnosis", "skin_type" ("1".."6"), "age", "sex", "site", "modality" (dermoscopic, clinical), "split" (train, val, test).
/// A set has the columns that its files give; a value that is not known is null.
/// </summary>
public sealed class ImageTable
{
    /// <summary>Wraps a frame that has the string columns "image" and "image_id".</summary>
    /// <exception cref="KitException">A column is missing, or an image id is empty or stands twice.</exception>
    public ImageTable(string name, DataFrame frame)
    {
        Name = name;
        Frame = frame;
        Paths = [.. Column("image").Select((p, i) => p ?? throw new KitException($"{name}, image {i + 1}: expected a path, found none."))];
        Ids = [.. Column("image_id").Select((p, i) => p ?? throw new KitException($"{name}, image {i + 1}: expected an image_id, found none."))];
        if (Ids.GroupBy(i => i, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new KitException($"{name}: image '{twice.Key}' stands {twice.Count()} times; keep one row for each image.");
    }

    /// <summary>
    /// Makes a table from string columns in the given order; missing values (<see cref="Missing"/>) become null.
    /// </summary>
    /// <exception cref="KitException">As the other constructor.</exception>
    public ImageTable(string name, params (string Name, IEnumerable<string?> Values)[] columns)
        : this(name, new DataFrame(columns
            .Select(DataFrameColumn (c) => new StringDataFrameColumn(c.Name, c.Values.Select(Missing.Known))))) { }

    /// <summary>Name of the data set.</summary>
    public string Name { get; }

    /// <summary>All columns, for tables and figures.</summary>
    public DataFrame Frame { get; }

    /// <summary>Number of images.</summary>
    public int Count => Paths.Length;

    /// <summary>Absolute path of each image. Rows may share one (<see cref="Once"/>).</summary>
    public string[] Paths { get; }

    /// <summary>Id of each image, unique in the table and the same on every machine.</summary>
    public string[] Ids { get; }

    /// <summary>Ids that the set's own list names but whose photograph is not in the folder.</summary>
    public IReadOnlyList<string> Absent { get; init; } = [];

    /// <summary>
    /// Of a part of a set (<see cref="DataSetManifest.Part"/>) how much of it is here and what is missing, in one line;
    /// else empty.
    /// </summary>
    public string Part { get; internal set; } = "";

    /// <summary>True when the set gives this column.</summary>
    public bool Has(string column) => Frame.Columns.IndexOf(column) >= 0;

    /// <summary>
    /// A column as text in the invariant culture; null where the value is missing (<see cref="Missing"/>).
    /// </summary>
    /// <exception cref="KitException">There is no such column; the nearest is named.</exception>
    public string?[] Column(string column)
    {
        if (!Has(column))
        {
            string[] names = [.. Frame.Columns.Select(c => c.Name)];
            throw new KitException($"{Name}: expected a column '{column}', found {Names.Listed(names)}; did you mean '{KitException.Nearest(column, names)}'?");
        }
        return [.. Frame.Columns[column].Cast<object?>()
            .Select(v => Missing.Known(Convert.ToString(v, CultureInfo.InvariantCulture)))];
    }

    /// <summary>
    /// The table with each image file once, where a set names one file in several rows: in the first of them. The table
    /// itself where none is named twice.
    /// </summary>
    /// <param name="label">Column whose values the rows of one file must share.</param>
    /// <exception cref="KitException">Rows of one file differ in it; they are named. Or there is no such
    /// column.</exception>
    public ImageTable Once(string label)
    {
        string?[] labels = Column(label);
        var rows = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < Count; i++)
            if (!rows.TryAdd(Paths[i], i) && rows[Paths[i]] is var first && labels[i] != labels[first])
                throw new KitException($"{Name}: {Paths[i]} is the image of '{Ids[first]}' with {label} '{labels[first]}' and of '{Ids[i]}' with '{labels[i]}'; expected one {label} for one image. Correct the set's label file.");
        return rows.Count == Count ? this : Rows([.. rows.Values.Order()]);
    }

    /// <summary>The table of the given rows, in the given order.</summary>
    public ImageTable Rows(int[] rows) =>
        new(Name, new DataFrame(Frame.Columns.Select(c => c.Clone(new Int32DataFrameColumn("rows", rows)))));

    /// <summary>Puts tables under one another, as text; a column that a table lacks is null there.</summary>
    /// <exception cref="KitException">An image id stands in two of them.</exception>
    public static ImageTable Concat(string name, params ImageTable[] tables) =>
        new(name, [.. tables.SelectMany(t => t.Frame.Columns.Select(c => c.Name)).Distinct()
            .Select(c => (c, tables.SelectMany(t => t.Has(c) ? t.Column(c) : new string?[t.Count])))]);
}
