using DermKit.Studies;
using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Tests.Evaluation;

namespace DermKit.Tests.Studies;

public sealed class RareReportTests
{
    private static ClassRows[] Rows => [RareConditionsTests.Rows(),
        RareConditionsTests.Rows("b", predicted: [0, 0, 0, 0, 1, 1, 1, 1, 0]), RareConditionsTests.Rows(probe: "knn"),
        RareConditionsTests.Rows("b", "knn")];

    [Fact]
    public void ClassesStandByTrainingImagesAndTheOneWithoutATestImageSaysSo()
    {
        Table classes = RareReport.Classes([RareConditionsTests.Task()], RareConditionsTests.Plan);
        Assert.Equal(["d", "c", "b", "a"], classes.Rows.Select(r => r[1]));
        Assert.Equal(["", "rare", "rare", ""], classes.Rows.Select(r => r[2]));
        Assert.Equal(["no test image", 10, 20, 30], classes.Rows.Select(r => r[5]));
        Assert.Equal(("SYNTHETIC", true),
            (classes.Stamp, classes.Note.Contains("rounded up", StringComparison.Ordinal)));
        Assert.Contains("the rarest class keeps 12 training",
            RareReport.Classes([RareConditionsTests.Task()], RareConditionsTests.Plan with { Fewest = 12 }).Note,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ScoresHaveARowForEachModelAndNoNumberIsMadeUp()
    {
        IReadOnlyList<ClassScore> scores = RareConditionScores.Of(Rows, 50);
        Table table = RareReport.Scores(scores, "nine", "recall");
        Assert.Equal(["Class", "n train", "n test (units)", "Model", "linear", "knn"], table.Columns);
        Assert.Equal(["gone", "gone", "rare", "rare", "some", "some", "often", "often"], table.Rows.Select(r => r[0]));
        Assert.All(table.Rows[0].Skip(4), cell => Assert.Equal("no test image", cell));
        Assert.Equal(("m", "b"), (table.Rows[2][3], table.Rows[3][3]));
        Assert.Equal("1", table.Footnote!.Seeds);
        Assert.StartsWith("0.50 [", (string)table.Rows[2][4]!, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", table.ToHtml(), StringComparison.Ordinal);
        Assert.Contains("there are f1 of nine",
            Assert.Throws<KitException>(() => RareReport.Scores(scores, "ten", "f1")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TheFigureHasAGroupOfPointsForEachModelOverTrainingImages()
    {
        IReadOnlyList<ClassScore> scores = RareConditionScores.Of(Rows, 50);
        ScatterFigure figure = RareReport.Figure(scores, "nine", "f1");
        Assert.Equal(["m", "b"], figure.Groups.Select(g => g.Name));
        Assert.All(figure.Groups, g => Assert.Equal([5.0, 40, 100], g.X));
        Assert.Null(figure.Groups[0].Labels);
        Assert.Equal(["rare", "some", "often"], figure.Groups[1].Labels);
        Assert.Equal([5.0, 10, 20, 50, 100], figure.XTicks);
        Assert.Contains("Without a test image and not shown: gone.", figure.Caption, StringComparison.Ordinal);
        Assert.Contains("rare 2, some 3, often 4", figure.Caption, StringComparison.Ordinal);
        Assert.StartsWith("nine, rarest class rare (5 training images), linear probe: F1 0.50", figure.Headline,
            StringComparison.Ordinal);
        Assert.Empty(RareReport.Figure(scores, "nine", "auroc").Headline);
        // Drawn apart; the table of the data has the true places.
        Assert.DoesNotContain("\"x\":[5.0,", FigureRenderer.PlotlySpec(figure), StringComparison.Ordinal);
        Assert.Equal(5.0, figure.Data().Rows[0][2]);
        Assert.Contains("no f1 with the probe x",
            Assert.Throws<KitException>(() => RareReport.Figure(scores, "nine", "f1", "x")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void DifferencesCountWhatIsFoundAndSayWhatTheNumbersAllow()
    {
        IReadOnlyList<ClassDifference> differences = [.. RareConditionScores.Differences(Rows,
            (_, probe) => ("b", probe), "f1", 200).Select(d => d with { Stamp = "SYNTHETIC" })];
        Table table = RareReport.Differences(differences, "F1, minus b", "Classes against b");
        Assert.Equal(8, table.Rows.Count);
        Assert.Equal(("1", "minus b, linear; b, knn, on the same resamples; two-sided p of that bootstrap, Holm over "
            + "all 6 differences of every task, model, probe and class"),
            (table.Footnote!.Seeds, table.Footnote.Comparison));
        Assert.Equal(("no test image", "–"), (table.Rows[0][6], table.Rows[0][7]));
        int up = differences.Count(d => d.AdjustedP < 0.05 && d.Difference!.Difference.Value > 0),
            down = differences.Count(d => d.AdjustedP < 0.05 && d.Difference!.Difference.Value < 0);
        Assert.StartsWith($"[SYNTHETIC] Classes against b: above on {up}, below on {down} of 6 pairs", table.Headline,
            StringComparison.Ordinal);
        Assert.Empty(RareReport.Differences(differences, "F1").Headline);
        Table allows = RareReport.Allows(differences);
        Assert.Equal(6, allows.Rows.Count);
        // The linear probes differ on the rare class, and two images are too few; the kNN probes
        // call alike, which says nothing.
        Assert.Equal(("rare", "no, too few"), (allows.Rows[0][1], allows.Rows[0][7]));
        Assert.Equal(DetectableDifference.ErrorsToFind(6)
            * differences.First(d => d.Size.Class == "rare").StandardError,
            (double)allows.Rows[0][5]!, 12);
        Assert.Contains("over 6 comparisons", allows.Note, StringComparison.Ordinal);
        Assert.Equal(("rare", "–", "not known"), (allows.Rows[3][1], allows.Rows[3][4], allows.Rows[3][7]));
        Assert.Equal(1 - Math.Sqrt(0.05), (double)allows.Rows[0][8]!, 12);
        Assert.Equal("yes", RareReport.Allows(differences, 100).Rows[0][7]);
    }

    [Fact]
    public void CurvesOfARareClassStandBesideAllLabels()
    {
        ProbeTask task = RareConditionsTests.Task();
        LabelCurve Curve(string score, string probe, int seed) => LabelSavingTests.Curve("one", "m", seed,
            n => 0.2 + 0.05 * Math.Log(n), 0.002, probe) with
        {
            Score = score,
            Stamp = "SYNTHETIC"
        };
        IReadOnlyList<MeanCurve> curves =
            LabelMeans.Of(new[]
            {
                "f1 of c", "recall of c"
            }.SelectMany(s =>
                new[] { "knn", "linear" }.SelectMany(p => new[] { 1, 9 }.Select(seed => Curve(s, p, seed)))));
        ClassScore Score(string probe, double value) =>
            new(new("one", "c", 40, 10, 8), "m", probe, "f1", new(value, value - 0.1, value + 0.1), "SYNTHETIC");
        ClassScore[] scores = [Score("knn", 0.3), Score("linear", 0.4), Score(RareConditions.Weighted, 0.5)];
        LineFigure figure = RareReport.FewShot(curves, scores, task, "c");
        Assert.Equal(["m, knn", "m, linear"], figure.Series.Select(s => s.Name));
        Assert.True(figure.LogX);
        Assert.Equal("SYNTHETIC", figure.Stamp);
        Assert.Contains("10 of them c. With all labels, as frequent as they are (40 of c): m, knn 0.30 [0.20, 0.40]; "
            + "m, linear 0.40 [0.30, 0.50]; m, linear, weighted 0.50", figure.Caption, StringComparison.Ordinal);
        Table table = RareReport.FewShot(curves, scores, task, [2], "f1");
        Assert.Equal(["Class", "Model", "Probe", "n = 1", "n = 10", "n = 100", "all labels", "all, weighted"],
            table.Columns);
        Assert.Matches(@"^2 seeds x \d+ draws, averaged$", table.Footnote!.Seeds);
        Assert.Equal(("0.30 [0.20, 0.40]", "–"), (table.Rows[0][6], table.Rows[0][7]));
        Assert.Equal(("0.40 [0.30, 0.50]", "0.50 [0.40, 0.60]"), (table.Rows[1][6], table.Rows[1][7]));
        Assert.Contains("there are f1 of c on one",
            Assert.Throws<KitException>(() => RareReport.FewShot(curves, scores, task, "b")).Message,
            StringComparison.Ordinal);
    }
}
