using System.Globalization;

namespace DermKit.Data;

/// <summary>Row numbers of the training and the test part, each ascending.</summary>
public sealed record Split(int[] Train, int[] Test);

/// <summary>Draws and checks splits. The same seed gives the same split on every machine.</summary>
public static class Splits
{
    /// <summary>The share that the paper's protocol keeps for the test or validation part.</summary>
    public const double Share = 0.15;

    /// <summary>The set's own split: train and val against test (the probes draw their validation part themselves).</summary>
    /// <exception cref="KitException">A row has no split.</exception>
    public static Split Official(ImageTable table) => FromMarks(table.Name, table.Ids, table.Column("split"));

    /// <summary>Draws a share of each class, at least one image of each class that has two or more; depends on the order of the rows.</summary>
    public static Split Stratified(int[] labels, int seed, double share = Share) =>
        ByPatient(new string?[labels.Length], labels, seed, share);

    /// <summary>
    /// Draws a share of the patients (or lesions); an image without one stands for itself, known by its row number only: give its id instead where the order of rows shall not matter. With labels, patients are drawn class by class,
    /// each patient counting for the rarest class among their images, so that a rare class is on both sides.
    /// </summary>
    public static Split ByPatient(string?[] patients, int[]? labels, int seed, double share = Share)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels?.Length ?? patients.Length, patients.Length);
        int[] size = labels is null ? [patients.Length] : new int[labels.DefaultIfEmpty(-1).Max() + 1];
        foreach (int label in labels ?? []) size[label]++;
        // Patients are put in order by name first: the draw depends on who is in the file, not on the order of its rows (of those with a name).
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
            int take = groups.Length < 2 ? 0 : Math.Clamp((int)Math.Round(groups.Length * share, MidpointRounding.AwayFromZero), 1, groups.Length - 1);
            foreach (int i in groups.Take(take).SelectMany(g => g)) test[i] = true;
        }
        return FromMask(test);
    }

    /// <summary>The split with the marked rows as its test part.</summary>
    public static Split FromMask(bool[] test) =>
        new([.. Enumerable.Range(0, test.Length).Where(i => !test[i])], [.. Enumerable.Range(0, test.Length).Where(i => test[i])]);

    /// <summary>Refuses a split that has an image, a patient or a lesion in both parts.</summary>
    /// <param name="table">The table that the split's rows count in.</param>
    /// <param name="split">The split.</param>
    /// <param name="where">What the split belongs to, for the message.</param>
    /// <param name="unit">A further column whose values must not be in both parts; null for none.</param>
    /// <exception cref="KitException">Names the first that are on both sides.</exception>
    public static void CheckLeaks(ImageTable table, Split split, string where, string? unit = null)
    {
        string?[] columns = ["image", "patient_id", "lesion_id", unit];
        foreach (string column in columns.OfType<string>().Distinct().Where(table.Has))
        {
            string?[] values = table.Column(column);
            string[] both = [.. split.Train.Select(i => values[i]).Intersect(split.Test.Select(i => values[i])).OfType<string>().Order(StringComparer.Ordinal)];
            if (both.Length > 0)
                throw new KitException($"{where}: {both.Length} {column} on both sides of the split: {string.Join(", ", both.Take(5).Select(Printable.Name))}{(both.Length > 5 ? ", ..." : "")}. Split by {column}, or ask for the original protocol by name.");
        }
    }

    private static Split FromMarks(string where, string[] ids, string?[] marks)
    {
        for (int i = 0; i < ids.Length; i++)
            if (marks[i] is not ("train" or "val" or "test"))
                throw new KitException($"{where}: image '{Printable.Name(ids[i])}' has {(marks[i] is null ? "no split" : $"split '{Printable.Name(marks[i])}'")}; expected train, val or test.");
        return FromMask([.. marks.Select(m => m == "test")]);
    }
}
