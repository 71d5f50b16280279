using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>A task with its labelled images; a frozen image is never in training.</summary>
public sealed class ProbeTask(TaskDefinition definition, ImageTable table, int[] labels,
    string[] classNames, bool[] frozen)
{
    /// <summary>The task.</summary>
    public TaskDefinition Definition { get; } = definition;

    /// <summary>The labelled images.</summary>
    public ImageTable Table { get; } = table;

    /// <summary>Class of each image; of two, 1 is positive.</summary>
    public int[] Labels { get; } = labels;

    /// <summary>Names of the classes.</summary>
    public string[] ClassNames { get; } = classNames;

    /// <summary>Version of the split of <see cref="SplitFor"/>.</summary>
    public SplitVersion Version { get; init; }

    /// <summary>Pixels to which every image was resized, such as 200x150; empty for their own size.</summary>
    public string Geometry { get; private init; } = "";

    /// <summary>Patient, lesion or case of each image, or its own id; null when the set has none.</summary>
    public string[]? Patients { get; } = definition.Unit is { } unit
        ? [.. table.Column(unit).Zip(table.Ids, (u, id) => u ?? $"image {id}")] : null;

    /// <summary>Unit of splits and resamples: patient, lesion or case, else the image's id.</summary>
    public string UnitOf(int row) => Patients?[row] ?? Table.Ids[row];

    /// <summary>The task on some images, in the given order.</summary>
    public ProbeTask Only(int[] rows) => new(Definition, Table.Rows(rows), Array.ConvertAll(rows, i => Labels[i]),
        ClassNames, Array.ConvertAll(rows, i => frozen[i]))
    { Version = Version, Geometry = Geometry };

    /// <summary>The task with another frozen test part, such as a fold.</summary>
    public ProbeTask Held(bool[] held) =>
        new(Definition with { Split = SplitKind.Frozen }, Table, Labels, ClassNames, held) { Geometry = Geometry };

    /// <summary>The same images in other files, resized to width x height pixels.</summary>
    public ProbeTask Brought(string[] paths, int width, int height) => new(Definition, new ImageTable(Table.Name,
        [.. Table.Frame.Columns.Select(c => (c.Name,
            (IEnumerable<string?>)(c.Name == "image" ? paths : Table.Column(c.Name))))]), Labels, ClassNames,
        frozen)
    {
        Version = Version,
        Geometry = FormattableString.Invariant($"{width}x{height}")
    };

    /// <summary>The protocol's split: the frozen test part for every seed, or 85/15 drawn by the seed; of the original
    /// version, the paper's.</summary>
    /// <exception cref="KitException">A frozen image is in training, a patient or lesion is on both sides, or a part is
    /// empty.</exception>
    public Split SplitFor(int seed) => Version == SplitVersion.Original && Definition.Original is not null
        ? OriginalSplit(seed) : Checked(Definition.Split switch
        {
            SplitKind.Frozen => Splits.FromMask(frozen),
            SplitKind.Patient => Splits.ByPatient(Patients!, Labels, seed),
            _ => Splits.ByPatient(Table.Ids, Labels, seed),
        });

    /// <summary>Training and validation parts, to choose settings with, of the training images of
    /// <see cref="SplitFor"/>.</summary>
    /// <exception cref="KitException">As <see cref="SplitFor"/>.</exception>
    public Split Redraw(int seed)
    {
        int[] rows = SplitFor(seed).Train;
        Split drawn = Splits.ByPatient(Array.ConvertAll(rows, UnitOf), Array.ConvertAll(rows, i => Labels[i]), seed);
        Split within = new([.. drawn.Train.Select(i => rows[i])], [.. drawn.Test.Select(i => rows[i])]);
        return Version == SplitVersion.Original && Definition.Original is not null ? within : Checked(within);
    }

    // The task on its training images alone: SplitFor draws their parts of Redraw.
    internal ProbeTask WithinTraining()
    {
        int[] rows = SplitFor(TaskSuite.Seeds[0]).Train;
        SplitKind split = Patients is null ? SplitKind.Stratified : SplitKind.Patient;
        return new(Definition with { Split = split }, Table.Rows(rows), Array.ConvertAll(rows, i => Labels[i]),
            ClassNames, new bool[rows.Length])
        { Geometry = Geometry };
    }

    // The paper's split with its leaks: it trains on frozen images, so only for a model that has seen none of them.
    internal Split OriginalSplit(int seed) => Definition.Original switch
    {
        SplitKind.Patient => Splits.ByPatient(Patients!, null, seed),
        SplitKind.Stratified => Splits.ByPatient(Table.Ids, Labels, seed),
        _ => throw new KitException(
            $"Task '{Definition.Name}' declares no original protocol that differs from its own; use SplitFor."),
    };

    /// <summary>The images whose ids hash lowest, for quick runs: train of those outside the frozen test part (of all,
    /// where a seed draws the split) and test of those in it.</summary>
    public ProbeTask Limit(int train, int test)
    {
        int[] order = ByHash(),
            rows = [.. order.Where(i => !frozen[i]).Take(train).Concat(order.Where(i => frozen[i]).Take(test)).Order()];
        return rows.Length == Labels.Length ? this : Only(rows);
    }

    internal bool IsFrozen(int row) => frozen[row];

    // Rows by hashed id, the same on every machine.
    internal int[] ByHash() => [.. Enumerable.Range(0, Labels.Length)
        .OrderBy(i => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Table.Ids[i]))),
            StringComparer.Ordinal)];

    private Split Checked(Split split)
    {
        if (split.Train.Length == 0 || split.Test.Length == 0)
            throw new KitException($"Task '{Definition.Name}': {split.Train.Length} training and {split.Test.Length} "
                + "test images; expected both parts. Give the set a split column or a list in data/splits.");
        string[] leaked = [.. split.Train.Where(i => frozen[i]).Select(i => Table.Ids[i])];
        if (leaked.Length > 0)
            throw new KitException($"Task '{Definition.Name}': {leaked.Length} frozen test images among the training "
                + $"images: {Names.Listed(leaked, 5)}. Declare split 'frozen', or ask for the original "
                + "protocol by name.");
        Splits.CheckLeaks(Table, split, $"Task '{Definition.Name}'", Definition.Unit);
        return split;
    }
}
