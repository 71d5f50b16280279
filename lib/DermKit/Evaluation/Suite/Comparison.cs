using System.Text.Json.Serialization;

namespace DermKit.Evaluation;

/// <summary>A model on a task (or on the mean of several) with one probe, seeds averaged.</summary>
/// <param name="Model">Name of the model, by which rows are compared; <see cref="Name"/> is for reading.</param>
/// <param name="Task">Name of the task, or of the mean.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Tasks">Number of tasks in the mean; 1 for a single task.</param>
/// <param name="Seeds">Number of seeds.</param>
/// <param name="Score">Mean over tasks of the mean over seeds, with a 95 % interval over test units.</param>
/// <param name="SeedSpread">
/// Standard deviation (n - 1) of the score over the seeds; NaN for one seed, and where no seed changed weights, rows
/// or calls, as of a linear probe of the same weights on a published split.
/// </param>
/// <param name="AgainstBaseline">Paired difference to the baseline; null for the baseline itself or where it lacks the task.</param>
/// <param name="AdjustedP">Its p after Holm's correction over the <see cref="Family"/>.</param>
/// <param name="Stamp">That of the task, the model and the baseline it is paired with; empty for a finding.</param>
public sealed record ComparisonRow(string Model, string Task, string Probe, int Tasks, int Seeds, Interval Score, double SeedSpread,
    PairedDifference? AgainstBaseline, double? AdjustedP, string Stamp)
{
    /// <summary>Number of test units (patients, lesions or images) that the interval resamples, over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Feature variant, for example cls4.</summary>
    public string Features { get; init; } = Comparison.Usual;

    /// <summary>
    /// True where <see cref="AdjustedP"/> is an upper bound (<see cref="PairedDifference.IsBound"/>).
    /// </summary>
    public bool IsBound { get; init; }

    /// <summary>
    /// Number of differences that were corrected together: all of the table that the row was made in.
    /// </summary>
    public int Family { get; init; }

    /// <summary>Model, and feature variant where it is not the usual one.</summary>
    [JsonIgnore]
    public string Name => Comparison.Shown(Model, Features);
}

/// <summary>Tables over many results: model x task, and means that keep apart what was in the pre-training data.</summary>
public static class Comparison
{
    /// <summary>Name of the mean over tasks whose training images are in the pre-training data of the kit or of a model that is compared.</summary>
    public const string Inside = "mean, in pre-training data";

    /// <summary>Name of the mean over tasks whose images are not.</summary>
    public const string Outside = "mean, not in pre-training data";

    /// <summary>The feature variant that names need not say.</summary>
    internal const string Usual = "cls4";

    /// <summary>
    /// A model's name as tables and figures show it. Models are compared by name and variant, never by this.
    /// </summary>
    internal static string Shown(string model, string features) => features == Usual ? model : $"{model} ({features})";

    /// <summary>A row for each model, task and probe.</summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Model to take paired differences to; null for none.</param>
    /// <param name="metric">The paper's F1 when null.</param>
    /// <param name="resamples">
    /// Bootstrap resamples; differences get more where their number needs them (<see cref="PairedTest.Resamples"/>).
    /// </param>
    public static IReadOnlyList<ComparisonRow> Table(IEnumerable<TaskResult> results, string? baseline = null, Func<ClassCounts, double>? metric = null, int resamples = 1000) =>
        Build(TaskGroups(results), baseline, metric, resamples);

    /// <summary>
    /// Means over tasks for each model and probe, inside and outside the pre-training data and synthetic and real apart. Tasks that
    /// stay outside of means are left out, and so is every task that not all models of the mean have: a mean over other tasks is no comparison.
    /// </summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Model to take paired differences to; null for none.</param>
    /// <param name="metric">The paper's F1 when null.</param>
    /// <param name="resamples">
    /// Bootstrap resamples; differences get more where their number needs them (<see cref="PairedTest.Resamples"/>).
    /// </param>
    public static IReadOnlyList<ComparisonRow> Means(IEnumerable<TaskResult> results, string? baseline = null,
        Func<ClassCounts, double>? metric = null, int resamples = 1000) =>
        Build(MeanGroups([.. results]), baseline, metric, resamples);

