using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class VisionTransformerTests
{
    private static readonly VitConfig Small = new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32 };

    [Theory]
    [InlineData("tiny", 16, 5_524_416)]
    [InlineData("small", 16, 21_665_664)]
    [InlineData("base", 16, 85_798_656)]
    [InlineData("large", 16, 303_301_632)]
    [InlineData("small", 8, 21_670_272)]
    public void ParameterCountsAreThePublishedOnes(string size, int patch, long expected)
    {
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Named(size) with { Patch = patch }, 1, META);
        Assert.Equal(expected, model.parameters().Sum(p => p.numel()));
    }

    [Fact]
    public void ASeedDecidesTheWeightsAndLeavesTheGlobalGeneratorAlone()
    {
        manual_seed(7);
        float expected = rand(1).item<float>();
        manual_seed(7);
        using VisionTransformer one = VisionTransformer.Random(Small, 1), again = VisionTransformer.Random(Small, 1),
            other = VisionTransformer.Random(Small, 2);
        Assert.Equal(expected, rand(1).item<float>());
        Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(again));
        Assert.NotEqual(WeightLoader.Hash(one), WeightLoader.Hash(other));
    }

    [Fact]
    public void InitialWeightsAreDrawnAsDinoDrawsThem()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Tiny, 3);
        Dictionary<string, Tensor> state = model.state_dict();
        Assert.InRange(state["blocks.3.mlp.fc1.weight"].std().item<float>(), 0.0199f, 0.0201f);
        Assert.InRange(state["pos_embed"].std().item<float>(), 0.0195f, 0.0205f);
        Assert.Equal(0, state["blocks.3.mlp.fc1.bias"].abs().max().item<float>());
        Assert.Equal(0, (state["norm.weight"] - Kept(1)).abs().max().item<float>());
        Assert.InRange(state["patch_embed.proj.weight"].abs().max().item<float>(), 0.0360f, 1 / MathF.Sqrt(768));
        Assert.InRange(state["patch_embed.proj.bias"].abs().max().item<float>(), 0.03f, 1 / MathF.Sqrt(768));
    }

    [Fact]
    public void TheModelOutlivesAScope()
    {
        VisionTransformer model;
        using (NewDisposeScope()) model = VisionTransformer.Random(Small, 1);
        using (model)
        using (NewDisposeScope())
            Assert.Equal([2, 24], model.forward(rand(2, 3, 32, 32)).shape);
    }

    [Fact]
    public void RunsOnTheMetaDevice()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small with { DropPath = 0.1 }, 1, META);
        model.train();
        Tensor x = rand(2, 3, 48, 40, device: META);
        Tensor cls = model.forward(x);
        Assert.Equal((DeviceType.META, "2,24"), (cls.device_type, string.Join(",", cls.shape)));
        Assert.Equal([2, 31, 24], model.Tokens(x).shape);
        Assert.Equal([2, 3, 31, 31], model.LastSelfAttention(x).shape);
        cls.sum().backward();
        Assert.All(model.parameters(), p => Assert.Equal(DeviceType.META, p.grad!.device_type));
    }

    [Theory]
    [InlineData(32, 32, true)]
    [InlineData(36, 36, true)]
    [InlineData(32, 36, false)]
    [InlineData(36, 32, false)]
    public void PositionsOfTheSameGridAreKeptForSquareImagesOnly(int height, int width, bool kept)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1);
        Tensor table = model.state_dict()["pos_embed"], grid = table.narrow(1, 1, 16).reshape(1, 4, 4, 24)
            .permute(0, 3, 1, 2);
        Tensor interpolated = nn.functional.interpolate(grid, scale_factor: [4.1 / 4, 4.1 / 4],
            mode: InterpolationMode.Bicubic, align_corners: false);
        Tensor expected = kept ? table
            : cat([table.narrow(1, 0, 1), interpolated.permute(0, 2, 3, 1).reshape(1, 16, 24)], 1);
        Assert.True(model.PositionsFor(height, width).allclose(expected, 1e-5, 1e-7));
        Assert.Equal(kept, expected.equal(table).all().item<bool>());
    }

    [Fact]
    public void DropPathActsInTrainingOnlyAndFollowsItsGenerator()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small with { DropPath = 0.5 }, 1),
            plain = VisionTransformer.Random(Small, 1);
        Tensor x = rand(8, 3, 32, 32);
        model.eval();
        plain.eval();
        Assert.True(model.forward(x).allclose(plain.forward(x), 1e-6, 1e-6));
        model.train();
        Tensor Drawn(ulong seed)
        {
            model.DropPathGenerator = new Generator(seed, CPU);
            return model.forward(x);
        }
        Assert.True(Drawn(1).equal(Drawn(1)).all().item<bool>());
        Assert.False(Drawn(1).allclose(Drawn(2), 1e-6, 1e-6));
        Tensor mean = stack(Enumerable.Range(0, 400).Select(i =>
        {
            using var s = NewDisposeScope();
            return (Drawn((ulong)i) - plain.forward(x)).detach().MoveToOuterDisposeScope();
        })).mean([0]);
        Assert.InRange(mean.abs().mean().item<float>(), 0, 0.1f);
    }

    [Fact]
    public void GradientsAndInferenceAgree()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1);
        Tensor x = rand(2, 3, 32, 32);
        Tensor withGraph = model.ClsOfLastBlocks(x, 4);
        using var noGrad = no_grad();
        Assert.True(withGraph.allclose(model.ClsOfLastBlocks(x, 4), 1e-6, 1e-6));
        Assert.True(withGraph.allclose(cat(model.GetIntermediateLayers(x, 4).Select(t => t.select(1, 0)).ToArray(), 1),
            1e-5, 1e-5));
    }

    [Fact]
    public void LiveTensorsDoNotGrow()
    {
        using VisionTransformer model = VisionTransformer.Random(Small, 1);
        using Tensor x = rand(2, 3, 48, 40);
        void Use()
        {
            using var scope = NewDisposeScope();
            model.forward(x).sum().backward();
            using var noGrad = no_grad();
            model.GetIntermediateLayers(x, 2);
            model.LastSelfAttention(x);
        }
        long Live() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        long before = Live();
        for (int i = 0; i < 20; i++) Use();
        Assert.Equal(before, Live());
    }

    [Fact]
    public void WrongInputIsRefused()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1);
        Assert.Contains("[2, 1, 32, 32]",
            Assert.Throws<ArgumentException>(() => model.forward(rand(2, 1, 32, 32))).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.GetIntermediateLayers(rand(1, 3, 32, 32), 5));
        Assert.Throws<KitException>(() => VisionTransformer.Random(Small with { Heads = 5 }, 1));
        Assert.Contains("'small'", Assert.Throws<KitException>(() => VitConfig.Named("smal")).Message);
    }
}
