using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Tables and figures of image features with and without metadata.</summary>
public static class MultimodalReport
{
    /// <summary>For each class, how many images have their metadata recorded. A share that differs between classes means that missing values tell the diagnosis.</summary>
    /// <param name="all">The whole task.</param>
    /// <param name="kept">From <see cref="Multimodal.WithMetadata"/>.</param>
    public static Table Recorded(ProbeTask all, ProbeTask kept) => Tables.From("Images with metadata, by class", all.ClassNames.Select((name, c) => (Name: name, All: all.Labels.Count(l => l == c), Kept: kept.Labels.Count(l => l == c))),
        ("Class", r => r.Name), ("Images", r => r.All), ("With metadata", r => r.Kept), ("Share", r => Tables.Percent(r.Kept / (double)r.All))) with
    {
        Stamp = all.Definition.Stamp,
        Note = $"{all.Table.Count - kept.Table.Count} images without metadata take no part in what follows. Where the share differs between classes, whether metadata was recorded would tell the class by itself.",
    };

    /// <summary>The groups of metadata, their columns and how many of the images lack a value.</summary>
    public static Table Missing(ProbeTask task) => Tables.From("Metadata of these images", MetadataGroup.In(task.Table).SelectMany(g => g.Columns.Select(c => (g.Name, Column: c, Values: task.Table.Column(c).Select(MetadataGroup.Value).ToArray()))),
        ("Group", r => r.Name), ("Column", r => r.Column), ("Missing", r => r.Values.Count(v => v is null)), ("Different values", r => r.Values.OfType<string>().Distinct().Count())) with
    {
        Stamp = task.Definition.Stamp,
        Note = $"Missing: empty or UNK, of {task.Table.Count}. A missing number becomes the median of the training rows, a missing category a category of its own; in either case a column says so.",
    };

    /// <summary>Score of each arm, and its paired difference to the image alone and to the metadata alone.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static Table Scores(MultimodalRun run, int resamples = 1000)
    {
        var sets = run.Arms.GroupBy(a => (a.Model, a.Arm)).ToDictionary(g => g.Key, g => g.OrderBy(a => a.Seed).ToArray());
        TestRows[] Rows(string model, string arm) => [.. sets[(model, arm)].Select(a => a.Rows)];
        var pairs = sets.Keys.Where(k => k.Arm != "image")
            .SelectMany(k => new[] { "image", "metadata" }.Where(other => other != k.Arm)
            .Select(other => (Key: k, Other: other))).ToArray();
        int forDifferences = PairedTest.Resamples(resamples, pairs.Length);
        var compared = pairs.Select(p => (p.Key, p.Other,
            Difference: PairedTest.Difference(Rows(p.Key.Model, p.Key.Arm), Rows(p.Key.Model, p.Other),
            resamples: forDifferences))).ToArray();
        var adjusted = PairedTest.Holm(compared.Select(c => c.Difference));
        int At((string Model, string Arm) key, string other) => Array.FindIndex(compared, c => c.Key == key && c.Other == other);
        object Minus((string Model, string Arm) key, string other) => At(key, other) is var i and >= 0 ? Tables.Interval(compared[i].Difference.Difference) : "–";
        object P((string Model, string Arm) key, string other) => At(key, other) is var i and >= 0
            ? Tables.P(adjusted[i].P, adjusted[i].IsBound) : "–";
        TestRows first = run.Arms[0].Rows;
        var best = sets.Keys.Where(k => k.Arm is "late fusion" or "concatenation").MaxBy(k => Of(Rows(k.Model, k.Arm), null, resamples).Value);
        return Tables.From("Image, metadata, and both", sets.Keys,
            ("Model", k => k.Model), ("Arm", k => k.Arm), ("F1 [95 %]", k => Tables.Interval(Of(Rows(k.Model, k.Arm), null, resamples))), ("Balanced accuracy [95 %]", k => Tables.Interval(Of(Rows(k.Model, k.Arm), c => c.BalancedAccuracy, resamples))),
            ("Minus image [95 %]", k => Minus(k, "image")), ("p", k => P(k, "image")),
            ("Minus metadata [95 %]", k => Minus(k, "metadata")), ("p", k => P(k, "metadata")),
            ("Penalty C, by seed", k => string.Join("; ", sets[k].Select(a => Tables.Number(a.C))))) with
        {
            Stamp = Stamp(run),
            Headline = $"{Stamps.Bracket(Stamp(run))}{run.Task.Definition.Name}: {best.Model} with metadata by "
                + $"{best.Arm}, F1 {Tables.Interval(Of(Rows(best.Model, best.Arm), null, resamples))}; minus image "
                + $"alone {Minus(best, "image")} (p {P(best, "image")}), minus metadata alone "
                + $"{Minus(best, "metadata")} (p {P(best, "metadata")}), n = {first.Units.Distinct().Count()} test "
                + "patients.",
            Basis = new($"{first.Truth.Length} test images of {first.Units.Distinct().Count()} patients",
                Basis.Mean(sets.Values.Select(s => s.Length)), Basis.Bootstrap("test patients"),
                Basis.Paired("F1 of each arm minus image alone and minus metadata alone",
                $"the {compared.Length} differences", adjusted.Any(p => p.IsBound))),
            Note = "Every arm chooses its penalty from the same values, by F1 of its own calls out of fold over folds "
                + "of the training patients; late fusion has one for both regressions. With a frozen test part a seed "
                + "draws these folds and random weights, and nothing else. " + OneFit(sets),
        };
    }

