using DermKit.Pretraining;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class CollapseMonitorTests
{
    [Fact]
    public void RowsOnOneLineHaveRankOne()
    {
        using var scope = NewDisposeScope();
        Tensor slope = tensor(new[] { 3f, -1f, 2f, 0.5f }).view(1, 4);
        Tensor line = (arange(Kept(1), Kept(9), float32).view(8, 1) * slope).Plus(Kept(7));
        Assert.Equal(1, CollapseMonitor.EffectiveRank(line), 1e-6);
    }

    [Fact]
    public void EvenSpreadHasFullRankWhicheverSideIsLonger()
    {
        using var scope = NewDisposeScope();
        // Plus and minus each axis: centred, all D singular values are equal.
        Tensor axes = cat([eye(6), -eye(6)], 0) * Kept(5);
        Assert.Equal(6, CollapseMonitor.EffectiveRank(axes), 1e-9);
        // B corners of a simplex lie in B - 1 directions.
        Assert.Equal(4, CollapseMonitor.EffectiveRank(cat([eye(5), zeros(5, 7)], 1)), 1e-9);
    }

    [Fact]
    public void RankIsTheExponentialOfTheEntropyOfSingularValues()
    {
        using var scope = NewDisposeScope();
        Tensor two = tensor(new[] { 3f, 0, -3, 0, 0, 1, 0, -1 }).view(4, 2);
        Assert.Equal(Math.Exp(-(0.75 * Math.Log(0.75) + 0.25 * Math.Log(0.25))),
            CollapseMonitor.EffectiveRank(two), 1e-9);
    }

    [Fact]
    public void CollapsedFeaturesGiveZeroNotNaN()
    {
        using var scope = NewDisposeScope();
        Tensor equal = tensor(new[] { 0.1f, 0.7f, -0.3f }).view(1, 3).expand(50, 3);
        Assert.Equal(0, CollapseMonitor.EffectiveRank(equal));
        Assert.Equal(0, CollapseMonitor.FeatureStd(equal), 1e-9);
        Assert.Equal(0, CollapseMonitor.EffectiveRank(zeros(4, 3)));
        Assert.Equal(0, CollapseMonitor.FeatureStd(zeros(4, 3)));
        using var generator = new Generator(1, CPU);
        Tensor rounded = ones(50, 64) + randn(50, 64, generator: generator) * Kept(1e-7);
        Assert.Equal(0, CollapseMonitor.EffectiveRank(rounded));
    }

    [Fact]
    public void StdIsOneForAnEvenSpreadAndIgnoresLength()
    {
        using var scope = NewDisposeScope();
        Tensor axes = cat([eye(6), -eye(6)], 0);
        Assert.Equal(1, CollapseMonitor.FeatureStd(axes), 1e-9);
        Tensor lengths = arange(Kept(1), Kept(13), float32).view(12, 1);
        Assert.Equal(1, CollapseMonitor.FeatureStd(axes * lengths), 1e-6);
        using var generator = new Generator(2, CPU);
        Assert.InRange(CollapseMonitor.FeatureStd(randn(512, 192, generator: generator)), 0.98, 1.0);
    }

    [Fact]
    public void EntropyIsOneForUniformAndZeroForCertain()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(1, CollapseMonitor.Entropy(full([2, 3, 8], Kept(0.125f))), 1e-12);
        Assert.Equal(0, CollapseMonitor.Entropy(eye(8)));
        Assert.Equal(0.5, CollapseMonitor.Entropy(stack([eye(4)[0], full([4], Kept(0.25f))])), 1e-12);
    }

    [Fact]
    public void NotFiniteGivesNaN()
    {
        using var scope = NewDisposeScope();
        Tensor broken = ones(4, 3);
        broken[1, 1] = float.NaN;
        Assert.Equal([double.NaN, double.NaN, double.NaN],
            [CollapseMonitor.FeatureStd(broken), CollapseMonitor.EffectiveRank(broken),
                CollapseMonitor.Entropy(broken)]);
        broken[1, 1] = float.PositiveInfinity;
        Assert.Equal(double.NaN, CollapseMonitor.EffectiveRank(broken));
    }

    [Fact]
    public void WrongShapesAreNamed()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("[2, 3, 4]",
            Assert.Throws<ArgumentException>(() => CollapseMonitor.FeatureStd(zeros(2, 3, 4))).Message);
        Assert.Contains("[0, 3]",
            Assert.Throws<ArgumentException>(() => CollapseMonitor.EffectiveRank(zeros(0, 3))).Message);
        Assert.Contains("[5, 1]", Assert.Throws<ArgumentException>(() => CollapseMonitor.Entropy(ones(5, 1))).Message);
    }

    [Fact]
    public void LeavesNoTensorBehind()
    {
        using var scope = NewDisposeScope();
        Tensor features = rand(16, 8, requires_grad: true), answers = features.softmax(-1);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        CollapseMonitor.FeatureStd(features);
        CollapseMonitor.EffectiveRank(features);
        CollapseMonitor.Entropy(answers);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
