using DermKit.Data;
using DermKit.Evaluation;
using Microsoft.Data.Analysis;
using System.Globalization;
using System.Text;

namespace DermKit.Reporting;

/// <summary>Results as data frames, to be written as CSV and read by any other program.</summary>
public static class Leaderboard
{
    /// <summary>A row for each result: one model, task, probe and seed.</summary>
    public static DataFrame Results(IReadOnlyList<TaskResult> results)
    {
        StringDataFrameColumn Text(string name, Func<TaskResult, string> value) => new(name, results.Select(value));
        PrimitiveDataFrameColumn<double> Number(string name, Func<TaskResult, double?> value) => new(name, results.Select(value));
        PrimitiveDataFrameColumn<int> Whole(string name, Func<TaskResult, int?> value) => new(name, results.Select(value));
        return new(Text("task", r => r.Task), Whole("task_version", r => r.TaskVersion), Text("split", r => r.Split), Text("geometry", r => r.Geometry), Text("model", r => r.Model), Text("features", r => r.Features), Text("probe", r => r.Probe), Whole("seed", r => r.Seed),
            Number("f1", r => Finite(r.Metrics["f1"])), Number("f1_low", r => Finite(r.Intervals["f1"].Low)), Number("f1_high", r => Finite(r.Intervals["f1"].High)),
            Number("balanced_accuracy", r => Finite(r.Metrics["balanced_accuracy"])), Number("auroc", r => Finite(r.Metrics["auroc"])),
            Whole("train_images", r => r.TrainRows), Whole("test_images", r => r.Truth.Length), Whole("test_units", r => r.UnitCount), Whole("k", r => r.K),
            Text("in_pretraining", r => r.InPretraining ? "yes" : "no"), Text("stamp", r => r.BothStamps), Text("note", r => r.Note), Text("weights", r => r.WeightsHash), Text("key", r => r.Key));
    }

    /// <summary>A row for each model, task (or mean of tasks) and probe, seeds averaged, with its difference to the baseline.</summary>
    /// <param name="rows">From <see cref="Comparison"/>.</param>
    public static DataFrame Rows(IReadOnlyList<ComparisonRow> rows)
    {
        StringDataFrameColumn Text(string name, Func<ComparisonRow, string> value) => new(name, rows.Select(value));
        PrimitiveDataFrameColumn<double> Number(string name, Func<ComparisonRow, double?> value) => new(name, rows.Select(r => value(r) is { } v ? Finite(v) : null));
        PrimitiveDataFrameColumn<int> Whole(string name, Func<ComparisonRow, int?> value) => new(name, rows.Select(value));
        return new(Text("task", r => r.Task), Whole("tasks", r => r.Tasks), Text("model", r => r.Model), Text("probe", r => r.Probe), Whole("seeds", r => r.Seeds), Whole("test_units", r => r.Units),
            Number("f1", r => r.Score.Value), Number("f1_low", r => r.Score.Low), Number("f1_high", r => r.Score.High), Number("sd_over_seeds", r => r.SeedSpread),
            Number("minus_baseline", r => r.AgainstBaseline?.Difference.Value), Number("minus_baseline_low", r => r.AgainstBaseline?.Difference.Low), Number("minus_baseline_high", r => r.AgainstBaseline?.Difference.High),
            Number("p_holm", r => r.AdjustedP), Text("stamp", r => r.Stamp), Text("features", r => r.Features),
            Text("p_holm_is_bound", r => r.IsBound ? "yes" : "no"));
    }

    /// <summary>
    /// Writes a frame as CSV in UTF-8 without a byte-order mark, whole or not at all; names may hold commas, quotes
    /// and line ends.
    /// </summary>
    public static void Save(DataFrame frame, string path)
    {
        var text = new StringBuilder();
        void Add(IEnumerable<object?> cells) => text.Append(CsvFile.Line([.. cells.Select(c => Convert.ToString(c,
            CultureInfo.InvariantCulture) ?? "")])).Append('\n');
        Add(frame.Columns.Select(c => c.Name));
        foreach (DataFrameRow row in frame.Rows) Add(row);
        AtomicFile.WriteAllText(path, text.ToString());
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
