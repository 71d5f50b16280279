using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Makes the machine part of a published file from a run.</summary>
internal static class Publisher
{
    // The tasks are those of SuiteRun.Open, and rows those of Comparison.MeansAndTable with the plan's baseline.
    public static Publication Of(KitSettings settings, SuitePlan plan, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuiteRun run, IReadOnlyList<ComparisonRow> rows,
        IEnumerable<KeyValuePair<string, string>> provenance, CancellationToken cancellation = default)
    {
        HashSet<string> unreadable = [.. run.Quarantine.Select(q => q.Path)];
        var contents = new ImageContents();
        PublishedTask[] data = [.. tasks.Select(t => Task(t, plan, run, contents.Of(t, cancellation)))];
        Dictionary<string, PublishedSample> samples = tasks.DistinctBy(SetOf).ToDictionary(SetOf,
            t => new PublishedSample(t.Definition.Name, Fingerprint.Sample(t, unreadable)));
        var notes = new Dictionary<string, string>(provenance);
        string[] kits = [.. run.Results.Select(r => r.Kit).Distinct()];
        if (kits is not [var kit] || kit != Probing.Kit) notes["results of"] = string.Join(", ", kits);
        if (unreadable.Count > 0) notes["unreadable images"] = $"{unreadable.Count}";
        return new()
        {
            Settings = PublishedSettings.Of(settings, plan),
            Samples = samples,
            Tasks = data,
            Models = [.. models.Select(m => Model(settings, plan, m, run, tasks, samples, cancellation))],
            Scores = [.. rows.Select(r => Score(r, run, data))],
            Tolerance = PublishedTolerance.Of(plan.Precision),
            Provenance = notes,
        };
    }

    // A hash for each seed, or one for all.
    public static string[] DataOf(ProbeTask task, SuitePlan plan) => Once([.. plan.Seeds.Select(seed =>
    {
        Split split = task.SplitFor(seed);
        return Probing.DataHash(task, split.Train, split.Test);
    })]);

    public static string[] Once(string[] hashes) => hashes.Distinct().Count() == 1 ? [hashes[0]] : hashes;

    // Images in the parts of the first seed, and test units.
    public static (int Train, int Test, int Units) CountsOf(ProbeTask task, SuitePlan plan)
    {
        Split split = task.SplitFor(plan.Seeds[0]);
        return (split.Train.Length, split.Test.Length, split.Test.Select(task.UnitOf).Distinct().Count());
    }

    private static string SetOf(ProbeTask task) => string.Join(" + ", task.Definition.DataSets.Keys);

    private static PublishedTask Task(ProbeTask task, SuitePlan plan, SuiteRun run, string contents)
    {
        TaskDefinition definition = task.Definition;
        (int train, int test, int units) = CountsOf(task, plan);
        string mean = !definition.InMeans ? ""
            : Comparison.Seen(run.Results).Contains(definition.Name) ? Comparison.Inside : Comparison.Outside;
        return new(definition.Name, definition.Version, definition.Title, SetOf(task), definition.Stamp, mean, train,
            test, units, DataOf(task, plan), contents);
    }

    private static PublishedModel Model(KitSettings settings, SuitePlan plan, ModelDefinition model, SuiteRun run,
        IReadOnlyList<ProbeTask> tasks, Dictionary<string, PublishedSample> samples, CancellationToken cancellation)
    {
        TaskResult[] results = [.. run.Results.Where(r => r.Model == model.Name)];
        string[] weights = [.. results.GroupBy(r => r.Seed, r => r.WeightsHash).Select(s => s.First())];
        Dictionary<string, double[][]> numbers = samples.ToDictionary(s => s.Key, s => Fingerprint.Of(settings, plan,
            model, tasks.First(t => t.Definition.Name == s.Value.Task), s.Value.Ids, cancellation));
        return new(model.Name, model.Version, model.Title, model.Stamp, model.Source == "random", results[0].Features,
            Fingerprint.PrecisionOf(model, plan), model.Parameters, Once(weights), numbers);
    }

    private static PublishedScore Score(ComparisonRow row, SuiteRun run, PublishedTask[] tasks)
    {
        HashSet<string> of = row.Tasks == 1 ? [row.Task]
            : [.. tasks.Where(t => t.Mean == row.Task).Select(t => t.Name)];
        IEnumerable<double> seeds = run.Results
            .Where(r => r.Model == row.Model && r.Probe == row.Probe && of.Contains(r.Task))
            .GroupBy(r => r.Seed).Select(s => s.Average(r => r.Metrics["f1"]));
        return new(row.Task, row.Tasks, row.Model, row.Probe, Ends(row.Score), [.. seeds.Select(Rounded)],
            row.AgainstBaseline is { } other ? Ends(other.Difference) : null,
            row.AdjustedP is { } p ? Rounded(p) : null, row.IsBound);

        double[] Ends(Interval interval) =>
            [Rounded(interval.Value), Rounded(interval.Low), Rounded(interval.High)];

        double Rounded(double value) => double.IsFinite(value) ? Math.Round(value, 6)
            : throw new KitException($"F1 of {row.Model}, {row.Probe}, on {row.Task} is not defined and cannot be "
                + "published; take more test images.");
    }
}
