namespace DermKit.Reporting;

/// <summary>How the scores of a table were computed: number and kind of what was scored, number of seeds, intervals and
/// what they resample; and what is subtracted, how it is paired and how p is corrected.</summary>
public sealed record TableFootnote(string N, string Seeds, string Interval, string Comparison)
{
    // What is resampled; a set has ids of patients, of lesions or none.
    internal const string Units = "test patients, lesions or images";

    /// <summary>All four parts in one line.</summary>
    public override string ToString() =>
        $"n: {N}. Seeds: {Seeds}. Intervals: {Interval}. Comparison: {Comparison}.";

    // The interval of most tables.
    internal static string Bootstrap(string over = Units) =>
        $"95 %, percentile bootstrap over {over}, drawn alike for every seed";

    // A paired difference, such as "linear minus knn"; Holm's correction covers what "over" names.
    // "bounds" explains the sign of upper bounds of p.
    internal static string Paired(string what, string over, bool bounds) =>
        $"{what}, on the same resamples; two-sided p of that "
        + $"bootstrap{(bounds ? " (≤: no resample lies on the other side of 0)" : "")}, Holm over {over}";

    // The number of seeds, as a range where rows differ, and whether scores are averaged over them.
    internal static string Mean(IEnumerable<int> seeds)
    {
        int[] all = [.. seeds.DefaultIfEmpty(0)];
        int least = all.Min();
        int most = all.Max();
        return $"{least}{(least == most ? "" : $" to {most}")}{(most > 1 ? ", averaged" : "")}";
    }
}