    /// <summary>
    /// The rows of <see cref="Means"/> and then of <see cref="Table"/> as one table: p is corrected over all of them.
    /// A mean of one task is that task's row, and does not stand there twice.
    /// </summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Model to take paired differences to; null for none.</param>
    public static IReadOnlyList<ComparisonRow> MeansAndTable(IReadOnlyList<TaskResult> results, string? baseline) =>
        Build([.. MeanGroups(results).Where(g => g.Results.DistinctBy(r => r.Task).Count() > 1),
        .. TaskGroups(results)],
            baseline, null, 1000);

    /// <summary>Tasks that one of the models has seen: they stay together for all, because a mean over other tasks is no comparison.</summary>
    internal static IReadOnlySet<string> Seen(IEnumerable<TaskResult> results) => results.Where(r => r.InPretraining).Select(r => r.Task).ToHashSet(StringComparer.Ordinal);

    /// <summary>Wilcoxon signed-rank test of a model against a baseline over data sets; refused where those are too few or the scores are synthetic.</summary>
    /// <param name="results">Any results; tasks outside of means are left out.</param>
    /// <param name="model">Name of the model.</param>
    /// <param name="baseline">Name of the baseline.</param>
    /// <param name="probe">knn or linear.</param>
    /// <exception cref="KitException">A model is there with several feature variants.</exception>
    public static SignedRankResult SignedRank(IEnumerable<TaskResult> results, string model, string baseline, string probe)
    {
        var tasks = Ranked(results, probe).GroupBy(r => r.Task);
        return PairedTest.SignedRank([.. tasks.Where(t => t.Any(r => r.Model == model) && t.Any(r => r.Model == baseline))
            .Select(t => (t.First().DataSet, t.Where(r => r.Model == model).Average(r => r.Metrics["f1"]), t.Where(r => r.Model == baseline).Average(r => r.Metrics["f1"])))]);
    }

    /// <summary>Mean rank of each model over data sets that all have, with one probe (<see cref="PairedTest.MeanRanks"/>); null where those are too few or the scores are synthetic.</summary>
    /// <param name="results">Any results; tasks outside of means are left out.</param>
    /// <param name="probe">knn or linear.</param>
    /// <returns>By name of the model.</returns>
    /// <exception cref="KitException">A model is there with several feature variants.</exception>
    public static IReadOnlyDictionary<string, double>? MeanRanks(IEnumerable<TaskResult> results, string probe)
    {
        TaskResult[] all = Ranked(results, probe);
        string[] models = [.. all.Select(r => r.Model).Distinct()];
        double Score(IEnumerable<TaskResult> task, string model) =>
            task.Where(r => r.Model == model).Average(r => r.Metrics["f1"]);
        var tasks = all.GroupBy(r => r.Task).Where(t => models.All(m => t.Any(r => r.Model == m)));
        double[]? ranks = PairedTest.MeanRanks([.. tasks
            .Select(t => (t.First().DataSet, models.Select(m => Score(t, m)).ToArray()))]);
        return ranks is null ? null : models.Zip(ranks).ToDictionary(p => p.First, p => p.Second);
    }

    // What ranks and the signed-rank test are about: real scores that count in means, each model with one kind of
    // features.
    private static TaskResult[] Ranked(IEnumerable<TaskResult> results, string probe)
    {
        TaskResult[] kept = [.. results.Where(r => r.InMeans && r.Probe == probe && r.BothStamps.Length == 0)];
        foreach (var model in kept.GroupBy(r => r.Model))
        {
            string[] variants = [.. model.Select(r => r.Features).Distinct()];
            if (variants.Length > 1)
                throw new KitException($"Ranks over data sets: model '{model.Key}' is there with the features "
                    + $"{string.Join(" and ", variants)}; compare results of one run.");
        }
        return kept;
    }

    private static IEnumerable<(string Name, TaskResult[] Results)> TaskGroups(IEnumerable<TaskResult> results) =>
        results.GroupBy(r => r.Task).SelectMany(g => Groups(g.Key, g));

    private static IEnumerable<(string Name, TaskResult[] Results)> MeanGroups(IReadOnlyList<TaskResult> all)
    {
        IReadOnlySet<string> seen = Seen(all);
        var means = all.Where(r => r.InMeans).GroupBy(r => (IsSeen: seen.Contains(r.Task), r.Stamp, r.Probe));
        return means.OrderBy(g => g.Key.IsSeen ? 0 : 1).SelectMany(g =>
        {
            string[] models = [.. g.Select(r => r.Model).Distinct()];
            var shared = g.GroupBy(r => r.Task).Where(t => models.All(m => t.Any(r => r.Model == m)));
            return Groups(g.Key.IsSeen ? Inside : Outside, shared.SelectMany(t => t));
        });
    }

