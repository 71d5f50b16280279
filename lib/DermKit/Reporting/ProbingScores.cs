using DermKit.Evaluation;
using MathNet.Numerics.Distributions;

namespace DermKit.Reporting;

public static partial class ProbingReport
{
    /// <summary>Mean scores over seeds of every model and probe on every task, with 95 % intervals.</summary>
    public static BarFigure Scores(IReadOnlyList<ComparisonRow> rows)
    {
        string[] tasks = [.. rows.Select(r => r.Task).Distinct()];
        BarSeries[] series = [.. rows.GroupBy(r => $"{r.Name}, {r.Probe}")
            .Select(g => new BarSeries(g.Key, Array.ConvertAll(tasks, task => Score(g, task))))];
        ComparisonRow best = rows.MaxBy(r => r.Score.Value)!;
        return new("scores", "F1 on each task",
            $"Mean over seeds; bars are 95 % bootstrap intervals over {TableFootnote.Units}. Macro F1 with more than "
            + "two classes, else F1 of the positive class: heights compare within a task only.",
            $"Points with intervals for {series.Length} model and probe pairs on {tasks.Length} tasks; the highest is "
            + $"{best.Name} with the {best.Probe} probe on {best.Task} at {Tables.Number(best.Score.Value)}.",
            tasks, series, "Task", "F1 (0-1)")
        { Points = true, Horizontal = true, Range = (0, 1), Stamp = Stamps.Join(rows.Select(r => r.Stamp)) };

        static Estimate Score(IEnumerable<ComparisonRow> own, string task) =>
            own.FirstOrDefault(r => r.Task == task) is { } row ? Estimate.Of(row.Score) : double.NaN;
    }

    /// <summary>The comparison as a table; differences are paired on the same test units.</summary>
    public static Table Scores(string caption, IReadOnlyList<ComparisonRow> rows, string headline = "")
    {
        bool areMeans = rows.Any(r => r.Tasks > 1);
        bool arePaired = rows.Any(r => r.AgainstBaseline is not null);
        (string, Func<ComparisonRow, object?>)[] columns =
        [
            ("Task (n)", r => $"{r.Task} ({(areMeans ? $"{Tables.Counted(r.Tasks, "task")}, " : "")}{r.Units})"),
            ("Model", r => r.Name),
            ("Probe", r => r.Probe),
            ("F1 [95 %]", r => Estimate.Of(r.Score)),
            ("SD over seeds (± 95 %)", Spread),
        ];
        (string, Func<ComparisonRow, object?>)[] differences =
        [
            ("Minus baseline [95 %]", r => r.AgainstBaseline is { } d ? Estimate.Of(d.Difference) : "–"),
            ("p (Holm)", r => Tables.P(r.AdjustedP, r.IsBound)),
        ];
        IEnumerable<string> family = rows.Where(r => r.AdjustedP is not null)
            .Select(r => r.Family > 0 ? $"the {r.Family} differences of the comparison" : "the rows that have one");
        return Tables.From(caption, rows, arePaired ? [.. columns, .. differences] : columns) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Headline = headline,
            Footnote = new($"{TableFootnote.Units}, with each task", TableFootnote.Mean(rows.Select(r => r.Seeds)),
                $"{TableFootnote.Bootstrap()}; ± is Student's interval of the mean over three or more seeds and holds "
                + "the test units; – where no seed changes the outcome",
                arePaired
                    ? TableFootnote.Paired($"minus {Baseline(rows)}", string.Join(" and ", family.Distinct()),
                        rows.Any(r => r.IsBound))
                    : "none, because no second model is here"),
        };

