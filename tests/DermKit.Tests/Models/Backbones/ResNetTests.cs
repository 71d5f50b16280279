using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class ResNetTests
{
    private static readonly ResNetConfig Tiny = new() { Planes = [4, 4, 6, 8], Blocks = [2, 1, 1, 1] };

    [Theory]
    [InlineData(null)]
    [InlineData(ScalarType.BFloat16)]
    public void NothingIsMadeOnAFixedDevice(ScalarType? type)
    {
        // The backward pass has no meta kernel in libtorch.
        using var scope = NewDisposeScope();
        using ResNet model = ResNet.Random(Tiny, 1, META);
        Dense.ComputeIn(model, type);
        foreach (bool training in new[] { true, false })
        {
            model.train(training);
            Tensor features = model.forward(zeros([2, 3, 45, 32], device: META));
            Assert.Equal((DeviceType.META, float32), (features.device_type, features.dtype));
            Assert.Equal([2, 32], features.shape);
        }
        using ProjectionHead head = ProjectionHead.SimClr(32, 16, 8, 1, META);
        Assert.Equal([2, 8], head.forward(zeros([2, 32], device: META)).shape);
    }

    [Theory]
    [InlineData(7, 2, 224)]
    [InlineData(3, 1, 5)]
    [InlineData(3, 2, 6)]
    [InlineData(1, 2, 7)]
    public void TheExplicitConvolutionIsTheSame(long kernel, long stride, long side)
    {
        using var scope = NewDisposeScope();
        Tensor x = rand(2, 3, side, side + 1), weight = rand(5, 3, kernel, kernel) - Kept(0.5);
        Tensor expected = nn.functional.conv2d(x, weight, strides: [stride, stride], padding: [kernel / 2, kernel / 2]);
        Assert.True(Convolution.Explicit(x, weight, stride, kernel / 2).allclose(expected, rtol: 1e-4, atol: 1e-4));
    }

    [Fact]
    public void TheSeedIsTheModelAndTorchsGeneratorIsLeftAlone()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        Tensor before = rand(4);
        manual_seed(3);
        using ResNet one = ResNet.Random(Tiny, 1), again = ResNet.Random(Tiny, 1), other = ResNet.Random(Tiny, 2);
        Assert.True(rand(4).equal(before).all().item<bool>());
        Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(again));
        Assert.NotEqual(WeightLoader.Hash(one), WeightLoader.Hash(other));
        Tensor wide = ResNet.Random(new() { Planes = [64, 64, 64, 64], Blocks = [1, 1, 1, 1] }, 1)
            .state_dict()["layer2.0.conv2.weight"];
        Assert.Equal(Math.Sqrt(2.0 / (64 * 9)), wide.std().item<float>(), 1e-3);
        Assert.All(one.state_dict().Where(p => p.Key.EndsWith("bn1.weight", StringComparison.Ordinal)),
            p => Assert.True(p.Value.eq(Kept(1)).all().item<bool>()));
    }

    [Fact]
    public void InBf16TheFeaturesAreNearAndWeightsGradientsAndStatisticsStayFloat32()
    {
        using var scope = NewDisposeScope();
        using ResNet model = ResNet.Random(Tiny, 1);
        Tensor x = rand(4, 3, 64, 64), exact = model.forward(x);
        Dense.ComputeIn(model, bfloat16);
        Tensor half = model.forward(x);
        Assert.Equal(float32, half.dtype);
        Assert.False(half.equal(exact).all().item<bool>());
        Assert.True((half - exact).norm().item<float>() < 0.1 * exact.norm().item<float>());
        half.sum().backward();
        Assert.All(model.parameters(), p => Assert.Equal((float32, float32), (p.dtype, p.grad!.dtype)));
        Assert.All(model.state_dict().Where(p => p.Key.Contains("running_", StringComparison.Ordinal)),
            p => Assert.Equal(float32, p.Value.dtype));
        Assert.Equal(2, model.state_dict()["bn1.num_batches_tracked"].item<long>());
        Dense.ComputeIn(model, null);
        Assert.True(model.forward(x).allclose(exact, rtol: 1e-4, atol: 1e-5));
    }

    [Fact]
    public void AFileOfTorchvisionsLoadsWithoutItsClassifierAndWithoutBatchCounts()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using ResNet source = ResNet.Random(Tiny, 5), target = ResNet.Random(Tiny, 6);
        var state = source.state_dict().Where(p => !p.Key.EndsWith("num_batches_tracked", StringComparison.Ordinal))
            .ToDictionary(p => p.Key, p => p.Value);
        (state["fc.weight"], state["fc.bias"]) = (zeros(10, 32), zeros(10));
        string path = Path.Combine(folder.Path, "r.safetensors");
        SafeTensors.Save(path, state);
        WeightLoader.LoadStrict(target, path, ResNet.NotBackbone);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
        Assert.Contains("fc.weight", Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, path)).Message);
    }

    [Fact]
    public void ItLivesOutsideOfTheScopeItWasMadeInAndLeavesNothingBehind()
    {
        using var outer = NewDisposeScope();
        using Tensor x = rand(2, 3, 32, 32);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        ResNet model;
        using (NewDisposeScope()) model = ResNet.Random(Tiny, 1);
        model.eval();
        using (no_grad())
        using (Tensor features = model.forward(x)) Assert.Equal([2, 32], features.shape);
        model.Dispose();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void WhatItDoesNotHaveIsRefused()
    {
        using var scope = NewDisposeScope();
        using ResNet model = ResNet.Unset(Tiny, META);
        Assert.Contains("'Cls4'", Assert.Throws<KitException>(() => model.Width(FeatureVariant.Cls4)).Message);
        Assert.Equal((32, 32), (model.Width(FeatureVariant.AvgPool), model.Dim));
        Assert.Contains("[2, 1, 8, 8]",
            Assert.Throws<ArgumentException>(() => model.forward(zeros([2, 1, 8, 8], device: META))).Message);
        Assert.Contains("four stages",
            Assert.Throws<KitException>(() => ResNet.Unset(new() { Blocks = [3, 4, 6] })).Message);
        Assert.Contains("layers is 1",
            Assert.Throws<KitException>(() => ProjectionHead.SimClr(8, 8, 8, 1, layers: 1)).Message);
    }
}
