using Microsoft.Data.Analysis;

namespace DermKit.Data;

/// <summary>One row per image over a <see cref="DataFrame"/>. Shared columns: "image" (absolute path), "image_id",
/// "source" (set), "patient_id", "lesion_id", "diagnosis", "skin_type" ("1".."6"), "age", "sex", "site", "modality"
/// (dermoscopic, clinical), "split" (train, val, test). A set has those that its files give; null is unknown.</summary>
public sealed class ImageTable
{
    /// <summary>Wraps a frame that has the string columns "image" and "image_id".</summary>
    /// <exception cref="KitException">A column is missing; an id is empty or repeated.</exception>
    public ImageTable(string name, DataFrame frame)
    {
        Name = name;
        Frame = frame;
        string[] Filled(string column, string what) => [.. Column(column).Select((value, i) => value
            ?? throw new KitException($"{name}, image {i + 1}: expected {what}, found none; fill it in."))];
        Paths = Filled("image", "a path");
        Ids = Filled("image_id", "an image_id");
        if (Ids.CountBy(i => i).FirstOrDefault(id => id.Value > 1) is { Key: { } twice } count)
            throw new KitException($"{name}: image '{twice}' stands {count.Value} times; keep one row for each image.");
    }

    /// <summary>Makes a table from string columns; values such as "NA" become null. Throws as the other
    /// constructor.</summary>
    public ImageTable(string name, params (string Name, IEnumerable<string?> Values)[] columns)
        : this(name, new DataFrame(columns
            .Select(DataFrameColumn (c) => new StringDataFrameColumn(c.Name, c.Values.Select(Missing.Known)))))
    { }

    /// <summary>Name of the data set.</summary>
    public string Name { get; }

    /// <summary>All columns.</summary>
    public DataFrame Frame { get; }

    /// <summary>Number of images.</summary>
    public int Count => Paths.Length;

    /// <summary>Absolute path of each image; rows may share one (<see cref="Once"/>).</summary>
    public string[] Paths { get; }

    /// <summary>Id of each image, unique and the same on every machine.</summary>
    public string[] Ids { get; }

    /// <summary>Ids that the set lists but whose image is missing.</summary>
    public IReadOnlyList<string> Absent { get; init; } = [];

    /// <summary>For a part of a set, one line on what is here and what is missing; else empty.</summary>
    public string Part { get; internal set; } = "";

    /// <summary>True if the set has this column.</summary>
    public bool Has(string column) => Frame.Columns.IndexOf(column) >= 0;

    /// <summary>A column as invariant text; null where a value is missing.</summary>
    /// <exception cref="KitException">No such column.</exception>
    public string?[] Column(string column)
    {
        if (!Has(column)) throw KitException.Unknown($"{Name}: column", column, Frame.Columns.Select(c => c.Name));
        return [.. Frame.Columns[column].Cast<object?>()
            .Select(v => Missing.Known(Convert.ToString(v, CultureInfo.InvariantCulture)))];
    }

    /// <summary>Keeps the first row of each image file; rows of one file must share their
    /// <paramref name="label"/>.</summary>
    /// <exception cref="KitException">They differ, or there is no such column.</exception>
    public ImageTable Once(string label)
    {
        string?[] labels = Column(label);
        var rows = new Dictionary<string, int>();
        for (int i = 0; i < Count; i++)
            if (!rows.TryAdd(Paths[i], i) && rows[Paths[i]] is var first && labels[i] != labels[first])
                throw new KitException($"{Name}: {Paths[i]} is the image of '{Ids[first]}' with {label} "
                    + $"'{labels[first]}' and of '{Ids[i]}' with '{labels[i]}'; expected one {label} for one image. "
                    + "Correct the set's label file.");
        return rows.Count == Count ? this : Rows([.. rows.Values.Order()]);
    }

    /// <summary>The given rows in the given order.</summary>
    public ImageTable Rows(int[] rows) =>
        new(Name, new DataFrame(Frame.Columns.Select(c => c.Clone(new Int32DataFrameColumn("rows", rows)))));

    /// <summary>Stacks tables as text; a column that a table lacks is null there.</summary>
    /// <exception cref="KitException">Two tables share an image id.</exception>
    public static ImageTable Concat(string name, params ImageTable[] tables) =>
        new(name, [.. tables.SelectMany(t => t.Frame.Columns.Select(c => c.Name)).Distinct()
            .Select(c => (c, tables.SelectMany(t => t.Has(c) ? t.Column(c) : new string?[t.Count])))]);
}
