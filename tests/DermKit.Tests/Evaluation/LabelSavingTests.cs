using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class LabelSavingTests
{
    private static readonly int[] Sizes = [1, 10, 100];

    [Fact]
    public void HalfTheLabelsIsARatioOfTwo()
    {
        // F1 = 0.2 + 0.1 ln n, and the same with twice the labels.
        double[] baseline = [.. Sizes.Select(n => 0.2 + 0.1 * Math.Log(n))], model = [.. Sizes.Select(n => 0.2 + 0.1 * Math.Log(2 * n))];
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
        foreach (double[] curve in new double[][] { [0.1, 0.3, 0.5], [0.5, 0.3, 0.4], [0.3, 0.5, 0.4], [0.2, 0.2, 0.2], [0.2, 0.4, 0.4] })
            Assert.All(LabelSaving.Compare(Sizes, curve, curve), s => Assert.Equal((1, SavingBound.Exact), (s.Ratio, s.Bound)));
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
    public void WrongSizesAreRefused()
    {
        Assert.Contains("ascending", Message(() => LabelSaving.Compare([10, 1], [0.1, 0.2], [0.1, 0.2])), StringComparison.Ordinal);
        Assert.Contains("equal numbers", Message(() => LabelSaving.Compare([1, 10], [0.1], [0.1, 0.2])), StringComparison.Ordinal);
        Assert.Contains("at least one", Message(() => LabelSaving.Compare([], [], [])), StringComparison.Ordinal);
    }

    [Fact]
    public void TheMeanIsOverSeedsAndRepeatsAndItsBandCoversTheirSpread()
    {
        LabelCurve[] curves = [.. Enumerable.Range(1, 5).Select(s => Curve("t", "m", s, n => 0.2 + 0.1 * Math.Log10(n), noise: 0.05))];
        MeanCurve mean = Assert.Single(LabelMeans.Of(curves));
        Assert.Equal(Sizes, mean.Sizes);
        for (int n = 0; n < 3; n++)
        {
            Assert.Equal(curves.Average(c => c.F1[n].Average()), mean.F1[n].Value, 12);
            Assert.InRange(mean.F1[n].Value, mean.F1[n].Low, mean.F1[n].High);
            // 100 draws of standard deviation 0.05: the interval is about 4 x 0.005 wide, a little more for the two stages.
            Assert.InRange(mean.F1[n].High - mean.F1[n].Low, 0.010, 0.045);
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
        LabelCurve Moved(string model, double f1) => Curve("t", model, 1, _ => f1, noise: 0) is var c ? c with { Resampled = [.. Sizes.Select(_ => Enumerable.Range(0, 500).Select(r => f1 + 0.1 * Math.Sin(r)).ToArray())] } : throw new InvalidOperationException();
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
        Assert.Contains("seed 1 is there 2 times", Message(() => LabelMeans.Of([full, full])), StringComparison.Ordinal);
        Assert.Contains("share 0 sizes", Message(() => LabelMeans.Of([full, fewer with { Sizes = [7], F1 = fewer.F1[..1] }])), StringComparison.Ordinal);
        Assert.Contains("resamples", Message(() => LabelMeans.Of([full, fewer with { Resampled = [.. fewer.Resampled.Select(r => r[1..])] }])), StringComparison.Ordinal);
        Assert.Contains("repeats", Message(() => LabelMeans.Of([full, fewer with { F1 = [.. fewer.F1.Select(r => r[1..])] }])), StringComparison.Ordinal);
    }

    [Fact]
    public void SavingsOverTasksKeepGroupsApartAndCountWhatIsBounded()
    {
        var curves = new List<LabelCurve>();
        foreach ((string task, bool inside, bool counted) in new[] { ("a", true, true), ("b", true, true), ("c", false, true), ("d", false, true), ("shortcut", true, false) })
            foreach (int seed in new[] { 1, 9 })
            {
                curves.Add(Curve(task, "model", seed, n => task == "d" ? 0.9 : 0.2 + 0.1 * Math.Log(2 * n), 0.001) with { InPretraining = inside, InMeans = counted });
                curves.Add(Curve(task, "baseline", seed, n => 0.2 + 0.1 * Math.Log(n), 0.001) with { InPretraining = inside, InMeans = counted });
            }
        IReadOnlyList<SavingRow> rows = LabelSaving.Table(LabelMeans.Of(curves), ("model", "knn"), ("baseline", "knn"));
        Assert.Equal(["a", "b", "c", "d", "shortcut", Comparison.Inside, Comparison.Outside], rows.Select(r => r.Task));
        SavingRow inside2 = rows[5], outside = rows[6];
        Assert.Equal((2, 6, 4, 2, 0), (inside2.Tasks, inside2.Pairs, inside2.Crossing, inside2.AtLeast, inside2.AtMost));
        Assert.InRange(inside2.Ratio.Value, 1.95, 2.05);
        Assert.InRange(2, inside2.Ratio.Low - 0.02, inside2.Ratio.High + 0.02);
        Assert.InRange(inside2.Bounded, 1.5, 1.7); // (1 x 2 x 2)^(1/3)
        Assert.Equal((2, 4, 0), (outside.Crossing, outside.AtLeast, outside.AtMost));
        Assert.Equal(0.1 * Math.Log(2), rows[0].Difference.Value, 0.002);
        Assert.True(rows[0].Difference.Low > 0.06 && rows[0].Falling == 0);
        // The other way round: at most.
        SavingRow back = LabelSaving.Table(LabelMeans.Of(curves), ("baseline", "knn"), ("model", "knn"))[3];
        Assert.Equal((0, 0, 3), (back.Crossing, back.AtLeast, back.AtMost));
        Assert.True(double.IsNaN(back.Ratio.Value) && double.IsNaN(back.Ratio.Low));
        Assert.Equal(0.1, back.Bounded, 9); // (0.01 x 0.1 x 1)^(1/3)
    }

    [Fact]
    public void CurvesOfOtherDrawsAreNotCompared()
    {
        IReadOnlyList<MeanCurve> curves = LabelMeans.Of([Curve("t", "model", 1, _ => 0.5), Curve("t", "baseline", 9, _ => 0.5)]);
        Assert.Contains("not drawn alike", Message(() => LabelSaving.Table(curves, ("model", "knn"), ("baseline", "knn"))), StringComparison.Ordinal);
        Assert.Empty(LabelSaving.Table(curves, ("model", "knn"), ("nobody", "knn")));
    }

    internal static LabelCurve Curve(string task, string model, int seed, Func<int, double> f1, double noise = 0.01, string probe = "knn")
    {
        var random = new Random(seed);
        double Gauss() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        double[][] scores = [.. Sizes.Select(n => Enumerable.Range(0, 20).Select(_ => f1(n) + noise * Gauss()).ToArray())];
        return new(task, 1, model, "cls4", probe, seed, "key", "weights", "data", false, true, "", 3, 600, 200, Sizes, scores, [.. scores.Select(s => Enumerable.Repeat(s.Average(), 500).ToArray())], "kit", 2);
    }

    private static string Message(Action action) => Assert.Throws<KitException>(action).Message;
}
