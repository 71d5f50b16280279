namespace DermKit.Studies;

/// <summary>Run summaries of all studies' notebooks.</summary>
public static class StudyReport
{
    // What MeanOver abbreviates.
    internal const string SeenNote = "F1 is the mean over so many tasks; seen: their training images are in "
        + "pre-training data of the kit or a model here.";

    // Name of a mean over tasks, short enough for a column.
    internal static string MeanOver(string mean, int tasks) =>
        $"{tasks} {(mean == Comparison.Inside ? "seen" : "unseen")}";

    /// <summary>Adds data, weights and seeds to the report's footer; returns extraction speeds.</summary>
    public static Table Extraction(SuiteRun run, SuitePlan plan, KitSettings settings)
    {
        NoteProvenance(run, plan, settings);
        return ProbingReport.Rates(run);
    }

    internal static void NoteProvenance(SuiteRun run, SuitePlan plan, KitSettings settings)
    {
        ProbingReport.NoteProvenance(run, settings);
        Provenance.Note("seeds", string.Join(", ", plan.Seeds));
    }

    internal static Interval Mean(double[] values, IReadOnlyList<string> units, int resamples)
    {
        double Weighted(ushort[] weights) => values.Zip(weights, (v, n) => v * n).Sum() / weights.Sum(n => n);
        return Bootstrap.Percentiles(values.Average(), Bootstrap.Over(units, resamples, 1, Weighted));
    }

    internal static string Power(IEnumerable<TestedDifference> differences) =>
        string.Join("; ", differences.Select(d => d.Family).Distinct().Order().Select(m =>
            $"{Tables.Number(Math.Round(DetectableDifference.ErrorsToFind(m), 2))} standard errors, by the normal "
            + $"approximation for Holm's first step over {Tables.Counted(m, "comparison")} at 0.05"));

    internal static string Listed(IEnumerable<BarSeries> series, IReadOnlyList<string> names) =>
        string.Join("; ", series.Select(s =>
            $"{s.Name} {string.Join(", ", names.Select((name, i) => $"{name} {s.Values[i]}"))}"));
}
