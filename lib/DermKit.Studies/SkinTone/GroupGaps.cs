namespace DermKit.Studies;

/// <summary>Mean score over seeds of a skin type or group; null with too few units.</summary>
public sealed record GroupScore(string Group, int Images, int Units, Interval? F1, Interval? Balanced);

/// <summary>Lighter minus darker group of skin types on the same resamples. Rows are the first seed's.</summary>
public sealed record GroupGap(TypedRows Rows, string First, string Second, int FirstUnits, int SecondUnits, int Seeds,
    string Stamp) : TestedDifference
{
    /// <summary>Name of the task.</summary>
    public string Task => Rows.Rows.Task;

    /// <summary>Part of the task.</summary>
    public string Part => Rows.Part;

    /// <summary>Name of the model.</summary>
    public string Model => Rows.Model;

    /// <summary>knn or linear.</summary>
    public string Probe => Rows.Probe;
}

/// <summary>Scores of skin type groups and their differences, with bootstrap intervals over patients.</summary>
public static class GroupGaps
{
    /// <summary>Scores of each group, a type or pair, that has rows, from one entry for each seed. Groups with fewer
    /// units are only counted.</summary>
    public static IReadOnlyList<GroupScore> Scores(IReadOnlyList<TypedRows> seeds, Func<string, string> group,
        int fewestUnits, int resamples = 1000)
    {
        IEnumerable<string> groups = seeds.SelectMany(s => s.Types).Select(group).Distinct();
        return [.. groups.OrderBy(SkinTypes.Order).Select(Score)];

        GroupScore Score(string name)
        {
            IEnumerable<TestRows> all = seeds.Select(s => s.Within(t => group(t) == name));
            TestRows[] within = [.. all.Where(r => r.Truth.Length > 0)];
            int units = Units(within);
            Interval? Of(Func<ClassCounts, double>? metric) =>
                units < fewestUnits ? null : Bootstrap.MeanInterval(within, metric, resamples);
            return new(name, within[0].Truth.Length, units, Of(null), Of(c => c.BalancedAccuracy));
        }
    }

    /// <summary>First group minus second; null if one has too few units or they share no class. Units are drawn over
    /// both together, so intervals include the chance of their share. By default F1, macro over shared classes if the
    /// task has more than two.</summary>
    public static GroupGap? Gap(IReadOnlyList<TypedRows> seeds, string first, string second, int fewestUnits,
        int resamples = 1000, Func<ClassCounts, double>? metric = null)
    {
        TestRows[] a = [.. seeds.Select(s => s.Within(t => SkinTypes.Group(t) == first))];
        TestRows[] b = [.. seeds.Select(s => s.Within(t => SkinTypes.Group(t) == second))];
        if (Units(a) < fewestUnits || Units(b) < fewestUnits) return null;
        int classes = seeds[0].Rows.Classes;
        bool Has(TestRows[] rows, int c) => rows.Any(r => r.Truth.Contains(c));
        int[] shared = [.. Enumerable.Range(0, classes).Where(c => Has(a, c) && Has(b, c))];
        if (shared.Length == 0 || classes == 2 && !shared.Contains(1)) return null;
        metric ??= counts => F1(counts, shared);
        TestRows[] both = [.. a, .. b];
        int seedsOfA = a.Count(x => x.Truth.Length > 0);
        int seedsOfB = b.Count(x => x.Truth.Length > 0);
        double Difference(ushort[] weights)
        {
            double sum = 0;
            int start = 0;
            foreach ((int i, TestRows r) in both.Index())
            {
                ReadOnlySpan<ushort> part = weights.Length == 0 ? default : weights.AsSpan(start, r.Truth.Length);
                start += r.Truth.Length;
                if (r.Truth.Length == 0) continue;
                double score = metric(ClassCounts.Of(r.Truth, r.Predicted, classes, part));
                sum += i < a.Length ? score / seedsOfA : -score / seedsOfB;
            }
            return sum;
        }
        double[] values = Bootstrap.Over([.. both.SelectMany(r => r.Units)], resamples, 1, Difference);
        string stamp = Stamps.Join(seeds.Select(s => s.Stamp));
        return new(seeds[0], first, second, Units(a), Units(b), seeds.Count, stamp)
        {
            Difference = PairedDifference.Of(Difference([]), values),
            StandardError = PairedTest.StandardError(values),
        };
    }

    private static int Units(TestRows[] rows) => rows.SelectMany(r => r.Units).Distinct().Count();

    // Two classes: F1 of the positive one, undefined without a positive row; else the mean over shared classes.
    private static double F1(ClassCounts counts, int[] shared)
    {
        if (counts.Truths.Length == 2) return counts.Truths[1] == 0 ? double.NaN : counts.F1(1);
        IEnumerable<int> present = shared.Where(c => counts.Truths[c] + counts.Calls[c] > 0);
        return present.Select(c => counts.F1(c)).DefaultIfEmpty(double.NaN).Average();
    }
}
