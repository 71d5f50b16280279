namespace DermKit.Studies;

/// <summary>Tables and figures of fine-tuned networks and frozen probes.</summary>
public static class FineTuningReport
{
    /// <summary>F1 of every arm, and its paired difference to the model's frozen probe.</summary>
    public static Table Scores(FineTuningRun run, int resamples = 1000)
    {
        IReadOnlyList<ComparisonRow> rows = Rows(run, null, resamples);
        IReadOnlyList<ComparisonRow> balanced = Rows(run, c => c.BalancedAccuracy, resamples);
        string stamp = Stamps.Join(rows.Select(r => r.Stamp));
        return Tables.From("Frozen and fine-tuned", rows.Zip(balanced, (f1, other) => (Row: f1, Balanced: other)),
            ("Task (n)", r => $"{r.Row.Task} ({r.Row.Units})"), ("Arm", r => r.Row.Model),
            ("F1 [95 %]", r => Tables.Interval(r.Row.Score)),
            ("Minus frozen [95 %]", r => r.Row.AgainstBaseline is { } d ? Tables.Interval(d.Difference) : "–"),
            ("p (Holm)", r => Tables.P(r.Row.AdjustedP, r.Row.IsBound)),
            ("Balanced accuracy [95 %]", r => Tables.Interval(r.Balanced.Score)),
            ("SD of F1", r => r.Row.SeedSpread)) with
        {
            Stamp = stamp,
            Headline = Stamps.Bracket(stamp) + Headline(run, rows),
            Footnote = new($"{TableFootnote.Units}, with each task", TableFootnote.Mean(rows.Select(r => r.Seeds)),
                TableFootnote.Bootstrap(),
                TableFootnote.Paired($"each arm minus {run.Plan.Arms[0].Name}", $"the {rows[0].Family} differences",
                rows.Any(r => r.IsBound))),
            Note = $"Pre-trained: {run.Plan.Model}; random: {run.Plan.Scratch}. Frozen: the linear probe on all "
                + $"training images at the same {run.Plan.Options.Side} pixels. Fine-tuning trains on 85 % of them and "
                + "chooses its epoch on the rest. SD is over seeds; –: no seed changes the outcome.",
        };
    }

    /// <summary>F1 of every arm and task.</summary>
    public static BarFigure Figure(FineTuningRun run, int resamples = 1000)
    {
        IReadOnlyList<ComparisonRow> rows = Rows(run, null, resamples);
        string[] tasks = [.. rows.Select(r => r.Task).Distinct()];
        BarSeries[] series = [.. run.Plan.Arms.Select(arm => new BarSeries(arm.Name, [.. tasks.Select(task =>
            Estimate.Of(rows.Single(r => r.Task == task && r.Model == arm.Name).Score))]))];
        return new("fine-tuning", "Frozen and fine-tuned",
            $"Means over {Tables.Counted(run.Plan.Suite.Seeds.Count, "seed")}; bars are 95 % bootstrap intervals over "
            + $"{TableFootnote.Units}. Overlapping bars do not settle a difference: the table pairs the arms.",
            $"Points with intervals for {series.Length} arms on {tasks.Length} tasks: "
            + $"{string.Join("; ", rows.Select(r => $"{r.Task}, {r.Model} {Tables.Interval(r.Score)}"))}.",
            tasks, series, "Task", "F1 (0-1)")
        {
            Points = true,
            Horizontal = true,
            Range = (0, 1),
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
        };
    }

