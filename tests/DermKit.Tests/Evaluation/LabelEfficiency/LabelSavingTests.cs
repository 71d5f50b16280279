using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class LabelSavingTests
{
    private static readonly int[] Sizes = [1, 10, 100];

    [Fact]
    public void HalfTheLabelsIsARatioOfTwo()
    {
        // F1 = 0.2 + 0.1 ln n, and the same with twice the labels.
        double[] baseline = [.. Sizes.Select(n => 0.2 + 0.1 * Math.Log(n))],
            model = [.. Sizes.Select(n => 0.2 + 0.1 * Math.Log(2 * n))];
        IReadOnlyList<SizeSaving> savings = LabelSaving.Compare(Sizes, model, baseline);
        Assert.Equal([1, 10, 100], savings.Select(s => s.BaselineSize));
        // With one label the model is above already: at least 1, not 2.
        Assert.Equal((1, SavingBound.AtLeast), (savings[0].Ratio, savings[0].Bound));
        Assert.All(savings.Skip(1), s => Assert.Equal((2.0, SavingBound.Exact), (Math.Round(s.Ratio, 9), s.Bound)));
        IReadOnlyList<SizeSaving> back = LabelSaving.Compare(Sizes, baseline, model);
        Assert.Equal((1, SavingBound.AtMost), (back[2].Ratio, back[2].Bound));
        Assert.All(back.Take(2), s => Assert.Equal(0.5, s.Ratio, 9));
    }

    [Fact]
    public void CurvesThatNeverMeetAreBoundedAndNotExtrapolated()
    {
        Assert.Equal([(1, SavingBound.AtLeast), (10, SavingBound.AtLeast), (100, SavingBound.AtLeast)],
            LabelSaving.Compare(Sizes, [0.7, 0.8, 0.9], [0.1, 0.2, 0.3]).Select(s => (s.Ratio, s.Bound)));
        Assert.Equal([(0.01, SavingBound.AtMost), (0.1, SavingBound.AtMost), (1, SavingBound.AtMost)],
            LabelSaving.Compare(Sizes, [0.1, 0.2, 0.3], [0.7, 0.8, 0.9]).Select(s => (s.Ratio, s.Bound)));
    }

    [Fact]
    public void ACurveAgainstItselfGivesOneEvenWhereItFallsOrStandsStill()
    {
        foreach (double[] curve in new double[][]
        {
            [0.1, 0.3, 0.5], [0.5, 0.3, 0.4], [0.3, 0.5, 0.4], [0.2, 0.2, 0.2], [0.2, 0.4, 0.4]
        })
            Assert.All(LabelSaving.Compare(Sizes, curve, curve),
                s => Assert.Equal((1, SavingBound.Exact), (s.Ratio, s.Bound)));
    }

    [Fact]
    public void OfSeveralMeetingsTheOneNearestToTheBaselineCounts()
    {
        // The model has 0.4 at n = sqrt(10) on its way up, at 10 sqrt(10) on its way down.
        IReadOnlyList<SizeSaving> savings = LabelSaving.Compare(Sizes, [0.3, 0.5, 0.3], [0.4, 0.45, 0.4]);
        Assert.Equal(1 / Math.Sqrt(10), savings[0].Ratio, 9);
        Assert.Equal(Math.Sqrt(10), savings[2].Ratio, 9);
    }

    [Fact]
    public void ABoundedRatioStandsForEveryValueThatItMayHave()
    {
        static (double, double) Median(params (double Ratio, SavingBound Bound)[] pairs)
        {
            SizeSaving[] savings = [.. pairs.Select(p => new SizeSaving(1, p.Ratio, p.Bound))];
            (double lower, double upper) = LabelSaving.MedianOf(savings);
            return (Math.Round(lower, 9), Math.Round(upper, 9));
        }
        const SavingBound exact = SavingBound.Exact, least = SavingBound.AtLeast, most = SavingBound.AtMost;
        Assert.Equal((2, 2), Median((3, exact), (2, exact), (0.5, exact)));
        // 0..0.5, 2, 3, 4..: whatever the outer two are, the middle is the root of 2 x 3.
        double root = Math.Round(Math.Sqrt(6), 9);
        Assert.Equal((root, root), Median((4, least), (2, exact), (0.5, most), (3, exact)));
        // At least 1 may be anything above: the middle of (1.., 2, 3) is 2 or 3 or between.
        Assert.Equal((2, 3), Median((1, least), (2, exact), (3, exact)));
        Assert.Equal((10, double.PositiveInfinity), Median((1, least), (10, least), (100, least)));
        Assert.Equal((0, 0.1), Median((0.01, most), (0.1, most), (1, most)));
        Assert.Equal((0, double.PositiveInfinity), Median((1, least), (1, most)));
        Assert.Contains("at least one", Message(() => LabelSaving.MedianOf([])), StringComparison.Ordinal);
    }

    [Fact]
    public void PairsThatCrossInOneResampleOnlyAreInEvery()
    {
        // Two curves that are one but for a hair: in about half of the resamples the last pair is bounded.
        var random = new Random(5);
        LabelCurve Of(string model, double lift)
        {
            LabelCurve curve = Curve("t", model, 1, n => 0.2 + 0.1 * Math.Log10(n), noise: 0);
            double Near(double f1) => f1 + 0.01 * (random.NextDouble() - 0.5);
            double[] Shifted(double f1) => [.. Enumerable.Range(0, 500).Select(_ => Near(f1))];
            return curve with
            {
                F1 = Array.ConvertAll(curve.F1, s => Array.ConvertAll(s, v => v + lift)),
                Resampled = Array.ConvertAll(curve.F1, s => Shifted(s[0])),
            };
        }
        MeanCurve[] curves = [.. LabelMeans.Of([Of("model", 1e-6), Of("baseline", 0)])];
        SavingRow row = LabelSaving.Table(curves, ("model", "knn"), ("baseline", "knn"))[0];
        Assert.Equal((3, 2, 1, 0), (row.Pairs, row.Crossing, row.AtLeast, row.AtMost));
        int Bounded(int r) => LabelSaving.Compare(Sizes, curves[0].Resampled[r], curves[1].Resampled[r])
            .Count(s => s.Bound != SavingBound.Exact);
        Assert.True(Enumerable.Range(0, 500).Select(Bounded).Distinct().Count() > 1);
        // By hand: 0.1 for a factor of ten, so that 0.01 of F1 is a factor of 10^0.1; the median of all pairs is near
        // 1.
        Assert.Equal(1, row.Median.Lower, 1e-3);
        Assert.InRange(row.Median.Low, Math.Pow(10, -0.1), 1);
        Assert.InRange(row.Median.High, 1, Math.Pow(10, 0.1));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public void TheIntervalOfTheMedianCoversTheTrueFactor(double factor)
    {
        // F1 = 0.2 + 0.1 log10 n, the model's with as many labels times the factor; seeds and test units add noise to
        // both.
        const int trials = 200, resamples = 200, seeds = 10;
        var random = new Random(11);
        double Gauss()
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            return radius * Math.Cos(2 * Math.PI * random.NextDouble());
        }
        int covered = 0;
        for (int t = 0; t < trials; t++)
        {
            LabelCurve Of(string model, int seed, double by, double off, double[] shifts)
            {
                double[] f1 = Array.ConvertAll(Sizes, n => 0.2 + 0.1 * Math.Log10(by * n) + off + 0.01 * Gauss());
                return Curve("t", model, seed, _ => 0) with
                {
                    F1 = Array.ConvertAll(f1, v => new[] { v, v }),
                    Resampled = Array.ConvertAll(f1, v => Array.ConvertAll(shifts, d => v + d)),
                };
            }
            LabelCurve[] All(string model, double by)
            {
                // The test units of this trial are off by as much as resamples of them scatter.
                double off = 0.005 * Gauss();
                double[] shifts = [.. Enumerable.Range(0, resamples).Select(_ => 0.005 * Gauss())];
                return [.. Enumerable.Range(1, seeds).Select(s => Of(model, s, by, off, shifts))];
            }
            IReadOnlyList<MeanCurve> means = LabelMeans.Of([.. All("model", factor), .. All("baseline", 1)]);
            SavingMedian median = LabelSaving.Table(means, ("model", "knn"), ("baseline", "knn"))[0].Median;
            if (median.Low <= factor && factor <= median.High) covered++;
        }
        Assert.InRange(covered / (double)trials, 0.90, 1);
    }

    [Fact]
    public void TheSpreadOfFewSeedsIsNotTakenForSmaller()
    {
        // Two seeds, 0.4 and 0.6: a mean of two has the variance 0.02 / 2; resampled ones have half of it, and are
        // drawn apart by the root of 2.
        LabelCurve[] two = [Curve("t", "m", 1, _ => 0.4, noise: 0), Curve("t", "m", 2, _ => 0.6, noise: 0)];
        MeanCurve mean = LabelMeans.Of(two)[0];
        double[] drawn = [.. mean.Resampled.Select(r => r[0])];
        double apart = 0.1 * Math.Sqrt(2);
        double[] expectedDraws = [Math.Round(0.5 - apart, 6), 0.5, Math.Round(0.5 + apart, 6)];
        Assert.Equal(expectedDraws, drawn.Select(v => Math.Round(v, 6)).Distinct().Order());
        Assert.InRange(drawn.Average(v => (v - 0.5) * (v - 0.5)), 0.008, 0.012);
        // Five seeds of other means: sample variance / 5.
        double[] means = [0.30, 0.35, 0.41, 0.46, 0.38];
        MeanCurve five = LabelMeans.Of(means.Select((m, s) => Curve("t", "m", s, _ => m, noise: 0)))[0];
        double Squared(double v) => Math.Pow(v - means.Average(), 2);
        double expected = means.Sum(Squared) / 4 / 5;
        Assert.InRange(five.Resampled.Average(r => Squared(r[0])), 0.8 * expected, 1.2 * expected);
    }

    [Fact]
    public void WrongSizesAreRefused()
    {
        Assert.Contains("ascending", Message(() => LabelSaving.Compare([10, 1], [0.1, 0.2], [0.1, 0.2])),
            StringComparison.Ordinal);
        Assert.Contains("equal numbers", Message(() => LabelSaving.Compare([1, 10], [0.1], [0.1, 0.2])),
            StringComparison.Ordinal);
        Assert.Contains("at least one", Message(() => LabelSaving.Compare([], [], [])), StringComparison.Ordinal);
    }

    [Fact]
    public void TheMeanIsOverSeedsAndRepeatsAndItsBandCoversTheirSpread()
    {
        LabelCurve[] curves = [.. Enumerable.Range(1, 5)
            .Select(s => Curve("t", "m", s, n => 0.2 + 0.1 * Math.Log10(n), noise: 0.05))];
        MeanCurve mean = Assert.Single(LabelMeans.Of(curves));
        Assert.Equal(Sizes, mean.Sizes);
        for (int n = 0; n < 3; n++)
        {
            Assert.Equal(curves.Average(c => c.F1[n].Average()), mean.F1[n].Value, 12);
            Assert.InRange(mean.F1[n].Value, mean.F1[n].Low, mean.F1[n].High);
            // 100 draws of standard deviation 0.05, told by the means of five seeds: the interval is about 4 x 0.005
            // wide.
            Assert.InRange(mean.F1[n].High - mean.F1[n].Low, 0.005, 0.045);
        }
        Assert.Equal(mean.F1, LabelMeans.Of(curves.Reverse())[0].F1);
        // Where seeds differ and repeats do not, one seed says nothing about the spread and five do.
        LabelCurve[] apart = [.. Enumerable.Range(1, 5).Select(s => Curve("t", "m", s, _ => 0.1 * s, noise: 0))];
        Assert.True(LabelMeans.Of(apart)[0].F1[0] is { } five && five.High - five.Low > 0.15);
        Assert.Equal(0, LabelMeans.Of(apart[..1])[0].F1[0] is { } one ? one.High - one.Low : 1, 12);
    }

    [Fact]
    public void TestUnitsWidenTheBandAndPairTheModels()
    {
        // Draws that all score alike; test units move both models up and down together.
        LabelCurve Moved(string model, double f1) => Curve("t", model, 1, _ => f1, noise: 0) is var c
            ? c with
            {
                Resampled =
                    [.. Sizes.Select(_ => Enumerable.Range(0, 500).Select(r => f1 + 0.1 * Math.Sin(r)).ToArray())]
            } : throw new InvalidOperationException();
        IReadOnlyList<MeanCurve> curves = LabelMeans.Of([Moved("model", 0.6), Moved("baseline", 0.5)]);
        Assert.Equal((0.5, 0.7), (Math.Round(curves[0].F1[1].Low, 2), Math.Round(curves[0].F1[1].High, 2)));
        Interval difference = LabelSaving.Table(curves, ("model", "knn"), ("baseline", "knn"))[0].Difference;
        Assert.Equal((0.1, 0.1), (Math.Round(difference.Low, 9), Math.Round(difference.High, 9)));
    }

    [Fact]
    public void SizesThatOneSeedLacksAreLeftOutAndSeedsAreThereOnce()
    {
        LabelCurve full = Curve("t", "m", 1, _ => 0.5), fewer = Curve("t", "m", 2, _ => 0.5);
        fewer = fewer with { Sizes = [1, 10], F1 = fewer.F1[..2], Resampled = fewer.Resampled[..2] };
        Assert.Equal([1, 10], LabelMeans.Of([full, fewer])[0].Sizes);
        Assert.Contains("seed 1 is there 2 times", Message(() => LabelMeans.Of([full, full])),
            StringComparison.Ordinal);
        Assert.Contains("share 0 sizes",
            Message(() => LabelMeans.Of([full, fewer with { Sizes = [7], F1 = fewer.F1[..1] }])),
            StringComparison.Ordinal);
        Assert.Contains("resamples",
            Message(() => LabelMeans.Of([full, fewer with { Resampled = [.. fewer.Resampled.Select(r => r[1..])] }])),
            StringComparison.Ordinal);
        Assert.Contains("repeats",
            Message(() => LabelMeans.Of([full, fewer with { F1 = [.. fewer.F1.Select(r => r[1..])] }])),
            StringComparison.Ordinal);
    }

    [Fact]
    public void SavingsOverTasksKeepGroupsApartAndCountWhatIsBounded()
    {
        var curves = new List<LabelCurve>();
        foreach ((string task, bool inside, bool counted) in new[]
        {
            ("a", true, true), ("b", true, true), ("c", false, true), ("d", false, true), ("shortcut", true, false)
        })
            foreach (int seed in new[] { 1, 9 })
            {
                curves.Add(Curve(task, "model", seed, n => task == "d" ? 0.9 : 0.2 + 0.1 * Math.Log(2 * n), 0.001) with
                {
                    InPretraining = inside,
                    InMeans = counted
                });
                curves.Add(Curve(task, "baseline", seed, n => 0.2 + 0.1 * Math.Log(n), 0.001) with
                {
                    InPretraining = inside,
                    InMeans = counted
                });
            }
        IReadOnlyList<SavingRow> rows = LabelSaving.Table(LabelMeans.Of(curves), ("model", "knn"), ("baseline", "knn"));
        Assert.Equal(["a", "b", "c", "d", "shortcut", Comparison.Inside, Comparison.Outside], rows.Select(r => r.Task));
        SavingRow inside2 = rows[5], outside = rows[6];
        Assert.Equal((2, 6, 4, 2, 0),
            (inside2.Tasks, inside2.Pairs, inside2.Crossing, inside2.AtLeast, inside2.AtMost));
        Assert.InRange(inside2.Ratio, 1.95, 2.05);
        // Twice (1.., 2, 2): the third and the fourth of six are 2.
        Assert.InRange(inside2.Median.Lower, 1.9, 2.05);
        Assert.InRange(inside2.Median.Upper, inside2.Median.Lower, 2.1);
        Assert.InRange(2, inside2.Median.Low - 0.02, inside2.Median.High + 0.02);
        Assert.Equal((2, 4, 0), (outside.Crossing, outside.AtLeast, outside.AtMost));
        Assert.Equal(0.1 * Math.Log(2), rows[0].Difference.Value, 0.002);
        Assert.True(rows[0].Difference.Low > 0.06 && rows[0].Falling == 0);
        // The other way round: at most.
        SavingRow back = LabelSaving.Table(LabelMeans.Of(curves), ("baseline", "knn"), ("model", "knn"))[3];
        Assert.Equal((0, 0, 3), (back.Crossing, back.AtLeast, back.AtMost));
        Assert.True(double.IsNaN(back.Ratio));
        Assert.Equal((0, 0.1, 0, 0.1), (back.Median.Lower, back.Median.Upper, back.Median.Low, back.Median.High));
    }

    [Fact]
    public void CurvesOfOtherDrawsAreNotCompared()
    {
        IReadOnlyList<MeanCurve> curves =
            LabelMeans.Of([Curve("t", "model", 1, _ => 0.5), Curve("t", "baseline", 9, _ => 0.5)]);
        Assert.Contains("not drawn alike",
            Message(() => LabelSaving.Table(curves, ("model", "knn"), ("baseline", "knn"))), StringComparison.Ordinal);
        Assert.Empty(LabelSaving.Table(curves, ("model", "knn"), ("nobody", "knn")));
    }

    internal static LabelCurve Curve(string task, string model, int seed, Func<int, double> f1, double noise = 0.01,
        string probe = "knn")
    {
        var random = new Random(seed);
        double Gauss() =>
            Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        double[][] scores =
            [.. Sizes.Select(n => Enumerable.Range(0, 20).Select(_ => f1(n) + noise * Gauss()).ToArray())];
        return new(task, 1, model, "cls4", probe, seed, "key", "weights", "data", false, true, "", 3, 600, 200, Sizes,
            scores, [.. scores.Select(s => Enumerable.Repeat(s.Average(), 500).ToArray())], "kit", 2);
    }

    private static string Message(Action action) => Assert.Throws<KitException>(action).Message;
}
