namespace DermKit.Reporting;

/// <summary>What the numbers of a score table rest on; it stands first under the table, so that no score is read without it.</summary>
/// <param name="N">How many of what was scored.</param>
/// <param name="Seeds">How many, and whether scores are their means.</param>
/// <param name="Interval">Level, kind, and what is resampled.</param>
/// <param name="Comparison">What is taken off what, how it is paired and how p is corrected; or why there is none.</param>
public sealed record Basis(string N, string Seeds, string Interval, string Comparison)
{
    /// <summary>What is resampled where a set may have ids of patients, of lesions or none.</summary>
    internal const string Units = "test patients, lesions or images";

    /// <summary>The usual interval.</summary>
    /// <param name="over">What is resampled.</param>
    internal static string Bootstrap(string over = Units) => $"95 %, percentile bootstrap over {over}, drawn alike for every seed";

    /// <summary>A paired difference and its correction.</summary>
    /// <param name="what">Such as "linear minus knn".</param>
    /// <param name="over">What Holm's correction goes over.</param>
    /// <param name="bounds">Whether one of the p is an upper bound, which is then explained.</param>
    internal static string Paired(string what, string over, bool bounds) =>
        $"{what}, on the same resamples; two-sided p of that bootstrap"
        + $"{(bounds ? " (≤: no resample lies on the other side of 0)" : "")}, Holm over {over}";

    /// <summary>Numbers of seeds, the least and the most where rows differ, and that scores are their means.</summary>
    internal static string Mean(IEnumerable<int> seeds)
    {
        int[] all = [.. seeds.DefaultIfEmpty(0)];
        (int least, int most) = (all.Min(), all.Max());
        return $"{least}{(least == most ? "" : $" to {most}")}{(most > 1 ? ", averaged" : "")}";
    }

    /// <summary>All four in one line.</summary>
    public override string ToString() => $"n: {N}. Seeds: {Seeds}. Intervals: {Interval}. Comparison: {Comparison}.";
}
