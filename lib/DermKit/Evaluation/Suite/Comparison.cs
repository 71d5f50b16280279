namespace DermKit.Evaluation;

/// <summary>A model on a task, or on the mean of several, with one probe. Score is the mean over tasks of the mean over
/// seeds, with a 95 % interval over test units. SeedSpread is the standard deviation (n - 1) over seeds; NaN for one
/// seed or where seeds change nothing. AgainstBaseline is the paired difference, or null; AdjustedP is its p after
/// Holm's correction over the <see cref="Family"/>. Stamp covers task, model and baseline.</summary>
public sealed record ComparisonRow(string Model, string Task, string Probe, int Tasks, int Seeds, Interval Score,
    double SeedSpread, PairedDifference? AgainstBaseline, double? AdjustedP, string Stamp)
{
    /// <summary>Test units (patients, lesions or images) over all tasks.</summary>
    public int Units { get; init; }

    /// <summary>Feature variant, for example cls4.</summary>
    public string Features { get; init; } = Comparison.UsualFeatures;

    /// <summary>Whether <see cref="AdjustedP"/> is an upper bound.</summary>
    public bool IsBound { get; init; }

    /// <summary>Number of differences corrected together: all of the table.</summary>
    public int Family { get; init; }

    /// <summary>Model, and feature variant unless it is the usual one.</summary>
    [JsonIgnore]
    public string Name => Comparison.Shown(Model, Features);
}

/// <summary>Tables over results: model x task, and means of tasks inside and outside the pre-training data.</summary>
public static class Comparison
{
    /// <summary>Name of the mean over tasks with training images in the pre-training data of the kit or a compared
    /// model.</summary>
    public const string Inside = "mean, in pre-training data";

    /// <summary>Name of the mean over the other tasks.</summary>
    public const string Outside = "mean, not in pre-training data";

    internal const string UsualFeatures = "cls4";

    // For tables and figures; models are compared by name and variant.
    internal static string Shown(string model, string features) =>
        features == UsualFeatures ? model : $"{model} ({features})";

    /// <summary>A row for each model, task and probe. A null baseline gives no differences, a null metric the paper's
    /// F1; many differences get more resamples.</summary>
    public static IReadOnlyList<ComparisonRow> Table(IEnumerable<TaskResult> results, string? baseline = null,
        Func<ClassCounts, double>? metric = null, int resamples = 1000) =>
        Build(TaskGroups(results), baseline, metric, resamples);

    /// <summary>Means over tasks for each model and probe, apart for tasks inside and outside the pre-training data and
    /// for synthetic and real ones. Leaves out tasks outside of means and those that a model lacks.</summary>
    /// <inheritdoc cref="Table"/>
    public static IReadOnlyList<ComparisonRow> Means(IEnumerable<TaskResult> results, string? baseline = null,
        Func<ClassCounts, double>? metric = null, int resamples = 1000) =>
        Build(MeanGroups([.. results]), baseline, metric, resamples);

    // Means and Table as one family of p. A mean of one task is left out as a repetition.
    internal static IReadOnlyList<ComparisonRow> MeansAndTable(IReadOnlyList<TaskResult> results, string? baseline) =>
        Build([.. MeanGroups(results).Where(g => g.Results.DistinctBy(r => r.Task).Count() > 1),
            .. TaskGroups(results)], baseline, null, 1000);

    // Tasks that a model has seen count as inside for all models.
    internal static IReadOnlySet<string> Seen(IEnumerable<TaskResult> results) => results.Where(r => r.InPretraining)
        .Select(r => r.Task).ToHashSet(StringComparer.Ordinal);

    // Over real data sets.
    internal static (double P, double Sum)? SignedRank(IEnumerable<TaskResult> results, string model, string baseline,
        string probe) => PairedTest.SignedRank([.. SharedTasks(results, probe, [model, baseline])
            .Select(t => (t.DataSet, t.Scores[0], t.Scores[1]))]);

    // Mean rank by model over real data sets that all have; null for too few.
    internal static IReadOnlyDictionary<string, double>? MeanRanks(IEnumerable<TaskResult> results, string probe)
    {
        TaskResult[] all = [.. results];
        string[] models = [.. all.Where(r => IsRanked(r, probe)).Select(r => r.Model).Distinct()];
        double[]? ranks = PairedTest.MeanRanks(SharedTasks(all, probe, models));
        return ranks is null ? null : models.Zip(ranks).ToDictionary(p => p.First, p => p.Second);
    }

