using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class MetricsTests
{
    [Fact]
    public void AnAbsentClassCountsAsScikitLearnCountsIt()
    {
        // Class 2 is neither in the labels nor predicted; class 3 is predicted once and has no rows.
        ClassCounts counts = ClassCounts.Of([0, 0, 1, 1], [0, 1, 1, 3], 4);
        Assert.Equal((2.0 / 3 + 0.5 + 0) / 3, counts.F1Macro, 12);
        Assert.Equal((2.0 / 3 + 0.5 + 0) / 4, Enumerable.Range(0, 4).Average(counts.F1), 12);
        Assert.Equal(0.5, counts.BalancedAccuracy, 12);
        Assert.Equal(0, counts.Precision(2));
    }

    [Fact]
    public void ThePaperScoreIsBinaryForTwoClassesAndMacroForMore()
    {
        Assert.Equal(0.8, ClassCounts.Of([1, 1, 0, 0], [1, 1, 1, 0], 2).PaperF1(), 12);
        ClassCounts three = ClassCounts.Of([0, 1, 2], [0, 1, 1], 3);
        Assert.Equal(three.F1Macro, three.PaperF1());
    }

    [Fact]
    public void WhatIsUndefinedIsNaN()
    {
        double[,] p = { { 0.2, 0.8 }, { 0.6, 0.4 } };
        var rows = new ScoredRows([1, 1], [1, 0], p);
        var all = Metric.All.ToDictionary(m => m.Name, m => m.Of(rows));
        Assert.True(double.IsNaN(all["auroc"]));
        Assert.Equal(0.5, all["accuracy"]);
        Assert.True(double.IsNaN(new Ranking([0.1, 0.2]).AveragePrecision([false, false])));
        Assert.True(
            double.IsNaN(
                new ScoredRows([0, 1, 1], [0, 1, 1], new double[,] { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 1, 0 } }).Auroc));
        Assert.True(double.IsNaN(Parity.ReferenceMetrics.Gap([], c => c.Accuracy).Gap));
        Assert.True(double.IsNaN(Bootstrap.Percentiles(1, [double.NaN]).Low));
    }

    [Fact]
    public void TiesInTheScoreCountOneHalf()
    {
        var ranking = new Ranking([0.5, 0.5, 0.9, 0.5]);
        // Pairs: 0.9 beats both negatives, 0.5 ties with both.
        Assert.Equal(0.75, ranking.Auroc([true, false, true, false]), 12);
        Assert.Equal(3, ranking.RocPoints);
    }

    [Fact]
    public void WeightsCountRowsAgain()
    {
        bool[] positive = [true, false, true, false, true];
        double[] scores = [0.3, 0.4, 0.9, 0.1, 0.4];
        int[] rows = [0, 0, 1, 3, 3, 3, 4];
        double expected = new Ranking([.. rows.Select(r => scores[r])]).Auroc([.. rows.Select(r => positive[r])]);
        Assert.Equal(expected, new Ranking(scores).Auroc(positive, [2, 1, 0, 3, 1]), 12);
    }

    [Fact]
    public void GroupsWithoutANameAreLeftOut()
    {
        var groups = Parity.ReferenceMetrics.ByGroup(["II", null, "I", "II"], [0, 0, 1, 1], [0, 1, 1, 0], 2);
        Assert.Equal(["I", "II"], groups.Keys);
        Assert.Equal(2, groups["II"].Rows);
        Assert.Equal(0.5, groups["II"].Accuracy);
        Assert.Empty(Parity.ReferenceMetrics.ByGroup([null], [0], [0], 1));
    }

    [Fact]
    public void LabelsOutOfRangeAndOfOtherLengthAreRefused()
    {
        Assert.Contains("row 1 has label 2",
            Assert.Throws<KitException>(() => ClassCounts.Of([0, 2], [0, 0], 2)).Message);
        Assert.Contains("row 0 has label 0 and prediction -1",
            Assert.Throws<KitException>(() => Metrics.ConfusionMatrix([0], [-1], 2)).Message);
        Assert.Contains("2 labels but 1", Assert.Throws<KitException>(() => ClassCounts.Of([0, 1], [0], 2)).Message);
    }

    [Fact]
    public void ResamplesKeepUnitsTogetherAndFollowTheSeed()
    {
        string?[] units = ["a", "a", "b", null, null, "b", "c"];
        ushort[][] Draw(int seed) => Bootstrap.Over(units, 500, seed, rows => (ushort[])rows.Clone());
        ushort[][] draws = Draw(3);
        Assert.All(draws, d =>
        {
            Assert.Equal(d[0], d[1]);
            Assert.Equal(d[2], d[5]);
            Assert.Equal(5, d[0] + d[2] + d[3] + d[4] + d[6]);
        });
        Assert.Contains(draws, d => d[3] != d[4]);
        Assert.Equal(1, draws.Average(d => d[0]), 0.15);
        Assert.Equal(draws, Draw(3));
        Assert.NotEqual(draws, Draw(4));
    }

    [Fact]
    public void UnitsWidenTheIntervalWhenTheirRowsAgree()
    {
        int[] truth = new int[200], predicted = [.. Enumerable.Range(0, 200).Select(i => i / 20 % 2)];
        double Width(Func<int, string> unit)
        {
            double[] values = Bootstrap.Over([.. Enumerable.Range(0, 200).Select(unit)], 1000, 1,
                w => ClassCounts.Of(truth, predicted, 2, w).Accuracy);
            Interval interval = Bootstrap.Percentiles(0.5, values);
            return interval.High - interval.Low;
        }
        Assert.True(Width(i => $"patient {i / 20}") > 3 * Width(i => $"image {i}"));
    }

    [Fact]
    public void TheIntervalCoversTheTruthAboutAsOftenAsItSays()
    {
        var random = new Random(1);
        int covered = 0;
        for (int trial = 0; trial < 300; trial++)
        {
            int[] truth = new int[150],
                predicted = [.. Enumerable.Range(0, 150).Select(_ => random.NextDouble() < 0.7 ? 0 : 1)];
            double[] values = Bootstrap.Over(new string?[150], 400, trial,
                w => ClassCounts.Of(truth, predicted, 2, w).Accuracy);
            Interval interval = Bootstrap.Percentiles(0, values);
            if (interval.Low <= 0.7 && interval.High >= 0.7) covered++;
        }
        Assert.InRange(covered / 300.0, 0.9, 0.985);
    }
}
