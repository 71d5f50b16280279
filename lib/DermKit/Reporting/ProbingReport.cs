using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using MathNet.Numerics.Distributions;
using System.Globalization;

namespace DermKit.Reporting;

/// <summary>Tables and figures over a <see cref="SuiteRun"/>, for the probing notebooks.</summary>
public static class ProbingReport
{
    /// <summary>Every task of the registry: what it asks, and whether its data is here.</summary>
    public static Table Registry(TaskSuite suite, KitSettings settings) => Tables.From("Tasks of the registry", suite.Tasks,
        ("Task", t => t.Name), ("What", t => t.Title), ("Classes", t => t.ClassCount), ("Paper's no.", t => t.Paper?.ToString(CultureInfo.InvariantCulture) ?? ""),
        ("Data", t => TaskSuite.Missing(t, settings) is not null ? "absent" : t.DataSets.Keys.Any(set => DataSetCatalog.IsFixture(settings, set)) ? Stamps.Fixture : "here"), ("In the kit's pre-training", t => t.InPretraining ? "yes" : "no"),
        ("In the paper's", t => t.InPaperPretraining is { } seen ? seen ? "yes" : "no" : "")) with
    {
        Note = $"Absent: the card data/tasks/<task>.md says what to get. Outside every mean and rank: {Names.Listed(suite.Tasks.Where(t => !t.InMeans).Select(t => t.Name))}. In pre-training: the training images of the set are; its frozen test images never. The paper's are inferred from the sources it names.",
    };

    /// <summary>Every model of the registry, with what to get where weights are absent.</summary>
    public static Table Registry(ModelRegistry models) => Tables.From("Models of the registry", models.Models.OrderBy(m => m.IsPresent ? 0 : 1),
        ("Model", m => m.Name), ("What", m => m.Title), ("Parameters, GMACs", m => string.Create(CultureInfo.InvariantCulture, $"{m.Parameters / 1e6:0.0} M, {m.Cost?.GigaMacs ?? double.NaN:0.00}")),
        ("Features", m => $"{m.Features}{(m.Preprocessing == Preprocessing.Paper ? "" : $", transform {m.Preprocessing}")}".ToLowerInvariant()),
        ("Has seen", m => string.Join(", ", m.PretrainedOn)), ("Weights and licence", m => $"{(m.IsPresent ? m.Stamp.Length > 0 ? $"here, {m.Stamp}" : "here" : m.Problem is null && m.Weights is not null ? $"kit data fetch {m.Name}" : m.Missing!.TrimEnd('.'))}; licence: {m.Licence}")) with
    {
        Stamp = Stamps.Join(models.Models.Select(m => m.Stamp)),
        Note = "Weights that are not here come by the command that stands in their place, or by hand as kit data card NAME says. The transform is the paper's, but where another one stands with the features. GMACs: billions of multiply-adds for one image.",
    };