    private static bool IsRanked(TaskResult result, string probe) =>
        result.InMeans && result.Probe == probe && result.BothStamps.Length == 0;

    private static (string DataSet, double[] Scores)[] SharedTasks(IEnumerable<TaskResult> results, string probe,
        string[] models)
    {
        TaskResult[] kept = [.. results.Where(r => IsRanked(r, probe))];
        foreach (var model in kept.GroupBy(r => r.Model, r => r.Features))
            if (model.Distinct().Count() > 1)
                throw new KitException($"Ranks over data sets: model '{model.Key}' has results with the features "
                    + $"{string.Join(" and ", model.Distinct())}; compare results of one run.");
        return [.. kept.GroupBy(r => r.Task).Where(t => models.All(m => t.Any(r => r.Model == m))).Select(t =>
            (t.First().DataSet,
                Array.ConvertAll(models, m => t.Where(r => r.Model == m).Average(r => r.Metrics["f1"]))))];
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

    private static IEnumerable<(string Name, TaskResult[] Results)> Groups(string name,
        IEnumerable<TaskResult> results) => results.GroupBy(r => (r.Model, r.Features, r.Probe))
            .Select(g => (name, g.OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Seed).ToArray()));

    private static IReadOnlyList<ComparisonRow> Build(IEnumerable<(string Name, TaskResult[] Results)> groups,
        string? baseline, Func<ClassCounts, double>? metric, int resamples)
    {
        var all = groups.ToArray();
        TaskResult[]?[] others = [.. all.Select(Other)];
        int family = others.Count(o => o is not null), forDifferences = PairedTest.Resamples(resamples, family);
        ComparisonRow[] rows = [.. all.Zip(others, (group, other) =>
        {
            TaskResult first = group.Results[0];
            TestRows[] panels = [.. group.Results.Select(r => r.Rows)];
            return new ComparisonRow(first.Model, group.Name, first.Probe,
                panels.Select(p => p.Task).Distinct().Count(), group.Results.Select(r => r.Seed).Distinct().Count(),
                Bootstrap.MeanInterval(panels, metric, resamples), SeedSpread(group.Results, metric),
                Against(group.Results, other), null, Stamps.Of(group.Results.Concat(other ?? [])))
            {
                Units = Bootstrap.UnitsOf(panels),
                Features = first.Features,
                Family = family,
            };
        })];
        int[] compared = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i].AgainstBaseline is not null)];
        var adjusted = PairedTest.Holm(compared.Select(i => rows[i].AgainstBaseline!));
        foreach ((int i, (double p, bool isBound)) in compared.Zip(adjusted))
            rows[i] = rows[i] with { AdjustedP = p, IsBound = isBound };
        return rows;

        // Of several variants the one with the same features.
        TaskResult[]? Other((string Name, TaskResult[] Results) group)
        {
            TaskResult first = group.Results[0];
            if (baseline is null || first.Model == baseline) return null;
            TaskResult[]? other = all.Where(o => o.Name == group.Name).Select(o => o.Results)
                .Where(r => (r[0].Model, r[0].Probe, r[0].Stamp) == (baseline, first.Probe, first.Stamp))
                .MinBy(r => r[0].Features == first.Features ? 0 : 1);
            return other is null || !Both(group.Results, other).Any() ? null : other;
        }

        PairedDifference? Against(TaskResult[] results, TaskResult[]? other)
        {
            if (other is null) return null;
            var both = Both(results, other).ToArray();
            return PairedTest.Difference([.. both.Select(b => b.Model)], [.. both.Select(b => b.Baseline)], metric,
                forDifferences);
        }

        static IEnumerable<(TestRows Model, TestRows Baseline)> Both(TaskResult[] results, TaskResult[] other) =>
            results.Join(other, r => (r.Task, r.Seed), r => (r.Task, r.Seed), (a, b) => (a.Rows, b.Rows));
    }

    // NaN where a seed changes neither weights, rows nor predictions.
    private static double SeedSpread(TaskResult[] results, Func<ClassCounts, double>? metric)
    {
        bool isFixed = results.GroupBy(r => r.Task).All(task => task.All(r => r.WeightsHash == task.First().WeightsHash
            && r.DataHash == task.First().DataHash && r.Predicted.SequenceEqual(task.First().Predicted)));
        if (isFixed) return double.NaN;
        double[] means = [.. results.GroupBy(r => r.Seed)
            .Select(s => Bootstrap.Mean([.. s.Select(r => r.Rows)], metric, 0).Value)];
        return means.Length < 2 ? double.NaN : PairedTest.StandardError(means);
    }
}
