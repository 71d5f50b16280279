using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class PermutedLabelsTests
{
    [Fact]
    public void PermutedLabelsScoreAsChanceDoesWhereTrueOnesDoNot()
    {
        (KeptMean own, KeptMean permuted) = KeptMeanTests.Scores(apart: 2);
        Assert.InRange(own.Score.Value, 0.95, 1);
        // Three classes of one size: a third.
        Assert.InRange(permuted.Score.Value, 0.15, 0.5);
        Assert.InRange(permuted.Knn.Value, 0.1, 0.55);
        Assert.InRange(permuted.Linear.Value, 0.1, 0.55);
        Assert.True(own.Minus(permuted)!.Difference.Low > 0.3);
    }
}