        static object Spread(ComparisonRow r) => OverSeeds(r.SeedSpread, r.Seeds) is { } half
            ? $"{Tables.Number(r.SeedSpread)} (± {Tables.Number(half)})"
            : r.SeedSpread;
    }

    /// <summary>Scores on the task of an image's source, or a sentence.</summary>
    public static object Shortcut(IReadOnlyList<ComparisonRow> rows)
    {
        ComparisonRow[] own = [.. rows.Where(r => r.Task.Contains("shortcut", StringComparison.Ordinal))];
        string stamp = Stamps.Bracket(Stamps.Join(rows.Select(r => r.Stamp)));
        return own.Length == 0 ? $"{stamp}The shortcut task needs ISIC-2017 and PAD-UFES-20."
            : Scores("Telling the source apart", own);
    }

    /// <summary>Mean ranks over data sets, with signed-rank tests; a sentence for too few data sets.</summary>
    public static object Ranks(IReadOnlyList<TaskResult> results, string baseline)
    {
        var rows = new List<(string Model, string Probe, double Rank, (double P, double Sum)? Test)>();
        foreach (string probe in results.Select(r => r.Probe).Distinct())
        {
            if (Comparison.MeanRanks(results, probe) is not { } ranks) continue;
            foreach ((string model, double rank) in ranks.OrderBy(m => m.Value))
                rows.Add((model, probe, rank,
                    model == baseline ? null : Comparison.SignedRank(results, model, baseline, probe)));
        }
        int sets = results.Where(r => r.InMeans && r.BothStamps.Length == 0).Select(r => r.DataSet).Distinct().Count();
        if (rows.Count == 0)
            return $"{Stamps.Bracket(Stamps.Of(results))}No ranks and no signed-rank test over tasks: {sets} distinct "
                + $"real data set(s); both need {PairedTest.FewestDataSets}, because tasks on the same images are one "
                + "observation.";
        var adjusted = new Queue<double>(PairedTest.Holm(rows.Select(r => r.Test?.P).OfType<double>()));
        object[] p = [.. rows.Select(r => r.Test is null ? (object)"–" : adjusted.Dequeue())];
        IEnumerable<int> seeds = results.GroupBy(r => r.Model).Select(g => g.Select(r => r.Seed).Distinct().Count());
        return Tables.From("Ranks over data sets", rows.Zip(p, (row, p) => (Row: row, P: p)),
            ("Model", r => Comparison.Shown(r.Row.Model, results.First(x => x.Model == r.Row.Model).Features)),
            ("Probe", r => r.Row.Probe),
            ("Mean rank (1 is best)", r => r.Row.Rank),
            ("Rank sum", r => r.Row.Test?.Sum is { } sum ? sum : "–"),
            ("p (Holm)", r => r.P)) with
        {
            Footnote = new($"{sets} data sets, tasks of one averaged", TableFootnote.Mean(seeds),
                "none, ranks have no interval here",
                $"each model against {baseline}, Wilcoxon's signed-rank test over data sets, exact and two-sided; Holm "
                + "over the rows that have one"),
            Note = "Rank sum: the smaller one. Data sets that a model has seen are included.",
        };
    }

    /// <summary>Linear minus kNN probe of the same model, task and seeds, paired on test units.</summary>
    public static Table LinearAgainstKnn(SuiteRun run, int resamples = 1000)
    {
        var pairs = run.Results.GroupBy(r => (r.Task, r.Model, r.Features))
            .Where(g => g.Any(r => r.Probe == "knn") && g.Any(r => r.Probe == "linear")).ToArray();
        int forDifferences = PairedTest.Resamples(resamples, pairs.Length);
        PairedDifference[] differences = Array.ConvertAll(pairs, g =>
            PairedTest.Difference(Rows(g, "linear"), Rows(g, "knn"), resamples: forDifferences));
        var adjusted = PairedTest.Holm(differences);
        IEnumerable<int> seeds = pairs.Select(g => g.Select(r => r.Seed).Distinct().Count());
        return Tables.From("Linear probe minus kNN probe", pairs.Index(),
            ("Task (n)", r => $"{r.Item.Key.Task} ({r.Item.SelectMany(x => x.Units).Distinct().Count()})"),
            ("Model", r => Comparison.Shown(r.Item.Key.Model, r.Item.Key.Features)),
            ("F1 difference [95 %]", r => Estimate.Of(differences[r.Index].Difference)),
            ("p (Holm)", r => Tables.P(adjusted[r.Index].P, adjusted[r.Index].IsBound))) with
        {
            Stamp = run.Stamp,
            Footnote = new($"{TableFootnote.Units}, with each task", TableFootnote.Mean(seeds),
                TableFootnote.Bootstrap(),
                TableFootnote.Paired("linear minus kNN of the same model", $"the {pairs.Length} rows",
                    adjusted.Any(p => p.IsBound))),
            Note = "kNN is fitted on 85 % of the training images, as in the paper.",
        };

        static TestRows[] Rows(IEnumerable<TaskResult> results, string probe) =>
            [.. results.Where(r => r.Probe == probe).OrderBy(r => r.Seed).Select(r => r.Rows)];
    }

    /// <summary>The best mean of each kind in a sentence; empty without a mean.</summary>
    public static string Headline(IReadOnlyList<ComparisonRow> means)
    {
        var best = means.GroupBy(m => (m.Task, m.Stamp)).Select(g => g.MaxBy(m => m.Score.Value)!);
        return string.Join(" ", best.Select(m => $"{Stamps.Bracket(m.Stamp)}Best {m.Task} ({m.Tasks} tasks): {m.Name}, "
            + $"{m.Probe} probe, F1 {Tables.Interval(m.Score)}, {Against(m)}n = {m.Units} {TableFootnote.Units}."));

        static string Against(ComparisonRow m) => m.AgainstBaseline is not { } d ? ""
            : $"minus the baseline {Tables.Interval(d.Difference)}, p {Tables.P(m.AdjustedP, m.IsBound)} after Holm's "
            + $"correction over {m.Family}, ";
    }

    /// <summary>The confusion matrix of one task, model and probe, summed over seeds.</summary>
    /// <exception cref="KitException">There is no such result.</exception>
    public static HeatmapFigure Confusion(SuiteRun run, string task, string model, string probe)
    {
        TaskResult[] results = Of(run, task, model, probe);
        if (results.Length == 0) throw new KitException($"No result of {model} with {probe} on {task}; run it first.");
        string[] names = results[0].ClassNames;
        var sum = new double[names.Length, names.Length];
        foreach (TaskResult result in results)
            for (int t = 0; t < names.Length; t++)
                for (int p = 0; p < names.Length; p++) sum[t, p] += result.Confusion[t][p];
        IEnumerable<string> recalls = names.Select((name, c) =>
            $"{name} {Tables.Percent(sum[c, c] / Math.Max(1, results.Sum(r => r.Confusion[c].Sum())))}");
        return new("confusion", $"Confusion: {task}",
            $"{model} with the {probe} probe, summed over {results.Length} seeds. The diagonal is the recall of a "
            + "row's true class.",
            $"Confusion matrix of {names.Length} classes on {task}; recalls are {string.Join(", ", recalls)}.",
            names, names, sum)
        { Stamp = Stamps.Of(results) };
    }

    /// <summary>Scores within the groups of a column, such as skin type, of the first task that counts in means and
    /// has the column, or a sentence.</summary>
    public static object Groups(SuiteRun run, string model, string probe, string column, int resamples = 1000)
    {
        if (run.Tasks.FirstOrDefault(t => t.Definition.InMeans && t.Definition.Groups.Contains(column)) is not { } task)
            return $"{Stamps.Bracket(run.Stamp)}No task of this run has the column {column}.";
        var groupOf = task.Table.Ids.Zip(task.Table.Column(column))
            .ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal);
        TaskResult[] results = Of(run, task.Definition.Name, model, probe);
        var groups = groupOf.Values.OfType<string>().Distinct().Order(StringComparer.Ordinal)
            .Select(group => (Name: group, Rows: Within(group))).Where(g => g.Rows.Length > 0);
        return Tables.From($"{task.Definition.Name} by {column}: {model}, {probe} probe", groups,
            (column, g => g.Name),
            ("Test images", g => g.Rows[0].Truth.Length),
            ("Test units", g => g.Rows[0].Units.Distinct().Count()),
            ("F1 [95 %]", g => Score(g.Rows, null)),
            ("Balanced accuracy [95 %]", g => Score(g.Rows, c => c.BalancedAccuracy))) with
        {
            Stamp = Stamps.Of(results),
            Footnote = new("test images and units in columns", TableFootnote.Mean([results.Length]),
                TableFootnote.Bootstrap(), "none, because groups differ in their classes"),
            Note = "Scores are over the classes that occur in the group, so groups with other classes are not "
                + "comparable. Groups without test images are left out.",
        };

        // A split drawn by the seed may leave a group out of the test part of one seed.
        TestRows[] Within(string group) => [.. results
            .Select(r => r.Rows.Where(i => groupOf[r.Ids[i]] == group)).Where(rows => rows.Truth.Length > 0)];

        Estimate Score(TestRows[] rows, Func<ClassCounts, double>? metric) =>
            Estimate.Of(Bootstrap.MeanInterval(rows, metric, resamples));
    }

    // Half of Student's 95 % interval of a mean over seeds, t SD / sqrt(n) with n - 1 degrees of freedom; null without
    // spread, and for two seeds, whose t of 12.7 is not informative.
    internal static double? OverSeeds(double deviation, int seeds) => seeds < 3 || !(deviation > 0)
        ? null
        : StudentT.InvCDF(0, 1, seeds - 1, 0.975) * deviation / Math.Sqrt(seeds);

    private static TaskResult[] Of(SuiteRun run, string task, string model, string probe) =>
        [.. run.Results.Where(r => r.Task == task && r.Model == model && r.Probe == probe)];

    // The models without a difference where others have one.
    private static string Baseline(IReadOnlyList<ComparisonRow> rows)
    {
        var paired = rows.Where(r => r.AgainstBaseline is not null).Select(r => (r.Task, r.Probe)).ToHashSet();
        var baselines = rows.Where(r => r.AgainstBaseline is null && paired.Contains((r.Task, r.Probe)));
        return string.Join(", ", baselines.Select(r => r.Name).Distinct());
    }
}
