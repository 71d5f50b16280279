using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Tables and figures of networks that are trained whole, beside their frozen probes.</summary>
public static class FineTuningReport
{
    /// <summary>The numbers that decide a run.</summary>
    public static Table Settings(FineTuningPlan plan, KitSettings settings) => Tables.From("This run", new (string Setting, string Value)[]
    {
        ("Mode", $"{settings.Mode}"), ("Device", settings.Device), ("Pre-trained, random", $"{plan.Model}, {plan.Scratch}"), ("Most training and test images", plan.Suite.Most),
        ("Seeds", string.Join(", ", plan.Suite.Seeds)), ("Images brought to", plan.Suite.ImageSize), ("Image side", $"{plan.Options.Side} px"), ("Epochs, warm-up", FormattableString.Invariant($"{plan.Options.Epochs}, {plan.Options.WarmupEpochs}")), ("Batch", $"{plan.Options.Batch}"),
        ("Peak learning rate of the head", FormattableString.Invariant($"{plan.Options.BaseLearningRate * plan.Options.Batch / 256:g3}")), ("Layer decay", FormattableString.Invariant($"{plan.Options.LayerDecay}")),
        ("Head starts as", plan.Options.HeadFromProbe ? "the frozen probe" : "zeros"), ("Class weights", plan.Options.Balanced ? "balanced" : "none"), ("Precision", plan.Options.Precision),
    }, ("Setting", r => r.Setting), ("Value", r => r.Value));

    /// <summary>F1 of every arm, and its paired difference to the frozen probe of the model in question.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static Table Scores(FineTuningRun run, int resamples = 1000)
    {
        IReadOnlyList<ComparisonRow> rows = Rows(run, null, resamples), balanced = Rows(run, c => c.BalancedAccuracy, resamples);
        ComparisonRow[] tuned = [.. rows.Where(r => r.Model == run.Plan.Arms[1].Name)];
        ComparisonRow[] shown = [.. tuned.Where(r => r.AdjustedP < 0.05)];
        int above = shown.Count(r => r.AgainstBaseline!.Difference.Value > 0);
        string stamp = Stamps.Join(rows.Select(r => r.Stamp));
        string gains = string.Join("; ", tuned.Select(r =>
            $"{Tables.Interval(r.AgainstBaseline!.Difference)} (p {Tables.P(r.AdjustedP, r.IsBound)}) on {r.Task} "
            + $"({r.Units} test patients, lesions or images)"));
        return Tables.From("Frozen and fine-tuned", rows.Zip(balanced),
            ("Task (n)", r => $"{r.First.Task} ({r.First.Units})"), ("Arm", r => r.First.Model),
            ("F1 [95 %]", r => Tables.Interval(r.First.Score)),
            ("Minus frozen [95 %]", r => r.First.AgainstBaseline is { } d ? Tables.Interval(d.Difference) : "–"),
            ("p (Holm)", r => Tables.P(r.First.AdjustedP, r.First.IsBound)),
            ("Balanced accuracy [95 %]", r => Tables.Interval(r.Second.Score)), ("SD of F1", r => r.First.SeedSpread)) with
        {
            Stamp = stamp,
            Headline = $"{Stamps.Bracket(stamp)}{run.Plan.Model} fine-tuned, minus its frozen probe: F1 {gains}. "
                + "Fine-tuning had 85 % of the probe's training images. "
                + $"After Holm's correction over the {rows[0].Family} differences of all arms: above on {above}, "
                + $"below on {shown.Length - above} of {tuned.Length} tasks.",
            Basis = new($"{Basis.Units}, with each task", Basis.Mean(rows.Select(r => r.Seeds)), Basis.Bootstrap(),
                Basis.Paired($"each arm minus {run.Plan.Arms[0].Name}", $"the {rows[0].Family} differences",
                rows.Any(r => r.IsBound))),
            Note = $"Pre-trained: {run.Plan.Model}; random: {run.Plan.Scratch}. Frozen: the linear probe on all "
                + $"training images, at the same {run.Plan.Options.Side} pixels. Fine-tuning is trained on 85 % of "
                + "those images and chooses its epoch on the rest. SD is over seeds; –: no seed changes the outcome. "
                + "F1 is macro with more than two classes.",
        };
    }

    /// <summary>F1 of every arm on every task.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static BarFigure Figure(FineTuningRun run, int resamples = 1000)
    {
        IReadOnlyList<ComparisonRow> rows = Rows(run, null, resamples);
        string[] tasks = [.. rows.Select(r => r.Task).Distinct()];
        BarSeries[] series = [.. run.Plan.Arms.Select(arm => new BarSeries(arm.Name, [.. tasks.Select(task => Estimate.Of(rows.Single(r => r.Task == task && r.Model == arm.Name).Score))]))];
        return new("fine-tuning", "Frozen and fine-tuned", $"Means over {Seeds(run)}; bars are 95 % bootstrap intervals over test patients, lesions or images. The arms are scored on the same test images, so overlapping bars do not settle a difference: the table pairs them.",
            $"Points with intervals for {series.Length} arms on {tasks.Length} tasks: {string.Join("; ", rows.Select(r => $"{r.Task}, {r.Model} {Tables.Interval(r.Score)}"))}.", tasks, series, "Task", "F1 (0-1)")
        { Points = true, Horizontal = true, Range = (0, 1), Stamp = Stamps.Join(rows.Select(r => r.Stamp)) };
    }

