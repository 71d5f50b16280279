using DermKit.Data;
using System.Security.Cryptography;
using System.Text;

namespace DermKit.Evaluation;

/// <summary>A task with its images: what a probe needs besides features. Row i of the features belongs to row i of <see cref="Table"/>.</summary>
/// <param name="definition">The task.</param>
/// <param name="table">The labelled images only.</param>
/// <param name="labels">Class number of each image, from 0.</param>
/// <param name="classNames">Names of the classes.</param>
/// <param name="frozen">For each image: true when nothing is ever trained on it.</param>
public sealed class ProbeTask(TaskDefinition definition, ImageTable table, int[] labels, string[] classNames, bool[] frozen)
{
    /// <summary>The task.</summary>
    public TaskDefinition Definition { get; } = definition;

    /// <summary>The labelled images.</summary>
    public ImageTable Table { get; } = table;

    /// <summary>Class number of each image, from 0; of two classes 1 is the positive one.</summary>
    public int[] Labels { get; } = labels;

    /// <summary>Names of the classes.</summary>
    public string[] ClassNames { get; } = classNames;

    /// <summary>Which version of the task this is; decides <see cref="SplitFor"/>.</summary>
    public SplitVersion Version { get; init; }

    /// <summary>Size in pixels that every image was brought to, for example 200x150; empty for images as they come.</summary>
    public string Geometry { get; private init; } = "";

    /// <summary>What the bootstrap resamples as one: patient, lesion or case of each image (an image without one stands for itself); null when the set has none.</summary>
    public string[]? Patients { get; } = definition.Unit is { } unit ? [.. table.Column(unit).Zip(table.Ids, (u, id) => u ?? $"image {id}")] : null;

    /// <summary>What row <paramref name="row"/> is resampled and split with: its patient, lesion or case, else its own id.</summary>
    public string UnitOf(int row) => Patients?[row] ?? Table.Ids[row];

    /// <summary>The same task on some of its images, in the order given.</summary>
    public ProbeTask Only(int[] rows) => new(Definition, Table.Rows(rows), [.. rows.Select(i => Labels[i])], ClassNames, [.. rows.Select(i => frozen[i])]) { Version = Version, Geometry = Geometry };

    /// <summary>The same images with another frozen test part, such as a fold.</summary>
    /// <param name="held">For each image: true when nothing is trained on it.</param>
    public ProbeTask Held(bool[] held) => new(Definition with { Split = SplitKind.Frozen }, Table, Labels, ClassNames, held) { Geometry = Geometry };

    /// <summary>The same images, brought to one size, in other files.</summary>
    /// <param name="paths">File of each row.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    public ProbeTask Brought(string[] paths, int width, int height) => new(Definition, new ImageTable(Table.Name,
        [.. Table.Frame.Columns.Select(c => (c.Name, (IEnumerable<string?>)(c.Name == "image" ? paths : Table.Column(c.Name))))]), Labels, ClassNames, frozen) { Version = Version, Geometry = FormattableString.Invariant($"{width}x{height}") };

    /// <summary>
    /// The split of the protocol. With a frozen test part it is the same for every seed (the probe's own validation part is what a seed changes);
    /// else 85/15 drawn by the seed. Of the original version, the paper's.
    /// </summary>
    /// <exception cref="KitException">A frozen image is in training, a patient or lesion is on both sides, or a part is empty.</exception>
    public Split SplitFor(int seed) => Version == SplitVersion.Original && Definition.Original is not null ? OriginalSplit(seed) : Checked(Definition.Split switch
    {
        SplitKind.Frozen => Splits.FromMask(frozen),
        SplitKind.Patient => Splits.ByPatient(Patients!, Labels, seed),
        _ => Splits.ByPatient(Table.Ids, Labels, seed),
    });

    /// <summary>A training and a validation part among the training images of <see cref="SplitFor"/> alone, to choose settings with: frozen images never move.</summary>
    /// <exception cref="KitException">As <see cref="SplitFor"/>.</exception>
    public Split Redraw(int seed)
    {
        int[] rows = SplitFor(seed).Train;
        Split drawn = Splits.ByPatient([.. rows.Select(i => UnitOf(i))], [.. rows.Select(i => Labels[i])], seed);
        Split within = new([.. drawn.Train.Select(i => rows[i])], [.. drawn.Test.Select(i => rows[i])]);
        return Version == SplitVersion.Original && Definition.Original is not null ? within : Checked(within);
    }

    /// <summary>
    /// The split as the paper drew it, leaks included. Only for a model that has seen none of these images: it puts frozen images into training.
    /// </summary>
    /// <exception cref="KitException">The task declares no original protocol of its own.</exception>
    public Split OriginalSplit(int seed) => Definition.Original switch
    {
        SplitKind.Patient => Splits.ByPatient(Patients!, null, seed),
        SplitKind.Stratified => Splits.ByPatient(Table.Ids, Labels, seed),
        _ => throw new KitException($"Task '{Definition.Name}' declares no original protocol that differs from its own; use SplitFor."),
    };

    /// <summary>The same task with at most so many training and test images, the same ones on every machine: those whose ids hash lowest. For quick runs.</summary>
    /// <param name="train">Most images outside the frozen test part, or of the whole task where a seed draws the split.</param>
    /// <param name="test">Most frozen test images.</param>
    public ProbeTask Limit(int train, int test)
    {
        int[] order = ByHash(), rows = [.. order.Where(i => !frozen[i]).Take(train).Concat(order.Where(i => frozen[i]).Take(test)).Order()];
        return rows.Length == Labels.Length ? this : Only(rows);
    }

    /// <summary>
    /// The same task with fewer images of frequent classes, for quick runs that would lose the rare ones under <see cref="Limit"/>: of the training and of the frozen test
    /// images the rarest class keeps so many, and another the more by the root of how much more frequent it is. The order of the classes by frequency stays, their distances shrink.
    /// </summary>
    /// <param name="fewest">Images that the rarest class of either part keeps, all where it has fewer.</param>
    public ProbeTask Thin(int fewest)
    {
        int[] rows = [.. ByHash().GroupBy(i => frozen[i]).SelectMany(part =>
        {
            IGrouping<int, int>[] classes = [.. part.GroupBy(i => Labels[i])];
            double least = Math.Max(fewest, classes.Min(c => c.Count()));
            return classes.SelectMany(c => c.Take((int)Math.Ceiling(fewest * Math.Max(1, Math.Sqrt(c.Count() / least)))));
        }).Order()];
        return Only(rows);
    }

    private int[] ByHash() => [.. Enumerable.Range(0, Labels.Length).OrderBy(i => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Table.Ids[i]))), StringComparer.Ordinal)];

    private Split Checked(Split split)
    {
        if (split.Train.Length == 0 || split.Test.Length == 0)
            throw new KitException($"Task '{Definition.Name}': {split.Train.Length} training and {split.Test.Length} test images; expected both parts. Give the set a split column or a list in data/splits.");
        string[] leaked = [.. split.Train.Where(i => frozen[i]).Select(i => Table.Ids[i])];
        if (leaked.Length > 0)
            throw new KitException($"Task '{Definition.Name}': {leaked.Length} frozen test images among the training images: {Names.Listed(leaked, 5)}. Declare split 'frozen', or ask for the original protocol by name.");
        Splits.CheckLeaks(Table, split, $"Task '{Definition.Name}'", Definition.Unit);
        return split;
    }
}
