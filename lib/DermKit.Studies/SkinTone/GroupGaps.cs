using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>The score within one skin type or group of types, seeds averaged.</summary>
/// <param name="Group">Type or group.</param>
/// <param name="Images">Images of the first seed's rows.</param>
/// <param name="Units">Patients, lesions or images that the intervals resample.</param>
/// <param name="F1">The paper's F1 over the classes that occur in the group; null where there are too few units.</param>
/// <param name="Balanced">Balanced accuracy; null likewise.</param>
public sealed record GroupScore(string Group, int Images, int Units, Interval? F1, Interval? Balanced);

/// <summary>A difference between two groups of skin types.</summary>
/// <param name="First">The lighter group.</param>
/// <param name="Second">The darker group.</param>
/// <param name="FirstUnits">Units of the first.</param>
/// <param name="SecondUnits">Units of the second.</param>
/// <param name="Difference">Score of the first minus score of the second, 95 % interval over units.</param>
/// <param name="P">Two-sided p of the same bootstrap.</param>
/// <param name="StandardError">Standard deviation of the resampled differences.</param>
public sealed record GroupGap(string First, string Second, int FirstUnits, int SecondUnits, Interval Difference, double P, double StandardError)
{
    /// <summary>Number of seeds.</summary>
    public int Seeds { get; init; } = 1;

    /// <summary>See <see cref="PairedDifference.IsBound"/>.</summary>
    public bool IsBound { get; init; }
}

/// <summary>Scores within groups and differences between them, with bootstrap intervals over patients.</summary>
public static class GroupGaps
{
    /// <summary>Scores within each group that has rows.</summary>
    /// <param name="seeds">Rows of one task, part, model and probe, one entry for each seed.</param>
    /// <param name="group">Group of a skin type: the type itself, or <see cref="SkinTypes.Group"/>.</param>
    /// <param name="fewestUnits">Units below which a group is counted and not scored.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static IReadOnlyList<GroupScore> Scores(IReadOnlyList<TypedRows> seeds, Func<string, string> group, int fewestUnits, int resamples = 1000) =>
        [.. seeds.SelectMany(s => s.Types).Select(group).Distinct().OrderBy(Order).Select(name =>
        {
            TestRows[] within = [.. seeds.Select(s => Within(s, t => group(t) == name)).Where(r => r.Truth.Length > 0)];
            int units = within.SelectMany(w => w.Units).Distinct().Count();
            Interval? Of(Func<ClassCounts, double>? metric)
            {
                if (units < fewestUnits) return null;
                (double value, double[] resampled) = Bootstrap.Mean(within, metric, resamples);
                return Bootstrap.Percentiles(value, resampled);
            }
            return new GroupScore(name, within[0].Truth.Length, units, Of(null), Of(c => c.BalancedAccuracy));
        })];

    /// <summary>
    /// Score of the first group minus that of the second. Units are drawn over both groups together, so the interval holds what comes from how many of each a sample happens to have.
    /// With more than two classes, macro F1 over the classes that both groups have.
    /// </summary>
    /// <param name="seeds">Rows of one task, part, model and probe, one entry for each seed.</param>
    /// <param name="first">One of <see cref="SkinTypes.Groups"/>.</param>
    /// <param name="second">Another one.</param>
    /// <param name="fewestUnits">Units that each group must have.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    /// <param name="metric">What is compared; F1 when null.</param>
    /// <returns>Null where a group has too few units, or the two share no class.</returns>
    public static GroupGap? Gap(IReadOnlyList<TypedRows> seeds, string first, string second, int fewestUnits, int resamples = 1000, Func<ClassCounts, double>? metric = null)
    {
        TestRows[] a = [.. seeds.Select(s => Within(s, t => SkinTypes.Group(t) == first))], b = [.. seeds.Select(s => Within(s, t => SkinTypes.Group(t) == second))];
        int Units(TestRows[] rows) => rows.SelectMany(r => r.Units).Distinct().Count();
        if (Units(a) < fewestUnits || Units(b) < fewestUnits) return null;
        int classes = seeds[0].Rows.Classes;
        int[] shared = [.. Enumerable.Range(0, classes).Where(c => a.Any(r => r.Truth.Contains(c)) && b.Any(r => r.Truth.Contains(c)))];
        if (shared.Length == 0 || classes == 2 && !shared.Contains(1)) return null;
        metric ??= counts => F1(counts, shared);
        TestRows[] both = [.. a, .. b];
        double Difference(ushort[] weights)
        {
            double sum = 0;
            int start = 0;
            foreach ((int i, TestRows r) in both.Index())
            {
                ReadOnlySpan<ushort> part = weights.Length == 0 ? default : weights.AsSpan(start, r.Truth.Length);
                start += r.Truth.Length;
                if (r.Truth.Length == 0) continue;
                sum += (i < a.Length ? 1.0 : -1) * metric(ClassCounts.Of(r.Truth, r.Predicted, classes, part)) / (i < a.Length ? a : b).Count(x => x.Truth.Length > 0);
            }
            return sum;
        }
        double[] values = Bootstrap.Over([.. both.SelectMany(r => r.Units)], resamples, 1, Difference);
        PairedDifference gap = PairedDifference.Of(Difference([]), values);
        return new(first, second, Units(a), Units(b), gap.Difference, gap.P, PairedTest.StandardError(values))
        {
            Seeds = seeds.Count,
            IsBound = gap.IsBound,
        };
    }

    // Of two classes the positive one's F1, undefined without a positive row; of more the mean over those that the groups share.
    private static double F1(ClassCounts counts, int[] shared)
    {
        if (counts.Truths.Length == 2) return counts.Truths[1] == 0 ? double.NaN : counts.F1(1);
        double[] each = [.. shared.Where(c => counts.Truths[c] + counts.Calls[c] > 0).Select(c => counts.F1(c))];
        return each.Length == 0 ? double.NaN : each.Average();
    }

    private static TestRows Within(TypedRows rows, Func<string, bool> isIn)
    {
        int[] kept = [.. Enumerable.Range(0, rows.Types.Length).Where(i => isIn(rows.Types[i]))];
        TestRows r = rows.Rows;
        return r with { Units = [.. kept.Select(i => r.Units[i])], Truth = [.. kept.Select(i => r.Truth[i])], Predicted = [.. kept.Select(i => r.Predicted[i])] };
    }

    // I before II before V: groups by their first type.
    private static int Order(string name) => Array.IndexOf(["I", "II", "III", "IV", "V", "VI"], name.Split('-')[0]);
}
