using static System.FormattableString;

namespace DermKit.Evaluation;

internal enum PublishedOutcome
{
    Pass,
    Fail,

    // Data or weights are not here.
    Skip,
}

/// <summary>A line of <see cref="Verification"/>. IsArithmetic needs neither data nor weights.</summary>
internal sealed record PublishedCheck(PublishedOutcome Outcome, string What, string Found, bool IsArithmetic = false)
{
    public static PublishedCheck Of(bool holds, string what, string found) =>
        new(holds ? PublishedOutcome.Pass : PublishedOutcome.Fail, what, found);

    public static PublishedCheck Skipped(string what, string found) => new(PublishedOutcome.Skip, what, found);
}

/// <summary>Checks a published run with the data and weights that are here.</summary>
internal sealed class Verification(KitSettings settings, Publication published)
{
    // Half of the last digit of a mean and of its parts.
    private const double Rounding = 2e-6;

    private readonly SuitePlan plan = published.Settings.Plan();
    private readonly Dictionary<string, ProbeTask> tasks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ModelDefinition> models = new(StringComparer.Ordinal);

    private string Data => Path.Combine(settings.Root, "data");

    // Without a probe: sums, labels, image files, weights and fingerprints.
    public IEnumerable<PublishedCheck> Sampled(CancellationToken cancellation = default)
    {
        yield return Sums();
        TaskSuite suite = TaskSuite.Load(Data);
        var contents = new ImageContents();
        foreach (PublishedTask task in published.Tasks)
        {
            yield return Guarded($"labels of {task.Name}", what => Labels(what, suite, task));
            if (tasks.TryGetValue(task.Name, out ProbeTask? open))
                yield return Guarded($"images of {task.Name}",
                    what => Images(what, task, contents.Of(open, cancellation)));
        }
        ModelRegistry registry = ModelRegistry.Load(Data);
        foreach (PublishedModel model in published.Models)
        {
            yield return Guarded($"weights of {model.Name}", what => Weights(what, registry, model));
            if (!models.TryGetValue(model.Name, out ModelDefinition? here)) continue;
            foreach ((string set, double[][] numbers) in model.Fingerprint)
                if (tasks.TryGetValue(published.Samples[set].Task, out ProbeTask? task))
                    yield return Guarded($"features of {model.Name} on {set}",
                        what => Features(what, here, task, published.Samples[set].Ids, numbers, cancellation));
        }
    }

    // After Sampled: scores again what it found here, of these names (null: all), and stores nothing.
    public IEnumerable<PublishedCheck> Full(string[]? taskNames = null, string[]? modelNames = null,
        double? tolerance = null, CancellationToken cancellation = default)
    {
        ProbeTask[] chosen = [.. Named("task", taskNames, published.Tasks.Select(t => t.Name))
            .Where(tasks.ContainsKey).Select(t => tasks[t])];
        ModelDefinition[] definitions = [.. Named("model", modelNames, published.Models.Select(m => m.Name))
            .Where(models.ContainsKey).Select(m => models[m])];
        if (chosen.Length == 0 || definitions.Length == 0) yield break;
        bool isWhole = chosen.Length == published.Tasks.Length && definitions.Length == published.Models.Length;
        SuiteRun run = SuiteRun.Run(settings, chosen, definitions, plan with { IsFresh = true },
            cancellation: cancellation);
        // Means and differences need all rows; else they follow from the scores (Sums).
        IReadOnlyList<ComparisonRow> rows = isWhole ? Comparison.MeansAndTable(run.Results, plan.Baseline)
            : Comparison.Table(run.Results);
        double most = tolerance ?? published.Tolerance.F1;
        foreach (ComparisonRow row in rows)
        {
            string what = $"F1 of {row.Model}, {row.Probe}, on {row.Task}";
            PublishedScore? old = published.Score(row.Task, row.Model, row.Probe);
            if (old is null)
            {
                yield return PublishedCheck.Of(false, what, "the file has no such score; publish the run again.");
                continue;
            }
            double[] difference = isWhole && row.AgainstBaseline is { } d ? Ends(d.Difference) : [];
            double[] found = [.. Ends(row.Score), .. difference];
            double far = found.Zip(old.Numbers, (a, b) => Math.Abs(a - b)).Max();
            string parts = difference.Length > 0 ? "interval and difference" : "interval";
            yield return PublishedCheck.Of(far <= most, what,
                Invariant($"{row.Score.Value:0.000} here, {old.F1[0]:0.000} published; with {parts} at most ")
                + Invariant($"{far:0.0000} apart (tolerance {most})"));
        }
    }

    private static double[] Ends(Interval interval) => [interval.Value, interval.Low, interval.High];

    private static string[] Named(string what, string[]? names, IEnumerable<string> known)
    {
        string[] all = [.. known];
        if (names?.FirstOrDefault(n => !all.Contains(n)) is { } other)
            throw KitException.Unknown($"The published run: {what}", other, all);
        return names ?? all;
    }

    private static PublishedCheck Guarded(string what, Func<string, PublishedCheck> check)
    {
        try
        {
            return check(what);
        }
        catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
        {
            return PublishedCheck.Of(false, what, e.Message);
        }
    }

