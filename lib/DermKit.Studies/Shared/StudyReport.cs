using DermKit.Evaluation;
using DermKit.Reporting;

namespace DermKit.Studies;

/// <summary>Run summaries of all studies' notebooks.</summary>
public static class StudyReport
{
    /// <summary>Adds data, weights and seeds to the report's footer; returns extraction speeds.</summary>
    public static Table Extraction(SuiteRun run, SuitePlan plan, KitSettings settings)
    {
        NoteProvenance(run, plan, settings);
        return ProbingReport.Rates(run);
    }

    /// <summary>The unreadable images, or a sentence when there are none.</summary>
    public static object Unreadable(SuiteRun run)
    {
        if (run.Quarantine.Count > 0) return ProbingReport.Quarantine(run);
        int images = run.Tasks.SelectMany(t => t.Table.Paths).Distinct(StringComparer.Ordinal).Count();
        return $"All {images} images could be read.";
    }

    internal static void NoteProvenance(SuiteRun run, SuitePlan plan, KitSettings settings)
    {
        ProbingReport.NoteProvenance(run, settings);
        Provenance.Note("seeds", string.Join(", ", plan.Seeds));
    }

    // Mean over tasks and seeds with a bootstrap interval; null for F1.
    internal static Interval Score(IReadOnlyList<TestRows> rows, Func<ClassCounts, double>? metric, int resamples)
    {
        (double value, double[] resampled) = Bootstrap.Mean(rows, metric, resamples);
        return Bootstrap.Percentiles(value, resampled);
    }

    internal static Interval Mean(double[] values, IReadOnlyList<string> units, int resamples)
    {
        double Weighted(ushort[] weights) => values.Zip(weights, (v, n) => v * n).Sum() / weights.Sum(n => n);
        return Bootstrap.Percentiles(values.Average(), Bootstrap.Over(units, resamples, 1, Weighted));
    }

    internal static string Power(IEnumerable<TestedDifference> differences) =>
        string.Join("; ", differences.Select(d => d.Family).Distinct().Order().Select(m =>
            $"{Tables.Number(Math.Round(DetectableDifference.ErrorsToFind(m), 2))} standard errors, as the "
            + "two-sided test at "
            + $"0.05 with Holm's first step over {m} comparison{(m == 1 ? "" : "s")} asks by the normal "
            + "approximation"));

    internal static string Listed(IEnumerable<BarSeries> series, IReadOnlyList<string> names) =>
        string.Join("; ", series.Select(s =>
            $"{s.Name} {string.Join(", ", names.Select((name, i) => $"{name} {s.Values[i]}"))}"));
}
