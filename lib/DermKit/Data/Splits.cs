namespace DermKit.Data;

/// <summary>Row numbers of the training and the test part, each ascending.</summary>
public sealed record Split(int[] Train, int[] Test);

/// <summary>Draws and checks splits; a seed gives the same split on every machine.</summary>
internal static class Splits
{
    // Test or validation part in the paper's protocol.
    public const double Share = 0.15;

    // Train and val against test; probes draw their own validation part. Throws if a row has no split.
    public static Split Official(ImageTable table)
    {
        string?[] marks = table.Column("split");
        int wrong = Array.FindIndex(marks, mark => mark is not ("train" or "val" or "test"));
        if (wrong >= 0)
            throw new KitException($"{table.Name}: image '{Printable.Of(table.Ids[wrong])}' has "
                + (marks[wrong] is { } mark ? $"split '{Printable.Of(mark)}'" : "no split")
                + "; expected train, val or test.");
        return FromMask([.. marks.Select(m => m == "test")]);
    }

    // Draws by class, at least one image if it has two; depends on the order of rows.
    public static Split Stratified(int[] labels, int seed, double share = Share) =>
        ByPatient(new string?[labels.Length], labels, seed, share);

    // Draws patients (or lesions). An image without one is a patient known by its row number; give its id where row
    // order must not matter. With labels, draws by the rarest class of a patient's images, so that a rare class is on
    // both sides.
    public static Split ByPatient(string?[] patients, int[]? labels, int seed, double share = Share)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels?.Length ?? patients.Length, patients.Length);
        int[] size = labels is null ? [patients.Length] : new int[labels.DefaultIfEmpty(-1).Max() + 1];
        foreach (int label in labels ?? []) size[label]++;
        // Sorted: the draw depends on who is in the file, not on the order of rows.
        var strata = Enumerable.Range(0, patients.Length)
            .GroupBy(i => patients[i] is { } p ? $"p{p}" : string.Create(CultureInfo.InvariantCulture, $"i{i:D9}"))
            .OrderBy(g => g.Key, StringComparer.Ordinal)
            .GroupBy(g => labels is null ? 0 : g.Select(i => labels[i]).MinBy(c => (size[c], c)))
            .OrderBy(s => s.Key);
        var random = new SplitMix64((ulong)seed);
        var test = new bool[patients.Length];
        foreach (var stratum in strata)
        {
            IGrouping<string, int>[] groups = [.. stratum];
            random.Shuffle<IGrouping<string, int>>(groups);
            int wanted = (int)Math.Round(groups.Length * share, MidpointRounding.AwayFromZero);
            int take = groups.Length < 2 ? 0 : Math.Clamp(wanted, 1, groups.Length - 1);
            foreach (int i in groups.Take(take).SelectMany(g => g)) test[i] = true;
        }
        return FromMask(test);
    }

    public static Split FromMask(bool[] test)
    {
        ILookup<bool, int> rows = Enumerable.Range(0, test.Length).ToLookup(i => test[i]);
        return new([.. rows[false]], [.. rows[true]]);
    }

    // Throws if an image, patient, lesion or value of column unit is in both parts.
    public static void CheckLeaks(ImageTable table, Split split, string where, string? unit = null)
    {
        var leaks = new List<string>();
        foreach (string column in new[] { "image", "patient_id", "lesion_id", unit }.OfType<string>().Distinct()
            .Where(table.Has))
        {
            string?[] values = table.Column(column);
            string[] both = [.. split.Train.Select(i => values[i]).Intersect(split.Test.Select(i => values[i]))
                .OfType<string>().Order(StringComparer.Ordinal)];
            if (both.Length > 0)
                leaks.Add($"{both.Length} {column} on both sides of the split: {Names.Listed(both, 5)}. Split "
                    + $"by {column}, or ask for the original protocol by name.");
        }
        if (leaks.Count > 0) throw new KitException($"{where}: {string.Join(' ', leaks)}");
    }
}