    /// <summary>Loss over epochs of every trained arm, a figure for each task: seed mean, band from lowest to
    /// highest.</summary>
    public static IReadOnlyList<LineFigure> Curves(FineTuningRun run)
    {
        string smoothing = Tables.Number(run.Plan.Options.LabelSmoothing);
        return [.. Trained(run).GroupBy(r => r.Result.Task).Select(Curve)];

        LineFigure Curve(IGrouping<string, TunedResult> task)
        {
            LineSeries[] lines = [.. task.GroupBy(r => r.Arm).SelectMany(arm => new[]
            {
                Line($"{arm.Key}: validation", arm, e => e.ValidationLoss),
                Line($"{arm.Key}: training", arm, e => e.TrainLoss),
            })];
            string validation = string.Join(" or ", task.Select(r => r.ValidationImages).Distinct());
            var ends = lines.Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}");
            return new($"loss-{task.Key}", $"Loss while fine-tuning: {task.Key}",
                $"Training: mean over the epoch, on random crops and with label smoothing {smoothing}, which keeps it "
                + $"above 0. Validation: log loss on {validation} held-back training images; epoch 0 is the frozen "
                + "probe, or a head of zeros from scratch. Validation that rises while training falls is overfitting.",
                $"{lines.Length} lines over the epochs; from first to last: {string.Join("; ", ends)}.", lines,
                "Epoch", "Loss (nats)")
            {
                Stamp = Stamps.Of(task.Select(r => r.Result)),
                XTicks = lines[0].X.Count <= 21 ? lines[0].X : null,
            };
        }
    }

    /// <summary>Time of each arm.</summary>
    public static BarFigure Costs(FineTuningRun run)
    {
        string[] tasks = [.. run.Results.Select(r => r.Result.Task).Distinct()];
        Estimate Seconds(string arm, string task)
        {
            var seconds = run.Results.Where(r => r.Arm == arm && r.Result.Task == task)
                .Select(r => r.Seconds).ToArray();
            return new(seconds.Average(), seconds.Min(), seconds.Max());
        }
        BarSeries[] series = [.. run.Plan.Arms.Select(arm =>
            new BarSeries(arm.Name, [.. tasks.Select(task => Seconds(arm.Name, task))]))];
        string extracted = string.Join(", ", run.Suite.Extractions.Where(e => e.Seconds > 0.5)
            .Select(e => $"{Tables.Number(e.Seconds)} s"));
        if (extracted.Length == 0) extracted = "no time, because they were kept";
        var all = series.Select(s => $"{s.Name} {string.Join(", ", s.Values.Select(v => Tables.Number(v.Value)))}");
        return new("fine-tuning-cost", "What one run costs",
            $"Seconds of one run on {Environment.ProcessorCount} threads: training, validation and test, or fitting "
            + $"the frozen probe, whose features take {extracted} besides. Bars go from the fastest to the slowest "
            + "seed. A kept result shows the time of the run that made it.",
            $"Seconds of a run for {series.Length} arms on {tasks.Length} tasks: {string.Join("; ", all)}.",
            tasks, series, "Task", "Seconds of one run")
        {
            Horizontal = true,
            Stamp = run.Suite.Stamp,
        };
    }

    /// <summary>Images, chosen epoch and validation F1 of each training.</summary>
    public static Table Trainings(FineTuningRun run) => Tables.From("Trainings", Trained(run),
        ("Task", r => r.Result.Task), ("Arm", r => r.Arm), ("Seed", r => r.Result.Seed),
        ("Trained on", r => r.Result.TrainRows), ("Validation", r => r.ValidationImages), ("Epoch kept", r => r.Best),
        ("F1 before", r => r.Epochs[0].ValidationF1), ("F1 at it", r => r.Epochs[r.Best].ValidationF1),
        ("Images/s", r => r.Result.TrainRows * (r.Epochs.Count - 1) / r.Seconds)) with
    {
        Stamp = run.Suite.Stamp,
        Footnote = new("validation images, in a column", "one a row, none averaged",
            "none: these numbers choose an epoch and are no result", "none"),
        Note = "F1 on the validation images. Before: the frozen probe of the same training images; from scratch, a "
            + "head of zeros. The epoch is the best of several on these images, so its F1 is too good. Images/s: "
            + "training images over all the time of a run, validation and test included.",
    };

    /// <summary>Adds data, weights and seeds to the report's footer; returns <see cref="Trainings"/>.</summary>
    public static Table Finished(FineTuningRun run, KitSettings settings)
    {
        StudyReport.NoteProvenance(run.Suite, run.Plan.Suite, settings);
        return Trainings(run);
    }

    private static IEnumerable<TunedResult> Trained(FineTuningRun run) => run.Results.Where(r => r.Epochs.Count > 0);

    private static string Headline(FineTuningRun run, IReadOnlyList<ComparisonRow> rows)
    {
        ComparisonRow[] tuned = [.. rows.Where(r => r.Model == run.Plan.Arms[1].Name)];
        ComparisonRow[] shown = [.. tuned.Where(r => r.AdjustedP < 0.05)];
        int above = shown.Count(r => r.AgainstBaseline!.Difference.Value > 0);
        var gains = tuned.Select(r => $"{Tables.Interval(r.AgainstBaseline!.Difference)} "
            + $"(p {Tables.P(r.AdjustedP, r.IsBound)}) on {r.Task} ({r.Units} test patients, lesions or images)");
        return $"{run.Plan.Model} fine-tuned, minus its frozen probe: F1 {string.Join("; ", gains)}. Fine-tuning had "
            + $"85 % of the probe's training images. After Holm's correction over the {rows[0].Family} differences of "
            + $"all arms: above on {above}, below on {shown.Length - above} of {tuned.Length} tasks.";
    }

    private static IReadOnlyList<ComparisonRow> Rows(FineTuningRun run, Func<ClassCounts, double>? metric,
        int resamples)
    {
        // A comparison pairs models within a probe, so arms become models under one probe.
        var results = run.Results.Select(r => r.Result with { Model = r.Arm, Probe = "", Features = "cls4" });
        return Comparison.Table(results, run.Plan.Arms[0].Name, metric, resamples);
    }

    private static LineSeries Line(string name, IEnumerable<TunedResult> seeds, Func<TuningEpoch, double> loss)
    {
        double[][] values = [.. seeds.Select(s => s.Epochs.Select(loss).ToArray())];
        IEnumerable<int> all = Enumerable.Range(0, values.Min(v => v.Length));
        int[] epochs = [.. all.Where(e => values.All(v => double.IsFinite(v[e])))];
        double[] Over(Func<IEnumerable<double>, double> mean) =>
            [.. epochs.Select(e => mean(values.Select(v => v[e])))];
        bool hasBand = values.Length > 1;
        return new(name, [.. epochs.Select(e => (double)e)], Over(v => v.Average()),
            hasBand ? Over(v => v.Min()) : null, hasBand ? Over(v => v.Max()) : null);
    }
}
