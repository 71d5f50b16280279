using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Training rows drawn for one size: n of each class.</summary>
/// <param name="PerClass">n.</param>
/// <param name="Repeat">Number of the repeat, from 0.</param>
/// <param name="Rows">Row numbers, ascending.</param>
/// <param name="Seed">For the probe's own validation part; another one for every repeat.</param>
public sealed record LabelDraw(int PerClass, int Repeat, int[] Rows, int Seed);

/// <summary>Draws training rows without replacement, the same number of each class.</summary>
public static class LabelDraws
{
    /// <summary>
    /// One draw for each size that every class can give. The draws of a repeat are nested: the rows of a size are among those of every larger size, as when
    /// a labelled set grows. They depend on the labels in their order, the seed and the repeat, and not on the model, so that models are compared on the same rows.
    /// </summary>
    /// <param name="labels">Class of each training row.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="sizes">Rows of each class.</param>
    /// <param name="seed">Of the protocol.</param>
    /// <param name="repeat">From 0.</param>
    /// <exception cref="KitException">A label is out of range, or a size is below 1.</exception>
    public static IReadOnlyList<LabelDraw> Draw(int[] labels, int classes, IReadOnlyList<int> sizes, int seed, int repeat)
    {
        if (sizes.Any(n => n < 1)) throw new KitException($"Label draw: {sizes.Min()} rows of each class; expected 1 or more.");
        var rows = new List<int>[classes];
        for (int c = 0; c < classes; c++) rows[c] = [];
        for (int i = 0; i < labels.Length; i++)
        {
            if ((uint)labels[i] >= (uint)classes) throw new KitException($"Label draw: row {i} is {labels[i]}; expected 0 to {classes - 1}.");
            rows[labels[i]].Add(i);
        }
        var random = new SplitMix64(((ulong)(uint)seed << 32) + (uint)repeat);
        int probe = (int)(random.Next() >> 33), smallest = rows.Min(r => r.Count);
        int[][] order = [.. rows.Select(r => r.ToArray())];
        foreach (int[] shuffled in order) random.Shuffle<int>(shuffled);
        return [.. sizes.Where(n => n <= smallest).Select(n => new LabelDraw(n, repeat, [.. order.SelectMany(o => o.Take(n)).Order()], probe))];
    }
}