    /// <summary>What each task will be probed with: images, classes and the unit that intervals resample.</summary>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks) => Tables.From("Images of this run", tasks.Select(t => (Task: t, Split: t.SplitFor(TaskSuite.Seeds[0]))),
        ("Task", t => t.Task.Definition.Name), ("Training images", t => t.Split.Train.Length), ("Test images", t => t.Split.Test.Length),
        ("Test units", t => t.Split.Test.Select(t.Task.UnitOf).Distinct().Count()),
        ("Smallest test class", t => t.Task.ClassNames.Select((name, c) => (name, n: t.Split.Test.Count(i => t.Task.Labels[i] == c))).MinBy(p => p.n) is var least ? $"{least.n} ({least.name})" : ""),
        ("Note", t => t.Task.Definition.Note)) with { Stamp = Stamps.Of(tasks),
        Note = "A unit is a patient or lesion where the set has ids, else an image." };

    /// <summary>The first training images of each class, as the models see them.</summary>
    /// <param name="task">The task.</param>
    /// <param name="each">Images of each class.</param>
    public static ImageGridFigure Images(ProbeTask task, int each = 3)
    {
        int[] train = task.SplitFor(TaskSuite.Seeds[0]).Train;
        ImageTile[] tiles = [.. task.ClassNames.SelectMany((name, c) => train.Where(i => task.Labels[i] == c).Select(i => Tile(task, i, name, task.Table.Ids[i])).OfType<ImageTile>().Take(each))];
        return new("images", $"Training images: {task.Definition.Title}",
            $"The first {each} training images of each class after the paper's transform (256 x 256 bilinear, centre 224). Look for what could give a class away without being the lesion.",
            $"A grid of {tiles.Length} skin images, {each} for each of {task.ClassNames.Length} classes.", tiles) { Stamp = task.Definition.Stamp };
    }

    /// <summary>One image of a task after the paper's transform; null where it cannot be read.</summary>
    internal static ImageTile? Tile(ProbeTask task, int row, string label, string note)
    {
        try
        {
            return ImageTile.From(new EvalTransform().Apply(ImageCodec.Decode(task.Table.Paths[row])), label, note);
        }
        catch (ImageUnreadableException)
        {
            // Not shown here; the run lists it in its quarantine with the reason.
            return null;
        }
    }

    /// <summary>Time and rate of feature extraction.</summary>
    public static Table Rates(SuiteRun run) => Tables.From("Feature extraction", run.Extractions,
        ("Model", e => e.Model), ("Seed of weights", e => e.Seed), ("Images", e => e.Images), ("Seconds", e => e.Seconds), ("Images/s", e => e.Images / Math.Max(e.Seconds, 1e-3)), ("Weights", e => e.WeightsHash[..12])) with
    {
        Stamp = run.Stamp,
        Note = $"Features are kept under the hash of weights, transform and images; a rate far above the others was read back.",
    };

    /// <summary>The images that could not be read, and why.</summary>
    public static Table Quarantine(SuiteRun run) => Tables.From($"Images that could not be read: {run.Quarantine.Count}", run.Quarantine, ("File", q => Path.GetFileName(q.Path)), ("Reason", q => q.Reason.Replace(q.Path, "it", StringComparison.Ordinal))) with
    {
        Stamp = Stamps.Join(run.Tasks.Select(t => t.Definition.Stamp)),
        Note = "They are in no score; every other image is.",
    };

    /// <summary>Results with a remark, such as a regression that did not converge or a class without a test image; a sentence where there is none.</summary>
    public static object Remarks(SuiteRun run) => Remarks(run.Results.Select(r => (r.Task, r.Model, r.Probe, r.Seed, r.Note)), run.Stamp);

    internal static object Remarks(IEnumerable<(string Task, string Model, string Probe, int Seed, string Note)> results, string stamp)
    {
        var all = results.ToArray();
        var said = all.Where(r => r.Note.Length > 0).GroupBy(r => (r.Task, r.Model, r.Probe, r.Note)).ToArray();
        return said.Length == 0 ? $"{Stamps.Bracket(stamp)}No remark on any of {all.Length} results: every regression converged, every class has training and test images, every image could be read."
            : Tables.From("Remarks on single results", said, ("Task", r => r.Key.Task), ("Model", r => r.Key.Model), ("Probe", r => r.Key.Probe), ("Seeds", r => string.Join(", ", r.Select(x => x.Seed))), ("Remark", r => r.Key.Note)) with { Stamp = stamp };
    }

    /// <summary>Score of every model and probe on every task, seeds averaged, with 95 % intervals.</summary>
    public static BarFigure Scores(IReadOnlyList<ComparisonRow> rows)
    {
        string[] tasks = [.. rows.Select(r => r.Task).Distinct()];
        BarSeries[] series = [.. rows.GroupBy(r => $"{r.Name}, {r.Probe}")
            .Select(g => new BarSeries(g.Key, [.. tasks.Select(t => g.FirstOrDefault(r => r.Task == t) is { } row
            ? Estimate.Of(row.Score) : new Estimate(double.NaN))]))];
        ComparisonRow best = rows.MaxBy(r => r.Score.Value)!;
        return new("scores", "F1 on each task", "Mean over seeds; bars are 95 % bootstrap intervals over test patients, lesions or images. Macro F1 with more than two classes, else F1 of the positive class, so heights compare within a task only.",
            $"Points with intervals for {series.Length} model and probe pairs on {tasks.Length} tasks; the highest "
            + $"is {best.Name} with the {best.Probe} probe on {best.Task} at {Tables.Number(best.Score.Value)}.",
            tasks, series, "Task", "F1 (0-1)") { Points = true, Horizontal = true, Range = (0, 1), Stamp = Stamps.Join(rows.Select(r => r.Stamp)) };
    }

    /// <summary>The comparison as a table; differences are paired on the same test units.</summary>
    /// <param name="caption">Caption.</param>
    /// <param name="rows">From <see cref="Comparison"/>.</param>
    /// <param name="headline">For the index page; empty for none.</param>
    public static Table Scores(string caption, IReadOnlyList<ComparisonRow> rows, string headline = "")
    {
        bool means = rows.Any(r => r.Tasks > 1), paired = rows.Any(r => r.AgainstBaseline is not null);
        (string, Func<ComparisonRow, object?>)[] columns =
        [
            ("Task (n)", r => $"{r.Task} ({(means ? $"{r.Tasks} task{(r.Tasks == 1 ? "" : "s")}, " : "")}{r.Units})"),
            ("Model", r => r.Name), ("Probe", r => r.Probe),
            ("F1 [95 %]", r => Estimate.Of(r.Score)), ("SD over seeds (± 95 %)", r => OverSeeds(r.SeedSpread, r.Seeds) is { } half ? $"{Tables.Number(r.SeedSpread)} (± {Tables.Number(half)})" : r.SeedSpread),
        ];
        if (paired) columns = [.. columns, ("Minus baseline [95 %]",
            r => r.AgainstBaseline is { } d ? Estimate.Of(d.Difference) : "–"),
            ("p (Holm)", r => Tables.P(r.AdjustedP, r.IsBound))];
        string family = string.Join(" and ", rows.Where(r => r.AdjustedP is not null)
            .Select(r => r.Family > 0 ? $"the {r.Family} differences of the comparison" : "the rows that have one")
            .Distinct());
        return Tables.From(caption, rows, columns) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Headline = headline,
            Basis = new($"{Basis.Units}, with each task", Basis.Mean(rows.Select(r => r.Seeds)),
                $"{Basis.Bootstrap()}; ± is Student's interval of the mean over three or more seeds and holds the "
                + "test units; – where no seed changes the outcome",
                paired ? Basis.Paired($"minus {Baseline(rows)}", family, rows.Any(r => r.IsBound))
                : "none, because no second model is here"),
        };
    }

    /// <summary>Mean ranks over data sets, and each model's signed-rank test against the baseline; a sentence where those are too few.</summary>
    /// <param name="results">Any results.</param>
    /// <param name="baseline">Name of the baseline.</param>
    public static object Ranks(IReadOnlyList<TaskResult> results, string baseline)
    {
        var rows = results.Select(r => r.Probe).Distinct().SelectMany(probe => (Comparison.MeanRanks(results, probe) ?? new Dictionary<string, double>())
            .OrderBy(m => m.Value).Select(m => (Model: m.Key, Probe: probe, Rank: m.Value, Test: m.Key == baseline ? null : Comparison.SignedRank(results, m.Key, baseline, probe)))).ToArray();
        int sets = results.Where(r => r.InMeans && r.BothStamps.Length == 0).Select(r => r.DataSet).Distinct().Count();
        if (rows.Length == 0) return $"{Stamps.Bracket(Stamps.Join(results.Select(r => r.BothStamps)))}No ranks and no signed-rank test over tasks: {sets} distinct real data set(s); both need {PairedTest.FewestDataSets}, because tasks on the same images are one observation.";
        double?[] p = [.. rows.Select(r => r.Test?.P)];
        double[] adjusted = PairedTest.Holm([.. p.OfType<double>()]);
        int next = 0;
        double?[] corrected = [.. p.Select(value => value is null ? (double?)null : adjusted[next++])];
        string Shown(string model) => Comparison.Shown(model, results.First(r => r.Model == model).Features);
        return Tables.From("Ranks over data sets", rows.Zip(corrected), ("Model", r => Shown(r.First.Model)),
            ("Probe", r => r.First.Probe), ("Mean rank (1 is best)", r => r.First.Rank),
            ("Rank sum", r => r.First.Test?.Statistic is { } sum ? sum : "–"), ("p (Holm)", r => r.Second is { } value ? value : "–")) with
        {
            Basis = new($"{sets} data sets, tasks of one averaged", Basis.Mean(results.GroupBy(r => r.Model).Select(g => g.Select(r => r.Seed).Distinct().Count())), "none, ranks have no interval here",
                $"each model against {baseline}, Wilcoxon's signed-rank test over data sets, exact and two-sided; Holm over the rows that have one"),
            Note = "Rank sum: the smaller one of the test. Data sets that a model has seen are among them.",
        };
    }

    /// <summary>The linear probe minus the kNN probe of the same model, task and seeds, paired on the test units.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static Table LinearAgainstKnn(SuiteRun run, int resamples = 1000)
    {
        var pairs = run.Results.GroupBy(r => (r.Task, r.Model, r.Features)).Where(g => g.Any(r => r.Probe == "knn") && g.Any(r => r.Probe == "linear")).ToArray();
        TestRows[] Rows(IEnumerable<TaskResult> results, string probe) => [.. results.Where(r => r.Probe == probe).OrderBy(r => r.Seed).Select(r => r.Rows)];
        int forDifferences = PairedTest.Resamples(resamples, pairs.Length);
        PairedDifference[] differences = [.. pairs.Select(g =>
            PairedTest.Difference(Rows(g, "linear"), Rows(g, "knn"), resamples: forDifferences))];
        var adjusted = PairedTest.Holm(differences);
        return Tables.From("Linear probe minus kNN probe",
            pairs.Select((g, i) => (g.Key, Units: g.SelectMany(r => r.Units).Distinct().Count(),
            Difference: differences[i], P: Tables.P(adjusted[i].P, adjusted[i].IsBound))),
            ("Task (n)", r => $"{r.Key.Task} ({r.Units})"),
            ("Model", r => Comparison.Shown(r.Key.Model, r.Key.Features)),
            ("F1 difference [95 %]", r => Estimate.Of(r.Difference.Difference)), ("p (Holm)", r => r.P)) with
        {
            Stamp = run.Stamp,
            Basis = new($"{Basis.Units}, with each task",
                Basis.Mean(pairs.Select(g => g.Select(r => r.Seed).Distinct().Count())), Basis.Bootstrap(),
                Basis.Paired("linear minus kNN of the same model", $"the {pairs.Length} rows",
                adjusted.Any(p => p.IsBound))),
            Note = "The two probes do not get the same data: kNN is fitted on 85 % of the training images, as the paper does it.",
        };
    }

    /// <summary>The best mean of each kind in one sentence, for the index page; empty when there is no mean.</summary>
    public static string Headline(IReadOnlyList<ComparisonRow> means)
    {
        string Against(ComparisonRow m) => m.AgainstBaseline is not { } d ? ""
            : $"minus the baseline {Tables.Interval(d.Difference)}, p {Tables.P(m.AdjustedP, m.IsBound)} "
            + $"after Holm's correction over {m.Family}, ";
        var best = means.GroupBy(m => (m.Task, m.Stamp)).Select(g => g.MaxBy(m => m.Score.Value)!);
        return string.Join(" ", best.Select(m => $"{Stamps.Bracket(m.Stamp)}Best {m.Task} ({m.Tasks} tasks): {m.Name}, "
            + $"{m.Probe} probe, F1 {Tables.Interval(m.Score)}, {Against(m)}n = {m.Units} test patients, lesions or "
            + "images."));
    }

    /// <summary>The confusion matrix of one task, model and probe, summed over seeds.</summary>
    /// <exception cref="KitException">There is no such result.</exception>
    public static HeatmapFigure Confusion(SuiteRun run, string task, string model, string probe)
    {
        TaskResult[] results = [.. run.Results.Where(r => r.Task == task && r.Model == model && r.Probe == probe)];
        if (results.Length == 0) throw new KitException($"No result of {model} with {probe} on {task}; run it first.");
        string[] names = results[0].ClassNames;
        var sum = new double[names.Length, names.Length];
        foreach (TaskResult result in results)
            for (int t = 0; t < names.Length; t++)
                for (int p = 0; p < names.Length; p++) sum[t, p] += result.Confusion[t][p];
        return new("confusion", $"Confusion: {task}", $"{model} with the {probe} probe, summed over {results.Length} seeds. A row is a true class; its diagonal is the recall.",
            $"Confusion matrix of {names.Length} classes on {task}; recalls are {string.Join(", ", names.Select((n, c) => $"{n} {Tables.Percent(sum[c, c] / Math.Max(1, Enumerable.Range(0, names.Length).Sum(p => sum[c, p])))}"))}.",
            names, names, sum, "True class", "Predicted class") { Stamp = Stamps.Of(results) };
    }

    /// <summary>The score within each group of a column, such as skin type, of one task, model and probe.</summary>
    /// <exception cref="KitException">The task has no such group column.</exception>
    public static Table Groups(SuiteRun run, string task, string model, string probe, string column, int resamples = 1000)
    {
        ProbeTask probed = run.Tasks.First(t => t.Definition.Name == task);
        if (!probed.Definition.Groups.Contains(column))
            throw new KitException($"Task '{task}' names no group column '{column}'; it has {Names.Listed(probed.Definition.Groups)}.");
        var groupOf = probed.Table.Ids.Zip(probed.Table.Column(column)).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal);
        TaskResult[] results = [.. run.Results.Where(r => r.Task == task && r.Model == model && r.Probe == probe)];
        return Tables.From($"{task} by {column}: {model}, {probe} probe", groupOf.Values.OfType<string>().Distinct().Order(StringComparer.Ordinal).Select(group => (group, rows: Within(group))).Where(g => g.rows.Length > 0),
            (column, g => g.group), ("Test images", g => g.rows[0].Truth.Length), ("Test units", g => g.rows[0].Units.Distinct().Count()),
            ("F1 [95 %]", g => Estimate.Of(Mean(g.rows, null))), ("Balanced accuracy [95 %]", g => Estimate.Of(Mean(g.rows, c => c.BalancedAccuracy)))) with
        {
            Stamp = Stamps.Join(results.Select(r => r.BothStamps)),
            Basis = new("test images and units in columns", Basis.Mean([results.Length]), Basis.Bootstrap(), "none, because groups differ in their classes"),
            Note = $"F1 and balanced accuracy are over the classes that occur in the group, so groups with other classes do not compare, and a group of a few images says nothing. Groups without test images are left out.",
        };

        // A split drawn by the seed may leave a group out of the test part of one seed.
        TestRows[] Within(string group) => [.. results.Select(r => r.Rows).Zip(results, (rows, r) =>
        {
            int[] kept = [.. Enumerable.Range(0, r.Ids.Length).Where(i => groupOf[r.Ids[i]] == group)];
            return rows with { Units = [.. kept.Select(i => r.Units[i])], Truth = [.. kept.Select(i => r.Truth[i])], Predicted = [.. kept.Select(i => r.Predicted[i])] };
        }).Where(rows => rows.Truth.Length > 0)];
        Interval Mean(TestRows[] rows, Func<ClassCounts, double>? metric)
        {
            (double value, double[] resampled) = Bootstrap.Mean(rows, metric, resamples);
            return Bootstrap.Percentiles(value, resampled);
        }
    }

    /// <summary>Notes the run's data, weights and seeds for the report's footer.</summary>
    public static void NoteProvenance(SuiteRun run, KitSettings settings)
    {
        foreach (string set in run.Tasks.SelectMany(t => t.Definition.DataSets.Keys).Distinct())
            if (DataSetCatalog.Folder(settings, set) is { } folder) Provenance.Note($"{(DataSetCatalog.IsFixture(settings, set) ? "fixture " : "")}data {set}", DataSetCatalog.Hash(folder)[..16]);
        foreach (var model in run.Extractions.GroupBy(e => e.Model)) Provenance.Note($"weights {model.Key}", string.Join(", ", model.Select(e => e.WeightsHash[..12])));
        Provenance.Note("seeds", string.Join(", ", run.Results.Select(r => r.Seed).Distinct()));
    }

    /// <summary>What <see cref="MeanOver"/> means.</summary>
    internal const string SeenNote = "F1 is the mean over so many tasks; seen: their training images are in the pre-training data of the kit or of a model here.";

    /// <summary>Name of a mean over tasks, short enough for a column.</summary>
    internal static string MeanOver(string mean, int tasks) => $"{tasks} {(mean == Comparison.Inside ? "seen" : "unseen")}";

    /// <summary>The models without a difference on a task or mean where others have one.</summary>
    private static string Baseline(IReadOnlyList<ComparisonRow> rows) =>
        string.Join(", ", rows.Where(r => r.AgainstBaseline is null
        && rows.Any(o => o.AgainstBaseline is not null && (o.Task, o.Probe) == (r.Task, r.Probe))).Select(r => r.Name)
        .Distinct());

    /// <summary>Half of Student's 95 % interval of a mean over seeds, t SD / sqrt(n) with n - 1 degrees of freedom; null without spread, and for two seeds, whose t of 12.7 says nothing.</summary>
    internal static double? OverSeeds(double deviation, int seeds) => seeds < 3 || !(deviation > 0) ? null : StudentT.InvCDF(0, 1, seeds - 1, 0.975) * deviation / Math.Sqrt(seeds);
}