    /// <summary>Loss over the epochs of every trained arm, one figure for each task: mean over seeds in a band from the lowest to the highest.</summary>
    public static IReadOnlyList<LineFigure> Curves(FineTuningRun run) => [.. run.Results.Where(r => r.Epochs.Count > 0).GroupBy(r => r.Result.Task).Select(task =>
    {
        LineSeries[] lines = [.. task.GroupBy(r => r.Arm).SelectMany(arm => new[] { Line($"{arm.Key}: validation", arm, e => e.ValidationLoss), Line($"{arm.Key}: training", arm, e => e.TrainLoss) })];
        return new LineFigure($"loss-{task.Key}", $"Loss while fine-tuning: {task.Key}",
            $"Training: mean over the epoch, on random crops and with label smoothing {Tables.Number(run.Plan.Options.LabelSmoothing)}, which keeps it above 0. Validation: log loss on {string.Join(" or ", task.Select(r => r.ValidationImages).Distinct())} training images that are not trained on; epoch 0 is the frozen probe, or a head of zeros from scratch. Where validation rises while training falls, the network learns its training images by heart.",
            $"{lines.Length} lines over the epochs; from first to last: {string.Join("; ", lines.Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}"))}.", lines, "Epoch", "Loss (nats)")
        { Stamp = Stamps.Of(task.Select(r => r.Result)), XTicks = lines[0].X.Count <= 21 ? lines[0].X : null };
    })];

    /// <summary>What each arm costs.</summary>
    public static BarFigure Costs(FineTuningRun run)
    {
        string[] tasks = [.. run.Results.Select(r => r.Result.Task).Distinct()];
        BarSeries[] series = [.. run.Plan.Arms.Select(arm => new BarSeries(arm.Name, [.. tasks.Select(task => run.Results.Where(r => r.Arm == arm.Name && r.Result.Task == task).Select(r => r.Seconds).ToArray()).Select(s => new Estimate(s.Average(), s.Min(), s.Max()))]))];
        return new("fine-tuning-cost", "What one run costs", $"Seconds of one run on {Environment.ProcessorCount} threads: training, validation and test, or fitting the frozen probe, whose features take {string.Join(", ", run.Suite.Extractions.Where(e => e.Seconds > 0.5).Select(e => $"{Tables.Number(e.Seconds)} s").DefaultIfEmpty("no time, because they were kept"))} besides. Bars go from the fastest to the slowest seed. What was read back tells the time it took when it was made.",
            $"Seconds of a run for {series.Length} arms on {tasks.Length} tasks: {string.Join("; ", series.Select(s => $"{s.Name} {string.Join(", ", s.Values.Select(v => Tables.Number(v.Value)))}"))}.", tasks, series, "Task", "Seconds of one run")
        { Horizontal = true, Stamp = run.Suite.Stamp };
    }

    /// <summary>How each training went: images, the epoch that was chosen, and F1 on the validation images before and at it.</summary>
    public static Table Trainings(FineTuningRun run) => Tables.From("Trainings", run.Results.Where(r => r.Epochs.Count > 0), ("Task", r => r.Result.Task), ("Arm", r => r.Arm), ("Seed", r => r.Result.Seed),
        ("Trained on", r => r.Result.TrainRows), ("Validation", r => r.ValidationImages), ("Epoch kept", r => r.Best), ("F1 before", r => r.Epochs[0].ValidationF1), ("F1 at it", r => r.Epochs[r.Best].ValidationF1),
        ("Images/s", r => r.Result.TrainRows * (r.Epochs.Count - 1) / r.Seconds)) with
    {
        Stamp = run.Suite.Stamp,
        Basis = new("validation images, in a column", "one a row, none averaged", "none: these numbers choose an epoch and are no result", "none"),
        Note = "F1 on the validation images. Before: the frozen probe of the same training images; from scratch, a head of zeros. The chosen epoch is the best of several on these very images, so its validation F1 is too good; the test images were not looked at. Images/s counts training images over all the time of a run, validation and test included.",
    };

    private static IReadOnlyList<ComparisonRow> Rows(FineTuningRun run, Func<ClassCounts, double>? metric, int resamples) =>
        // Arms are compared as models under one probe: a comparison pairs within a probe.
        Comparison.Table(run.Results.Select(r => r.Result with { Model = r.Arm, Probe = "", Features = "cls4" }), run.Plan.Arms[0].Name, metric, resamples);

    private static LineSeries Line(string name, IEnumerable<TunedResult> seeds, Func<TuningEpoch, double> loss)
    {
        double[][] values = [.. seeds.Select(s => s.Epochs.Select(loss).ToArray())];
        int[] epochs = [.. Enumerable.Range(0, values.Min(v => v.Length)).Where(e => values.All(v => double.IsFinite(v[e])))];
        IReadOnlyList<double>? Ends(Func<IEnumerable<double>, double> end) => values.Length == 1 ? null : [.. epochs.Select(e => end(values.Select(v => v[e])))];
        return new(name, [.. epochs.Select(e => (double)e)], [.. epochs.Select(e => values.Average(v => v[e]))], Ends(v => v.Min()), Ends(v => v.Max()));
    }

    private static string Seeds(FineTuningRun run) => run.Plan.Suite.Seeds.Count == 1 ? "one seed" : $"{run.Plan.Suite.Seeds.Count} seeds";
}
