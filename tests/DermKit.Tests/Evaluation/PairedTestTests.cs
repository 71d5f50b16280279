using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class PairedTestTests
{
    private static TestRows Rows(string task, int[] truth, int[] predicted, string set = "set") =>
        new(task, set, 2, [.. Enumerable.Range(0, truth.Length).Select(i => $"row {i}")], truth, predicted);

    private static (int[] Truth, int[] Good, int[] Bad) Models(int seed)
    {
        var random = new Random(seed);
        int[] truth = [.. Enumerable.Range(0, 200).Select(i => i % 2)];
        int[] Predict(double right) => [.. truth.Select(t => random.NextDouble() < right ? t : 1 - t)];
        return (truth, Predict(0.9), Predict(0.7));
    }

    [Fact]
    public void ABetterModelIsFoundBetterAndAnEqualOneIsNot()
    {
        (int[] truth, int[] good, int[] bad) = Models(1);
        PairedDifference found = PairedTest.Difference([Rows("t", truth, good)], [Rows("t", truth, bad)]);
        Assert.True(found.Difference.Low > 0 && found.P < 0.01);
        Assert.Equal(ClassCounts.Of(truth, good, 2).F1(1) - ClassCounts.Of(truth, bad, 2).F1(1), found.Difference.Value, 12);
        PairedDifference same = PairedTest.Difference([Rows("t", truth, good)], [Rows("t", truth, good)]);
        Assert.Equal(new Interval(0, 0, 0), same.Difference);
        Assert.Equal(1, same.P);
    }

    [Fact]
    public void PairingMakesTheIntervalNarrowerThanTwoSeparateOnes()
    {
        (int[] truth, int[] good, _) = Models(2);
        int[] almost = (int[])good.Clone();
        for (int i = 0; i < 6; i++) almost[i * 30] = 1 - truth[i * 30];
        Interval paired = PairedTest.Difference([Rows("t", truth, good)], [Rows("t", truth, almost)]).Difference;
        (double value, double[] values) = Bootstrap.Mean([Rows("t", truth, good)]);
        Interval single = Bootstrap.Percentiles(value, values);
        Assert.True(paired.High - paired.Low < single.High - single.Low);
    }

    [Fact]
    public void SeedsOfATaskAreAveragedBeforeTasksAre()
    {
        int[] truth = [0, 1, 0, 1];
        (double value, _) = Bootstrap.Mean([Rows("a", truth, truth), Rows("a", truth, truth), Rows("a", truth, truth), Rows("b", truth, [1, 0, 1, 0])], c => c.Accuracy, 10);
        Assert.Equal(0.5, value, 12);
    }

    [Fact]
    public void TasksOfOneDataSetAreResampledTogether()
    {
        (int[] truth, int[] good, _) = Models(3);
        double Width(string other)
        {
            (double value, double[] values) = Bootstrap.Mean([Rows("a", truth, good), Rows("b", truth, good, other)], resamples: 2000);
            Interval interval = Bootstrap.Percentiles(value, values);
            return interval.High - interval.Low;
        }
        // The same rows under two names say no more than once; a second data set does.
        (double one, double[] alone) = Bootstrap.Mean([Rows("a", truth, good)], resamples: 2000);
        Interval single = Bootstrap.Percentiles(one, alone);
        Assert.Equal(single.High - single.Low, Width("set"), 12);
        Assert.True(Width("other set") < 0.85 * Width("set"));
    }

    [Fact]
    public void OtherTestRowsAreRefused()
    {
        Assert.Contains("other test rows", Assert.Throws<KitException>(() => PairedTest.Difference([Rows("a", [0, 1], [0, 1])], [Rows("a", [1, 1], [0, 1])])).Message);
        Assert.Contains("1 results", Assert.Throws<KitException>(() => PairedTest.Difference([Rows("a", [0, 1], [0, 1])], [])).Message);
        Assert.Contains("at least one", Assert.Throws<KitException>(() => Bootstrap.Mean([])).Message);
    }

    [Fact]
    public void HolmIsThatOfTheTextbook() =>
        Assert.Equal([0.06, 0.06, 0.03, 0.02], PairedTest.Holm([0.03, 0.04, 0.01, 0.005]).Select(p => Math.Round(p, 12)));

    [Fact]
    public void SignedRankIsExactAndRefusesTooFewDataSets()
    {
        (string, double, double)[] tasks = [.. new[] { 1.0, 2, 3, 4, 5, 6, 7, -8 }.Select((d, i) => ($"set {i}", d, 0.0))];
        SignedRankResult result = PairedTest.SignedRank(tasks);
        Assert.Equal(8, result.Statistic);
        // Of the 256 sign patterns 25 have a rank sum of at most 8 (partitions of 0 to 8 into distinct parts).
        Assert.Equal(2 * 25 / 256.0, result.P!.Value, 12);
        Assert.Equal(2 / 256.0, PairedTest.SignedRank([.. tasks.Select(t => (t.Item1, Math.Abs(t.Item2), 0.0))]).P!.Value, 12);
        SignedRankResult refused = PairedTest.SignedRank([.. tasks.Take(7), ("set 0", 8, 0)]);
        Assert.Null(refused.P);
        Assert.Contains("7 distinct", refused.Refused);
        Assert.Equal(1, PairedTest.SignedRank([.. tasks.Select(t => (t.Item1, 0.0, 0.0))]).P);
    }

    [Fact]
    public void MeanRanksShareTies()
    {
        (string, double[])[] scores = [.. Enumerable.Range(0, 8).Select(i => ($"set {i}", new[] { 0.9, i < 4 ? 0.9 : 0.1, 0.5 }))];
        Assert.Equal([1.25, 2.25, 2.5], PairedTest.MeanRanks(scores)!);
        Assert.Null(PairedTest.MeanRanks(scores[..7]));
    }
}
