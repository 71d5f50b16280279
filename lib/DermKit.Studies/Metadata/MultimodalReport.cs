namespace DermKit.Studies;

/// <summary>Tables and figures of image features with and without metadata.</summary>
public static class MultimodalReport
{
    private sealed record ArmDifference(string Model, string Arm, string Other) : TestedDifference;

    private sealed record GroupDifference(string Group) : TestedDifference;

    /// <summary>Images of each class with metadata. Where the share differs, missing values tell the
    /// diagnosis.</summary>
    public static Table Recorded(ProbeTask all, ProbeTask kept)
    {
        static int Images(ProbeTask task, int c) => task.Labels.Count(l => l == c);
        return Tables.From("Images with metadata, by class", all.ClassNames.Index(),
            ("Class", c => c.Item), ("Images", c => Images(all, c.Index)),
            ("With metadata", c => Images(kept, c.Index)),
            ("Share", c => Tables.Percent(Images(kept, c.Index) / (double)Images(all, c.Index)))) with
        {
            Stamp = all.Definition.Stamp,
            Note = $"{all.Table.Count - kept.Table.Count} images without metadata take no part in what follows. Where "
                + "the share differs between classes, whether metadata was recorded tells the class by itself.",
        };
    }

    /// <summary>The metadata groups, their columns and missing values.</summary>
    public static Table Missing(ProbeTask task)
    {
        var columns = MetadataGroup.In(task.Table).SelectMany(g => g.Columns.Select(c =>
            (Group: g.Name, Column: c, Values: task.Table.Column(c).Select(MetadataGroup.Value).ToArray())));
        return Tables.From("Metadata of these images", columns,
            ("Group", r => r.Group), ("Column", r => r.Column), ("Missing", r => r.Values.Count(v => v is null)),
            ("Different values", r => r.Values.OfType<string>().Distinct().Count())) with
        {
            Stamp = task.Definition.Stamp,
            Note = $"Missing: empty or UNK, of {task.Table.Count}. A missing number becomes the training median, a "
                + "missing category its own category; a column says so.",
        };
    }

    /// <summary>Scores of the arms, paired with image alone and metadata alone.</summary>
    public static Table Scores(MultimodalRun run, int resamples = 1000)
    {
        var sets = run.Arms.GroupBy(a => (a.Model, a.Arm))
            .ToDictionary(g => g.Key, g => g.OrderBy(a => a.Seed).ToArray());
        TestRows[] Rows(string model, string arm) => [.. sets[(model, arm)].Select(a => a.Rows)];
        var pairs = sets.Keys.Where(k => k.Arm != "image").SelectMany(k =>
            new[] { "image", "metadata" }.Where(other => other != k.Arm).Select(other => (Key: k, Other: other)))
            .ToArray();
        int forDifferences = PairedTest.Resamples(resamples, pairs.Length);
        ArmDifference[] compared = TestedDifference.Correct(pairs.Select(p =>
            new ArmDifference(p.Key.Model, p.Key.Arm, p.Other)
            {
                Difference = PairedTest.Difference(Rows(p.Key.Model, p.Key.Arm), Rows(p.Key.Model, p.Other),
                    resamples: forDifferences),
            }));
        ArmDifference? Minus((string Model, string Arm) key, string other) =>
            compared.FirstOrDefault(c => (c.Model, c.Arm, c.Other) == (key.Model, key.Arm, other));
        string Shown((string, string) key, string other) => Minus(key, other)?.Shown ?? "–";
        string P((string, string) key, string other) => Minus(key, other)?.ShownP ?? "–";
        string F1((string Model, string Arm) key) =>
            Tables.Interval(Bootstrap.MeanInterval(Rows(key.Model, key.Arm), null, resamples));
        string Balanced((string Model, string Arm) key) =>
            Tables.Interval(Bootstrap.MeanInterval(Rows(key.Model, key.Arm), c => c.BalancedAccuracy, resamples));
        var best = sets.Keys.Where(k => k.Arm is "late fusion" or "concatenation")
            .MaxBy(k => Bootstrap.Mean(Rows(k.Model, k.Arm), null, 0).Value);
        TestRows first = run.Arms[0].Rows;
        int patients = first.Units.Distinct().Count();
        return Tables.From("Image, metadata, and both", sets.Keys,
            ("Model", k => k.Model), ("Arm", k => k.Arm), ("F1 [95 %]", k => F1(k)),
            ("Balanced accuracy [95 %]", k => Balanced(k)),
            ("Minus image [95 %]", k => Shown(k, "image")), ("p", k => P(k, "image")),
            ("Minus metadata [95 %]", k => Shown(k, "metadata")), ("p", k => P(k, "metadata")),
            ("Penalty C, by seed", k => string.Join("; ", sets[k].Select(a => Tables.Number(a.C))))) with
        {
            Stamp = Stamp(run),
            Headline = $"{Stamps.Bracket(Stamp(run))}{run.Task.Definition.Name}: {best.Model} with metadata by "
                + $"{best.Arm}, F1 {F1(best)}; minus image alone {Shown(best, "image")} (p {P(best, "image")}), minus "
                + $"metadata alone {Shown(best, "metadata")} (p {P(best, "metadata")}), n = {patients} test patients.",
            Footnote = new($"{first.Truth.Length} test images of {patients} patients",
                TableFootnote.Mean(sets.Values.Select(s => s.Length)), TableFootnote.Bootstrap("test patients"),
                TableFootnote.Paired("F1 of each arm minus image alone and minus metadata alone",
                $"the {compared.Length} differences", compared.Any(c => c.IsBound))),
            Note = "Every arm chooses its penalty by F1 of its own out-of-fold predictions on the training patients; "
                + "late fusion has one for both regressions. With a frozen test part a seed draws only these folds and "
                + "random weights. " + OneFit(sets),
        };
    }

