using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Parts that take turns as the test part, so that every unit is scored once by a probe that has not seen it.</summary>
public static class CrossFolds
{
    /// <summary>Deals units into folds, class by class (a unit counts for the rarest class among its rows), so that a rare class is spread over them.</summary>
    /// <param name="units">Patient, lesion or image of each row.</param>
    /// <param name="labels">Class of each row.</param>
    /// <param name="folds">Number of folds, 2 or more.</param>
    /// <param name="seed">The same seed gives the same folds, whatever the order of rows.</param>
    /// <returns>Fold of each row, from 0.</returns>
    /// <exception cref="KitException">There are fewer units than folds.</exception>
    public static int[] Assign(IReadOnlyList<string> units, int[] labels, int folds, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(folds, 2);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, units.Count);
        var size = labels.CountBy(l => l).ToDictionary();
        var strata = Enumerable.Range(0, labels.Length).GroupBy(i => units[i], StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
            .GroupBy(g => g.Select(i => labels[i]).MinBy(c => (size[c], c))).OrderBy(s => s.Key);
        var random = new SplitMix64((ulong)seed);
        int[] fold = new int[labels.Length];
        int next = 0;
        foreach (var stratum in strata)
        {
            IGrouping<string, int>[] dealt = [.. stratum];
            random.Shuffle<IGrouping<string, int>>(dealt);
            // Dealing goes on where the class before stopped: folds then differ by one unit at most.
            foreach (var unit in dealt)
            {
                foreach (int i in unit) fold[i] = next % folds;
                next++;
            }
        }
        return next >= folds ? fold : throw new KitException($"Folds: {next} patients, lesions or images for {folds} folds; expected at least one for each.");
    }
}
