using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>Scores on a part of the test images.</summary>
internal static class SubsetScore
{
    internal static TestRows Rows(TaskResult result, Func<string, bool> isKept)
    {
        int[] kept = [.. Enumerable.Range(0, result.Ids.Length).Where(i => isKept(result.Ids[i]))];
        return result.Rows with
        {
            Units = Array.ConvertAll(kept, i => result.Units[i]),
            Truth = Array.ConvertAll(kept, i => result.Truth[i]),
            Predicted = Array.ConvertAll(kept, i => result.Predicted[i]),
        };
    }

    // Mean over seeds with its 95 % bootstrap interval over units; the metric is F1 when null.
    internal static Estimate Of(TestRows[] seeds, Func<ClassCounts, double>? metric, int resamples)
    {
        (double value, double[] resampled) = Bootstrap.Mean(seeds, metric, resamples);
        return Estimate.Of(Bootstrap.Percentiles(value, resampled));
    }
}