    private static IEnumerable<(string Name, TaskResult[] Results)> Groups(string name, IEnumerable<TaskResult> results) =>
        results.GroupBy(r => (r.Model, r.Features, r.Probe)).Select(g => (name, g.OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Seed).ToArray()));

    private static IReadOnlyList<ComparisonRow> Build(IEnumerable<(string Name, TaskResult[] Results)> groups, string? baseline, Func<ClassCounts, double>? metric, int resamples)
    {
        var all = groups.ToArray();
        TaskResult[]?[] others = [.. all.Select(Other)];
        int family = others.Count(o => o is not null), forDifferences = PairedTest.Resamples(resamples, family);
        ComparisonRow[] rows = [.. all.Zip(others, (group, other) =>
        {
            TaskResult first = group.Results[0];
            TestRows[] panels = [.. group.Results.Select(r => r.Rows)];
            (double value, double[] resampled) = Bootstrap.Mean(panels, metric, resamples);
            string stamp = Stamps.Join(group.Results.Concat(other ?? []).Select(r => r.BothStamps));
            return new ComparisonRow(first.Model, group.Name, first.Probe,
                panels.Select(p => p.Task).Distinct().Count(), group.Results.Select(r => r.Seed).Distinct().Count(),
                Bootstrap.Percentiles(value, resampled), SeedSpread(group.Results, metric),
                Against(group.Results, other), null, stamp)
            {
                Units = Bootstrap.UnitsOf(panels),
                Features = first.Features,
                Family = family,
            };
        })];
        int[] compared = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i].AgainstBaseline is not null)];
        var adjusted = PairedTest.Holm(compared.Select(i => rows[i].AgainstBaseline!));
        foreach ((int i, (double P, bool IsBound) own) in compared.Zip(adjusted))
            rows[i] = rows[i] with { AdjustedP = own.P, IsBound = own.IsBound };
        return rows;

        // The baseline's results in the same place: of its variants the one with the same features, where it has
        // several.
        TaskResult[]? Other((string Name, TaskResult[] Results) group)
        {
            TaskResult first = group.Results[0];
            if (baseline is null || first.Model == baseline) return null;
            var same = all.Where(o => o.Name == group.Name && o.Results[0].Model == baseline
                && o.Results[0].Probe == first.Probe && o.Results[0].Stamp == first.Stamp);
            TaskResult[]? other = same.OrderBy(o => o.Results[0].Features == first.Features ? 0 : 1)
                .FirstOrDefault().Results;
            return other is null || !Both(group.Results, other).Any() ? null : other;
        }

        PairedDifference? Against(TaskResult[] results, TaskResult[]? other)
        {
            if (other is null) return null;
            var both = Both(results, other).ToArray();
            return PairedTest.Difference([.. both.Select(b => b.Model)], [.. both.Select(b => b.Baseline)], metric,
                forDifferences);
        }

        // Only what both were scored on: the same tasks and seeds.
        static IEnumerable<(TestRows Model, TestRows Baseline)> Both(TaskResult[] results, TaskResult[] other) =>
            results.Join(other, r => (r.Task, r.Seed), r => (r.Task, r.Seed), (a, b) => (a.Rows, b.Rows));
    }

    // A seed that changes neither weights nor rows nor calls has changed nothing: that is no spread of 0, there is none
    // to measure.
    private static double SeedSpread(TaskResult[] results, Func<ClassCounts, double>? metric)
    {
        bool fixedOutcome = results.GroupBy(r => r.Task)
            .All(task => task.All(r => r.WeightsHash == task.First().WeightsHash
            && r.DataHash == task.First().DataHash && r.Predicted.SequenceEqual(task.First().Predicted)));
        if (fixedOutcome) return double.NaN;
        return Spread([.. results.GroupBy(r => r.Seed)
            .Select(s => Bootstrap.Mean([.. s.Select(r => r.Rows)], metric, 0).Value)]);
    }

    private static double Spread(double[] values)
    {
        double mean = values.Average();
        return values.Length < 2 ? double.NaN : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
