namespace DermKit.Studies;

/// <summary>Results as plain tables for other programs; column names are identifiers.</summary>
public static class Leaderboard
{
    /// <summary>One row for each model, task, probe and seed.</summary>
    public static Table Results(IReadOnlyList<TaskResult> results) => Tables.From("Results", results,
        ("task", r => r.Task),
        ("task_version", r => r.TaskVersion),
        ("split", r => r.Split),
        ("geometry", r => r.Geometry),
        ("model", r => r.Model),
        ("features", r => r.Features),
        ("probe", r => r.Probe),
        ("seed", r => r.Seed),
        ("f1", r => r.Metrics["f1"]),
        ("f1_low", r => r.Intervals["f1"].Low),
        ("f1_high", r => r.Intervals["f1"].High),
        ("balanced_accuracy", r => r.Metrics["balanced_accuracy"]),
        ("auroc", r => r.Metrics["auroc"]),
        ("train_images", r => r.TrainRows),
        ("test_images", r => r.Truth.Length),
        ("test_units", r => r.UnitCount),
        ("k", r => r.K),
        ("in_pretraining", r => r.InPretraining ? "yes" : "no"),
        ("stamp", r => r.BothStamps),
        ("note", r => r.Note),
        ("weights", r => r.WeightsHash),
        ("key", r => r.Key));

    /// <summary>One row for each model, task (or mean of tasks) and probe, averaged over seeds.</summary>
    public static Table Rows(IReadOnlyList<ComparisonRow> rows) => Tables.From("Comparison", rows,
        ("task", r => r.Task),
        ("tasks", r => r.Tasks),
        ("model", r => r.Model),
        ("probe", r => r.Probe),
        ("seeds", r => r.Seeds),
        ("test_units", r => r.Units),
        ("f1", r => r.Score.Value),
        ("f1_low", r => r.Score.Low),
        ("f1_high", r => r.Score.High),
        ("sd_over_seeds", r => r.SeedSpread),
        ("minus_baseline", r => r.AgainstBaseline?.Difference.Value),
        ("minus_baseline_low", r => r.AgainstBaseline?.Difference.Low),
        ("minus_baseline_high", r => r.AgainstBaseline?.Difference.High),
        ("p_holm", r => r.AdjustedP),
        ("stamp", r => r.Stamp),
        ("features", r => r.Features),
        ("p_holm_is_bound", r => r.IsBound ? "yes" : "no"));
}