    // Every score is the mean of its seeds, every mean that of its tasks, every difference one of two scores.
    private PublishedCheck Sums()
    {
        // Tasks first: a mean is wrong where one of them is.
        foreach (PublishedScore score in published.Scores.OrderBy(s => s.Tasks))
        {
            double value = score.F1[0];
            (string Of, double Sum)? wrong = Differs(value, score.Seeds.Average()) ? ("F1", score.Seeds.Average())
                : score.Tasks > 1 && MeanOf(score) is var mean && Differs(value, mean) ? ("mean", mean)
                : score.Difference is { } d && LessBaseline(score) is var less && Differs(d[0], less)
                    ? ("difference", less) : null;
            if (wrong is var (of, sum))
                return new(PublishedOutcome.Fail, "sums", Invariant($"the {of} of {score.Model}, {score.Probe}, on ")
                    + Invariant($"{score.Task} is not what the file's other numbers give, {sum:0.000000}: a number of ")
                    + "the file was changed; publish the run again.", IsArithmetic: true);
        }
        return new(PublishedOutcome.Pass, "sums", $"{published.Scores.Length} scores are the means of their seeds and "
            + "tasks, and differences those of scores", IsArithmetic: true);

        static bool Differs(double a, double b) => !(Math.Abs(a - b) <= Rounding);

        double MeanOf(PublishedScore score) => published.Tasks.Where(t => t.Mean == score.Task)
            .Select(t => published.Score(t.Name, score.Model, score.Probe)?.F1[0] ?? double.NaN)
            .DefaultIfEmpty(double.NaN).Average();

        double LessBaseline(PublishedScore score) => score.F1[0]
            - published.Score(score.Task, published.Settings.Baseline, score.Probe)?.F1[0] ?? double.NaN;
    }

    private PublishedCheck Labels(string what, TaskSuite suite, PublishedTask task)
    {
        TaskDefinition definition = suite[task.Name];
        if (definition.Version != task.Version)
            return PublishedCheck.Of(false, what,
                $"version {definition.Version} here, {task.Version} published; publish the run again.");
        if (TaskSuite.Missing(definition, settings) is { } missing) return PublishedCheck.Skipped(what, missing);
        ProbeTask open = SuiteRun.Open(settings, suite, plan with { Tasks = [task.Name] })[0];
        tasks[task.Name] = open;
        string[] found = Publisher.DataOf(open, plan);
        string counts = $"{task.TrainRows} training and {task.TestRows} test images of {task.Units} units";
        bool holds = found.SequenceEqual(task.Data)
            && Publisher.CountsOf(open, plan) == (task.TrainRows, task.TestRows, task.Units);
        return PublishedCheck.Of(holds, what, holds ? counts : "ids, labels, units or split are not the published "
            + $"{counts}: hash {found[0]}, published {task.Data[0]}; kit data check compares the set with its "
            + "manifest.");
    }

    private static PublishedCheck Images(string what, PublishedTask task, string found)
    {
        if (found == task.Images) return PublishedCheck.Of(true, what, "the published files, byte by byte");
        return task.IsDrawn
            ? PublishedCheck.Skipped(what, "drawn on this machine, with other bytes; the features decide")
            : PublishedCheck.Of(false, what, $"SHA-256 of the files is {found}, published {task.Images}: images were "
                + "changed or come from another copy; take the set from its source (kit data card names it).");
    }

    private PublishedCheck Weights(string what, ModelRegistry registry, PublishedModel model)
    {
        if (registry.Models.FirstOrDefault(m => m.Name == model.Name) is not { } here)
            return PublishedCheck.Skipped(what, $"no model {model.Name} here; put its weights file into data/weights.");
        if (here.Missing is { } missing) return PublishedCheck.Skipped(what, missing);
        if ((here.Version, here.Parameters) != (model.Version, model.Parameters))
            return PublishedCheck.Of(false, what, $"version {here.Version} of {here.Parameters} parameters here, "
                + $"{model.Version} of {model.Parameters} published; publish the run again.");
        string[] found = Publisher.Once(Fingerprint.Weights(here, plan));
        bool holds = found.SequenceEqual(model.Weights);
        if (holds || model.IsDrawn) models[model.Name] = here;
        if (holds || !model.IsDrawn)
            return PublishedCheck.Of(holds, what, $"SHA-256 {found[0]}"
                + (holds ? "" : $", published {model.Weights[0]}: other weights; take the published file."));
        return PublishedCheck.Skipped(what, "drawn on this machine, with other rounding; the features decide");
    }

    private PublishedCheck Features(string what, ModelDefinition model, ProbeTask task, string[] ids,
        double[][] numbers, CancellationToken cancellation)
    {
        double[][] found = Fingerprint.Of(settings, plan, model, task, ids, cancellation);
        double far = found.Zip(numbers, (a, b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max()).Max();
        double most = published.Tolerance.Features;
        return PublishedCheck.Of(far <= most, what,
            Invariant($"{ids.Length} images, at most {far:0.00000} apart (tolerance {most})"));
    }
}