    /// <summary>F1 of each arm and model.</summary>
    public static BarFigure Figure(MultimodalRun run, int resamples = 1000)
    {
        Estimate F1(IEnumerable<ArmRows> model, string arm) => Estimate.Of(
            Bootstrap.MeanInterval([.. model.Where(a => a.Arm == arm).Select(a => a.Rows)], null, resamples));
        BarSeries[] series = [.. run.Arms.GroupBy(a => a.Model).Select(m =>
            new BarSeries(m.Key, [.. Multimodal.Arms.Select(arm => F1(m, arm))]))];
        int patients = run.Arms[0].Rows.Units.Distinct().Count();
        return new("multimodal", $"Image, metadata, and both: {run.Task.Definition.Name}",
            $"Bars are 95 % bootstrap intervals over {patients} test patients. Overlapping bars do not settle a "
            + "difference: the table pairs the arms.",
            $"Points with intervals for {series.Length} models in four arms: "
            + $"{StudyReport.Listed(series, Multimodal.Arms)}.",
            [.. Multimodal.Arms], series, "Arm", "F1 (0-1)")
        {
            Points = true,
            Range = (0, 1),
            Stamp = Stamp(run),
        };
    }

    /// <summary>What each metadata group adds to the others, and its score alone, out of fold.</summary>
    public static Table Groups(MultimodalRun run, int resamples = 1000)
    {
        TestRows Rows(string kind, string group) => run.Groups.Single(g => g.Kind == kind && g.Group == group).Rows;
        TestRows all = Rows("all", "");
        string F1(TestRows rows) => Tables.Interval(Bootstrap.MeanInterval([rows], null, resamples));
        string[] names = [.. run.Groups.Where(g => g.Kind == "without").Select(g => g.Group)];
        int forDifferences = PairedTest.Resamples(resamples, names.Length);
        GroupDifference[] adds = TestedDifference.Correct(names.Select(name => new GroupDifference(name)
        {
            Difference = PairedTest.Difference([all], [Rows("without", name)], resamples: forDifferences),
        }));
        return Tables.From($"Which metadata helps: F1 {F1(all)} with all of it",
            adds.OrderByDescending(a => a.Difference!.Difference.Value),
            ("Group", a => a.Group), ("F1 that it adds to the others [95 %]", a => a.Shown),
            ("p (Holm)", a => a.ShownP), ("F1 alone [95 %]", a => F1(Rows("alone", a.Group)))) with
        {
            Stamp = run.Task.Definition.Stamp,
            Footnote = new($"{all.Truth.Length} training images of {all.Units.Distinct().Count()} patients, each "
                + "predicted out of fold", "1, one set of folds", TableFootnote.Bootstrap("these patients"),
                TableFootnote.Paired("all metadata minus all without the group", $"the {names.Length} groups",
                adds.Any(a => a.IsBound))),
            Note = "A group that adds nothing may still tell what the others tell too.",
        };
    }

    // Seeds with the same predictions have no spread and are no further evidence.
    private static string OneFit(Dictionary<(string Model, string Arm), ArmRows[]> sets)
    {
        static bool Alike(ArmRows[] seeds) =>
            seeds.Length > 1 && seeds.All(a => a.Rows.Predicted.SequenceEqual(seeds[0].Rows.Predicted));
        string[] names = [.. sets.Where(s => Alike(s.Value)).Select(s => $"{s.Key.Arm} ({s.Key.Model})")];
        return names.Length == 0 ? ""
            : $"All seeds give the same predictions, so that they count as one: {string.Join(", ", names)}.";
    }

    private static string Stamp(MultimodalRun run) =>
        Stamps.Join([run.Task.Definition.Stamp, .. run.Suite.Extractions.Select(e => e.Stamp)]);
}
