using DermKit.Pretraining;

namespace DermKit.Tests.Pretraining;

public sealed class CollapseWatchTests
{
    private const int Steps = 200;

    private static TrainingStep Step(int step, double ratio, double entropy, double std) =>
        new(step, Steps, step / 20.0, 8, step <= 20 ? step * 1e-5 : 2e-4 * (1 - step / 400.0), 1,
            60)
        {
            LossRatio = ratio,
            TeacherEntropy = entropy,
            FeatureStd = std
        };

    /// <summary>The first step with a warning, with one look of the monitor every 5 steps; 0 for none.</summary>
    private static (int Step, string Text) First(Func<int, (double Ratio, double Entropy, double Std)> run)
    {
        var watch = new CollapseWatch();
        for (int i = 1; i <= Steps; i++)
        {
            (double ratio, double entropy, double std) = run(i);
            if (watch.Add(i % 5 == 0 ? Step(i, ratio, entropy, std) : Step(i, ratio, double.NaN, double.NaN))
                is { } text) return (i, text);
        }
        return (0, "");
    }

    [Fact]
    public void AHealthyRunIsLeftAlone() =>
        Assert.Equal(0, First(i => (0.97 - 0.001 * i, 0.85 - 0.002 * i, 0.6)).Step);

    [Theory]
    [InlineData(0.999, 0.998, 0.5, "uniform")]
    [InlineData(0.002, 0.001, 0.5, "same answer")]
    [InlineData(0.8, 0.7, 0.01, "same feature")]
    public void EachWayToCollapseIsSaidOnceItLasts(double ratio, double entropy, double std, string words)
    {
        (int step, string text) = First(i => i < 100 ? (0.9, 0.8, 0.6) : (ratio, entropy, std));
        // The third look that shows it, and 5 % of the run after the first.
        Assert.Equal(110, step);
        Assert.StartsWith("Looks collapsed since step 100: ", text);
        Assert.Contains(words, text);
    }

    [Fact]
    public void UniformAnswersDuringTheWarmUpAreNoFault()
    {
        Assert.Equal(0, First(i => i <= 22 ? (1, 1, 0.6) : (0.95, 0.8, 0.6)).Step);
        // Signs are counted from the end of the warm-up, at step 21: looks at 25, 30 and 35.
        Assert.Equal(35, First(_ => (1, 1, 0.6)).Step);
    }

    [Fact]
    public void ARunThatNeverLeavesItsWarmUpIsNotJudged()
    {
        var watch = new CollapseWatch();
        for (int i = 1; i <= Steps; i++) Assert.Null(watch.Add(Step(i, 1, 1, 0.01) with { LearningRate = i * 1e-5 }));
    }

    [Fact]
    public void ASignThatPassesIsForgotten()
    {
        var watch = new CollapseWatch();
        var seen = new List<bool>();
        for (int i = 5; i <= Steps; i += 5)
            seen.Add(watch.Add(Step(i, 0.9, 0.8, i is > 60 and <= 100 ? 0.01 : 0.6)) is not null);
        Assert.Contains(true, seen);
        Assert.False(seen[^1]);
        // Two looks are not three.
        Assert.Equal(0, First(i => (0.9, 0.8, i is 100 or 105 ? 0.01 : 0.6)).Step);
    }

    [Fact]
    public void SignsThatTakeTurnsCountTogether()
    {
        (int step, string text) = First(i => i < 100 ? (0.9, 0.8, 0.6) : (0.999, 0.999, i % 10 == 0 ? 0.01 : 0.3));
        Assert.Equal(110, step);
        Assert.StartsWith("Looks collapsed since step 100: all images", text);
    }

    [Fact]
    public void AMethodWithoutOutputsIsJudgedByItsFeatures()
    {
        Assert.Equal(0, First(_ => (double.NaN, double.NaN, 0.4)).Step);
        Assert.Equal(35, First(_ => (double.NaN, double.NaN, 0.01)).Step);
    }
}
