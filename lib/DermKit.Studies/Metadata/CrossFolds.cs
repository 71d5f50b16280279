using DermKit.Data;

namespace DermKit.Studies;

/// <summary>Folds that score each unit once, by a probe that was not trained on it.</summary>
internal static class CrossFolds
{
    // Deals units into folds class by class, by the rarest class of each unit, so that rare classes are spread. Folds,
    // from 0, do not depend on the order of rows.
    public static int[] Assign(IReadOnlyList<string> units, int[] labels, int folds, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(folds, 2);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, units.Count);
        var size = labels.CountBy(l => l).ToDictionary();
        var strata = Enumerable.Range(0, labels.Length).GroupBy(i => units[i], StringComparer.Ordinal)
            .OrderBy(g => g.Key, StringComparer.Ordinal)
            .GroupBy(g => g.Select(i => labels[i]).MinBy(c => (size[c], c))).OrderBy(s => s.Key);
        var random = new SplitMix64((ulong)seed);
        int[] fold = new int[labels.Length];
        int next = 0;
        foreach (var stratum in strata)
        {
            IGrouping<string, int>[] dealt = [.. stratum];
            random.Shuffle<IGrouping<string, int>>(dealt);
            // Continues from the previous class: folds then differ by one unit at most.
            foreach (var unit in dealt)
            {
                foreach (int i in unit) fold[i] = next % folds;
                next++;
            }
        }
        return next >= folds ? fold : throw new KitException(
            $"Folds: {next} patients, lesions or images for {folds} folds; expected at least one for each.");
    }
}
