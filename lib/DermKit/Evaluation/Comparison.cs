namespace DermKit.Evaluation;

/// <summary>A model on a task (or on the mean of several) with one probe, seeds averaged.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Task">Name of the task, or of the mean.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Tasks">Number of tasks in the mean; 1 for a single task.</param>
/// <param name="Seeds">Number of seeds.</param>
/// <param name="Score">Mean over tasks of the mean over seeds, with a 95 % interval over test units.</param>
/// <param name="SeedSpread">Standard deviation (n - 1) of the score over the seeds; NaN for one seed.</param>
/// <param name="AgainstBaseline">Paired difference to the baseline; null for the baseline itself or where it lacks the task.</param>
/// <param name="AdjustedP">Its p after Holm's correction over the whole table.</param>
/// <param name="Stamp">That of the task, the model and the baseline it is paired with; empty for a finding.</param>
public sealed record ComparisonRow(string Model, string Task, string Probe, int Tasks, int Seeds, Interval Score, double SeedSpread,
    PairedDifference? AgainstBaseline, double? AdjustedP, string Stamp)
{
    /// <summary>Number of test units (patients, lesions or images) that the interval resamples, over all tasks.</summary>
    public int Units { get; init; }
}

/// <summary>Tables over many results: model x task, and means that keep apart what was in the pre-training data.</summary>
public static class Comparison
{
    /// <summary>Name of the mean over tasks whose training images are in the pre-training data of the kit or of a model that is compared.</summary>
    public const string Inside = "mean, in pre-training data";

    /// <summary>Name of the mean over tasks whose images are not.</summary>
    public const string Outside = "mean, not in pre-training data";

    /// <summary>A row for each model, task and probe.</summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Model to take paired differences to; null for none.</param>
    /// <param name="metric">The paper's F1 when null.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static IReadOnlyList<ComparisonRow> Table(IEnumerable<TaskResult> results, string? baseline = null, Func<ClassCounts, double>? metric = null, int resamples = 1000) =>
        Build(results.GroupBy(r => r.Task).SelectMany(g => Groups(g.Key, g)), baseline, metric, resamples);

    /// <summary>
    /// Means over tasks for each model and probe, inside and outside the pre-training data and synthetic and real apart. Tasks that
    /// stay outside of means are left out, and so is every task that not all models of the mean have: a mean over other tasks is no comparison.
    /// </summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Model to take paired differences to; null for none.</param>
    /// <param name="metric">The paper's F1 when null.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static IReadOnlyList<ComparisonRow> Means(IEnumerable<TaskResult> results, string? baseline = null, Func<ClassCounts, double>? metric = null, int resamples = 1000)
    {
        TaskResult[] all = [.. results];
        IReadOnlySet<string> seen = Seen(all);
        return Build(all.Where(r => r.InMeans).GroupBy(r => (IsSeen: seen.Contains(r.Task), r.Stamp, r.Probe)).OrderBy(g => g.Key.IsSeen ? 0 : 1).SelectMany(g =>
        {
            string[] models = [.. g.Select(r => r.Model).Distinct()];
            var shared = g.GroupBy(r => r.Task).Where(t => models.All(m => t.Any(r => r.Model == m))).SelectMany(t => t);
            return Groups(g.Key.IsSeen ? Inside : Outside, shared);
        }), baseline, metric, resamples);
    }

    /// <summary>Tasks that one of the models has seen: they stay together for all, because a mean over other tasks is no comparison.</summary>
    internal static IReadOnlySet<string> Seen(IEnumerable<TaskResult> results) => results.Where(r => r.InPretraining).Select(r => r.Task).ToHashSet(StringComparer.Ordinal);

    /// <summary>Wilcoxon signed-rank test of a model against a baseline over data sets; refused where those are too few or the scores are synthetic.</summary>
    /// <param name="results">Any results; tasks outside of means are left out.</param>
    /// <param name="model">Name of the model.</param>
    /// <param name="baseline">Name of the baseline.</param>
    /// <param name="probe">knn or linear.</param>
    public static SignedRankResult SignedRank(IEnumerable<TaskResult> results, string model, string baseline, string probe)
    {
        var tasks = results.Where(r => r.InMeans && r.Probe == probe && r.Stamp.Length == 0).GroupBy(r => r.Task);
        return PairedTest.SignedRank([.. tasks.Where(t => t.Any(r => r.Model == model) && t.Any(r => r.Model == baseline))
            .Select(t => (t.First().DataSet, t.Where(r => r.Model == model).Average(r => r.Metrics["f1"]), t.Where(r => r.Model == baseline).Average(r => r.Metrics["f1"])))]);
    }

