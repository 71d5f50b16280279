using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Training rows of one draw, ascending, equally many of each class; the probe's seed differs between
/// repeats.</summary>
public sealed record LabelDraw(int PerClass, int Repeat, int[] Rows, int Seed);

internal static class LabelDraws
{
    // One draw for each size that every class can give, without replacement; each includes the smaller ones. Draws do
    // not depend on the model, so that models are compared on the same rows.
    public static IReadOnlyList<LabelDraw> Draw(int[] labels, int classes, IReadOnlyList<int> sizes, int seed,
        int repeat)
    {
        if (sizes.Any(n => n < 1))
            throw new KitException($"Label draw: {sizes.Min()} rows of each class; expected 1 or more.");
        int wrong = Array.FindIndex(labels, l => (uint)l >= (uint)classes);
        if (wrong >= 0)
            throw new KitException($"Label draw: row {wrong} is {labels[wrong]}; expected 0 to {classes - 1}.");
        var rowsOf = Enumerable.Range(0, labels.Length).ToLookup(i => labels[i]);
        int[][] order = [.. Enumerable.Range(0, classes).Select(c => rowsOf[c].ToArray())];
        int smallest = order.Min(rows => rows.Length);
        var random = new SplitMix64(((ulong)(uint)seed << 32) + (uint)repeat);
        int probeSeed = (int)(random.Next() >> 33);
        foreach (int[] rows in order) random.Shuffle<int>(rows);
        return [.. sizes.Where(n => n <= smallest)
            .Select(n => new LabelDraw(n, repeat, [.. order.SelectMany(o => o.Take(n)).Order()], probeSeed))];
    }
}