    /// <summary>F1 of each arm for each model.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static BarFigure Figure(MultimodalRun run, int resamples = 1000)
    {
        BarSeries[] series = [.. run.Arms.GroupBy(a => a.Model).Select(m => new BarSeries(m.Key, [.. Multimodal.Arms.Select(arm => Of([.. m.Where(a => a.Arm == arm).Select(a => a.Rows)], null, resamples)).Select(Estimate.Of)]))];
        return new("multimodal", $"Image, metadata, and both: {run.Task.Definition.Name}", $"Bars are 95 % bootstrap intervals over {run.Arms[0].Rows.Units.Distinct().Count()} test patients. The arms are scored on the same patients, so overlapping bars do not settle a difference: the table pairs them.",
            $"Points with intervals for {series.Length} models in four arms: {string.Join("; ", series.Select(s => $"{s.Name} {string.Join(", ", Multimodal.Arms.Select((a, i) => $"{a} {s.Values[i]}"))}"))}.", [.. Multimodal.Arms], series, "Arm", "F1 (0-1)")
        { Points = true, Range = (0, 1), Stamp = Stamp(run) };
    }

    /// <summary>What each group of metadata adds to the others, and what it can do alone, out of fold on the training patients.</summary>
    /// <param name="run">The run.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static Table Groups(MultimodalRun run, int resamples = 1000)
    {
        TestRows all = run.Groups.Single(g => g.Kind == "all").Rows;
        string[] names = [.. run.Groups.Where(g => g.Kind == "without").Select(g => g.Group)];
        int forDifferences = PairedTest.Resamples(resamples, names.Length);
        TestRows Without(string name) => run.Groups.Single(g => g.Kind == "without" && g.Group == name).Rows;
        PairedDifference[] adds = [.. names.Select(n =>
            PairedTest.Difference([all], [Without(n)], resamples: forDifferences))];
        var adjusted = PairedTest.Holm(adds);
        return Tables.From($"Which metadata helps: F1 {Tables.Interval(Of([all], null, resamples))} with all of it", names.Index().OrderByDescending(n => adds[n.Index].Difference.Value),
            ("Group", n => n.Item), ("F1 that it adds to the others [95 %]",
            n => Tables.Interval(adds[n.Index].Difference)),
            ("p (Holm)", n => Tables.P(adjusted[n.Index].P, adjusted[n.Index].IsBound)),
            ("F1 alone [95 %]", n => Tables.Interval(Of([run.Groups.Single(g => g.Kind == "alone" && g.Group == n.Item).Rows], null, resamples)))) with
        {
            Stamp = run.Task.Definition.Stamp,
            Basis = new($"{all.Truth.Length} training images of {all.Units.Distinct().Count()} patients, each "
                + "predicted out of fold", "1, one set of folds", Basis.Bootstrap("these patients"),
                Basis.Paired("all metadata minus all without the group", $"the {names.Length} groups",
                adjusted.Any(p => p.IsBound))),
            Note = $"Metadata without images. A group that adds nothing may still tell much that the others tell too: see it alone.",
        };
    }

    /// <summary>Names the arms whose seeds all call alike: seeds of one fit have no spread, and are no further
    /// evidence.</summary>
    private static string OneFit(Dictionary<(string Model, string Arm), ArmRows[]> sets)
    {
        static bool Alike(ArmRows[] seeds) =>
            seeds.Length > 1 && seeds.All(a => a.Rows.Predicted.SequenceEqual(seeds[0].Rows.Predicted));
        string[] names = [.. sets.Where(s => Alike(s.Value)).Select(s => $"{s.Key.Arm} ({s.Key.Model})")];
        return names.Length == 0 ? "" : $"All seeds call alike, so that they count as one: {string.Join(", ", names)}.";
    }

    private static Interval Of(IReadOnlyList<TestRows> rows, Func<ClassCounts, double>? metric, int resamples)
    {
        (double value, double[] resampled) = Bootstrap.Mean(rows, metric, resamples);
        return Bootstrap.Percentiles(value, resampled);
    }

    private static string Stamp(MultimodalRun run) => Stamps.Join([run.Task.Definition.Stamp, .. run.Suite.Extractions.Select(e => e.Stamp)]);
}