    /// <summary>Mean rank of each model over data sets that all have, with one probe (<see cref="PairedTest.MeanRanks"/>); null where those are too few or the scores are synthetic.</summary>
    /// <param name="results">Any results; tasks outside of means are left out.</param>
    /// <param name="probe">knn or linear.</param>
    public static IReadOnlyDictionary<string, double>? MeanRanks(IEnumerable<TaskResult> results, string probe)
    {
        TaskResult[] all = [.. results.Where(r => r.InMeans && r.Probe == probe && r.BothStamps.Length == 0)];
        string[] models = [.. all.Select(Name).Distinct()];
        var tasks = all.GroupBy(r => r.Task).Where(t => models.All(m => t.Any(r => Name(r) == m)));
        double[]? ranks = PairedTest.MeanRanks([.. tasks.Select(t => (t.First().DataSet, models.Select(m => t.Where(r => Name(r) == m).Average(r => r.Metrics["f1"])).ToArray()))]);
        return ranks is null ? null : models.Zip(ranks).ToDictionary(p => p.First, p => p.Second);
    }

    private static IEnumerable<(string Name, TaskResult[] Results)> Groups(string name, IEnumerable<TaskResult> results) =>
        results.GroupBy(r => (r.Model, r.Features, r.Probe)).Select(g => (name, g.OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Seed).ToArray()));

    private static IReadOnlyList<ComparisonRow> Build(IEnumerable<(string Name, TaskResult[] Results)> groups, string? baseline, Func<ClassCounts, double>? metric, int resamples)
    {
        var all = groups.ToArray();
        ComparisonRow[] rows = [.. all.Select(group =>
        {
            TaskResult first = group.Results[0];
            TestRows[] panels = [.. group.Results.Select(r => r.Rows)];
            (double value, double[] resampled) = Bootstrap.Mean(panels, metric, resamples);
            double[] seeds = [.. group.Results.GroupBy(r => r.Seed).Select(s => Bootstrap.Mean([.. s.Select(r => r.Rows)], metric, 0).Value)];
            return new ComparisonRow(Name(first), group.Name, first.Probe, panels.Select(p => p.Task).Distinct().Count(), seeds.Length,
                Bootstrap.Percentiles(value, resampled), Spread(seeds), Against(group, out string paired), null, Stamps.Join([first.BothStamps, paired]))
            {
                Units = Bootstrap.UnitsOf(panels),
            };
        })];
        double[] adjusted = PairedTest.Holm([.. rows.Where(r => r.AgainstBaseline is not null).Select(r => r.AgainstBaseline!.P)]);
        int next = 0;
        return [.. rows.Select(r => r.AgainstBaseline is null ? r : r with { AdjustedP = adjusted[next++] })];

        PairedDifference? Against((string Name, TaskResult[] Results) group, out string stamp)
        {
            TaskResult first = group.Results[0];
            stamp = "";
            if (baseline is null || first.Model == baseline) return null;
            TaskResult[]? other = all.FirstOrDefault(o => o.Name == group.Name && o.Results[0].Model == baseline && o.Results[0].Probe == first.Probe && o.Results[0].Stamp == first.Stamp).Results;
            if (other is null) return null;
            stamp = other[0].ModelStamp;
            // Only what both were scored on: the same tasks and seeds.
            var both = group.Results.Join(other, r => (r.Task, r.Seed), r => (r.Task, r.Seed), (a, b) => (Model: a.Rows, Baseline: b.Rows)).ToArray();
            return both.Length == 0 ? null : PairedTest.Difference([.. both.Select(b => b.Model)], [.. both.Select(b => b.Baseline)], metric, resamples);
        }
    }

    // The variant is named only where it is not the usual one.
    private static string Name(TaskResult result) => result.Features == "cls4" ? result.Model : $"{result.Model} ({result.Features})";

    private static double Spread(double[] values)
    {
        double mean = values.Average();
        return values.Length < 2 ? double.NaN : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
