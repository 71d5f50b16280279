using DermKit.Evaluation;
using DermKit.Studies;

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
        Assert.Equal(ClassCounts.Of(truth, good, 2).F1(1) - ClassCounts.Of(truth, bad, 2).F1(1),
            found.Difference.Value, 12);
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
        (double value, _) = Bootstrap.Mean([Rows("a", truth, truth), Rows("a", truth, truth), Rows("a", truth, truth),
            Rows("b", truth, [1, 0, 1, 0])], c => c.Accuracy, 10);
        Assert.Equal(0.5, value, 12);
    }

    [Fact]
    public void TasksOfOneDataSetAreResampledTogether()
    {
        (int[] truth, int[] good, _) = Models(3);
        double Width(string other)
        {
            (double value, double[] values) = Bootstrap.Mean([Rows("a", truth, good), Rows("b", truth, good, other)],
                resamples: 2000);
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
        Assert.Contains("other test rows",
            Assert.Throws<KitException>(() =>
                PairedTest.Difference([Rows("a", [0, 1], [0, 1])], [Rows("a", [1, 1], [0, 1])])).Message);
        Assert.Contains("1 results",
            Assert.Throws<KitException>(() => PairedTest.Difference([Rows("a", [0, 1], [0, 1])], [])).Message);
        Assert.Contains("at least one", Assert.Throws<KitException>(() => Bootstrap.Mean([])).Message);
    }

    [Fact]
    public void HolmIsThatOfTheTextbook() =>
        Assert.Equal([0.06, 0.06, 0.03, 0.02],
            PairedTest.Holm([0.03, 0.04, 0.01, 0.005]).Select(p => Math.Round(p, 12)));

    [Fact]
    public void ResamplesGrowWithTheFamilySoThatHolmCanFindWhatIsThere()
    {
        Assert.Equal((1000, 1000, 4000), (PairedTest.Resamples(1000, 1), PairedTest.Resamples(1000, 10),
            PairedTest.Resamples(1000, 40)));
        foreach (int family in new[] { 1, 7, 40, 550 })
        {
            int resamples = PairedTest.Resamples(100, family);
            Assert.InRange(resamples, 40 * family, int.MaxValue);
            Assert.InRange(family * 2.0 / (resamples + 1), 0, 0.02);
        }
    }

    [Fact]
    public void APThatNoResampleContradictsIsAnUpperBound()
    {
        PairedDifference none = PairedDifference.Of(0.2, [.. Enumerable.Repeat(0.2, 99)]);
        Assert.Equal((0.02, true), (none.P, none.IsBound));
        PairedDifference one = PairedDifference.Of(0.2, [-0.1, .. Enumerable.Repeat(0.2, 98)]);
        Assert.Equal((0.04, false), (one.P, one.IsBound));
        // Undefined resamples say nothing, and without a defined one there is no bound.
        Assert.Equal(2 / 50.0, PairedDifference.Of(0.2,
            [.. Enumerable.Repeat(0.2, 49), .. Enumerable.Repeat(double.NaN, 50)]).P, 12);
        PairedDifference undefined = PairedDifference.Of(0.2, [double.NaN, double.NaN]);
        Assert.Equal((1, false), (undefined.P, undefined.IsBound));
        PairedDifference same = PairedDifference.Of(0, [0, 0, 0]);
        Assert.Equal((1, false), (same.P, same.IsBound));
    }

    [Fact]
    public void ACorrectedPThatRestsOnABoundIsOne()
    {
        (double P, bool IsBound)[] family = [(0.3, false), (0.002, true), (0.002, true), (0.0021, false),
            (0.004, false)];
        var adjusted = PairedTest.Holm(family);
        // 5 x 0.002 stands for both bounds and for what Holm does not let fall below it; 2 x 0.004 is less than that
        // too.
        Assert.Equal([0.3, 0.01, 0.01, 0.01, 0.01], adjusted.Select(a => Math.Round(a.P, 12)));
        Assert.Equal([false, true, true, true, true], adjusted.Select(a => a.IsBound));
        Assert.Equal([(1, false), (1, false)], PairedTest.Holm([(0.6, true), (0.6, true)]));
    }

    private sealed record Tested : TestedDifference;

    [Theory]
    // Quantiles of the normal distribution at 1 - 0.05 / (2 m) and at 0.8.
    [InlineData(1, 1.959963985 + 0.841621234)]
    [InlineData(4, 2.497705474 + 0.841621234)]
    [InlineData(16, 2.955166847 + 0.841621234)]
    public void WhatIsFoundFourTimesInFiveIsThatOfTheCorrectedTest(int comparisons, double errors)
    {
        Assert.Equal(errors, DetectableDifference.ErrorsToFind(comparisons), 6);
        var tested = new Tested { StandardError = 0.05, Family = comparisons };
        Assert.Equal(0.05 * errors, tested.Detectable, 6);
        Assert.Equal(errors * errors / 4, tested.TimesTheUnits(0.1), 6);
        // A difference of that size passes the corrected test four times in five.
        var random = new Random(3);
        double critical = errors - 0.841621234;
        int found = Enumerable.Range(0, 20000).Count(_ => Math.Abs(errors + Gauss(random)) > critical);
        Assert.InRange(found / 20000.0, 0.79, 0.81);
    }

    private static double Gauss(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    [Theory]
    // Names and seeds that a sum or a polynomial of their characters does not tell apart.
    [InlineData("Aa", 1, "BB", 1)]
    [InlineData("b", 1, "C", 2)]
    [InlineData("set", 1, "set", 2)]
    [InlineData("set", 1, "tes", 1)]
    public void DataSetsAndSeedsHaveIndependentDraws(string set, int seed, string other, int otherSeed)
    {
        (int[] truth, int[] good, _) = Models(4);
        double[] a = Bootstrap.Mean([Rows("t", truth, good, set)], resamples: 2000, seed: seed).Resampled;
        double[] b = Bootstrap.Mean([Rows("t", truth, good, other)], resamples: 2000, seed: otherSeed).Resampled;
        Assert.InRange(Correlation(a, b), -0.1, 0.1);
        // Nor is one the other a few resamples later.
        for (int shift = 1; shift < 4; shift++) Assert.InRange(Correlation(a[shift..], b[..^shift]), -0.1, 0.1);
    }

    private static double Correlation(double[] a, double[] b)
    {
        double meanA = a.Average();
        double meanB = b.Average();
        double both = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        return both / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
    }

    [Fact]
    public void SignedRankIsExactAndRefusesTooFewDataSets()
    {
        (string, double, double)[] tasks =
            [.. new[] { 1.0, 2, 3, 4, 5, 6, 7, -8 }.Select((d, i) => ($"set {i}", d, 0.0))];
        (double p, double sum) = PairedTest.SignedRank(tasks)!.Value;
        Assert.Equal(8, sum);
        // Of the 256 sign patterns 25 have a rank sum of at most 8 (partitions of 0 to 8 into distinct parts).
        Assert.Equal(2 * 25 / 256.0, p, 12);
        Assert.Equal(2 / 256.0,
            PairedTest.SignedRank([.. tasks.Select(t => (t.Item1, Math.Abs(t.Item2), 0.0))])!.Value.P, 12);
        Assert.Null(PairedTest.SignedRank([.. tasks.Take(7), ("set 0", 8, 0)]));
        Assert.Equal(1, PairedTest.SignedRank([.. tasks.Select(t => (t.Item1, 0.0, 0.0))])!.Value.P);
    }

    [Fact]
    public void MeanRanksShareTies()
    {
        (string, double[])[] scores = [.. Enumerable.Range(0, 8)
            .Select(i => ($"set {i}", new[] { 0.9, i < 4 ? 0.9 : 0.1, 0.5 }))];
        Assert.Equal([1.25, 2.25, 2.5], PairedTest.MeanRanks(scores)!);
        Assert.Null(PairedTest.MeanRanks(scores[..7]));
    }
}
