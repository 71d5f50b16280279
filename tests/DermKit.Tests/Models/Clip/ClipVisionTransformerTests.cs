using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class ClipVisionTransformerTests : IDisposable
{
    private static readonly ClipVisionConfig Small =
        new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32, Hidden = 40, Projection = 10 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("large", 14, 303_179_776, 786_432)]
    [InlineData("base", 32, 87_456_000, 393_216)]
    [InlineData("base", 16, 85_799_424, 393_216)]
    public void ParameterCountsAreThoseOfTheReleasedTowers(string size, int patch, long tower, long projection)
    {
        using ClipVisionTransformer model =
            ClipVisionTransformer.Unset(ClipVisionConfig.Named(size) with { Patch = patch }, META);
        Assert.Equal((tower, tower + projection), (model.ParameterCount, model.parameters().Sum(p => p.numel())));
    }

    [Fact]
    public void ASeedDecidesTheWeightsAndLeavesTheGlobalGeneratorAlone()
    {
        manual_seed(7);
        float expected = rand(1).item<float>();
        manual_seed(7);
        using ClipVisionTransformer one = ClipVisionTransformer.Random(Small, 1),
            again = ClipVisionTransformer.Random(Small, 1), other = ClipVisionTransformer.Random(Small, 2);
        Assert.Equal(expected, rand(1).item<float>());
        Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(again));
        Assert.NotEqual(WeightLoader.Hash(one), WeightLoader.Hash(other));
    }

    [Fact]
    public void RunsOnTheMetaDevice()
    {
        using var scope = NewDisposeScope();
        using ClipVisionTransformer model = ClipVisionTransformer.Random(Small, 1, META);
        using Tensor x = empty([2, 3, 32, 32], device: META);
        Assert.Equal([2, 17, 24], model.LastHiddenState(x).shape);
        Assert.Equal([2, 24], model.ClsOfLastBlocks(x, 1).shape);
        Assert.Equal([2, 96], model.Features(x, FeatureVariant.Cls4).shape);
        Tensor embedded = model.forward(x);
        Assert.Equal([2, 10], embedded.shape);
        embedded.sum().backward();
        Assert.All(model.parameters(), p => Assert.Equal(DeviceType.META, p.grad!.device_type));
    }

    [Theory]
    [InlineData(nameof(ClipActivation.QuickGelu))]
    [InlineData(nameof(ClipActivation.Gelu))]
    public void FeaturesAreTheClsTokensOfTheLastBlocks(string activation)
    {
        using var scope = NewDisposeScope();
        ClipVisionConfig config = Small with { Activation = Enum.Parse<ClipActivation>(activation) };
        using ClipVisionTransformer model = ClipVisionTransformer.Random(config, 1);
        Tensor x = rand(2, 3, 32, 32), withGraph = model.Features(x, FeatureVariant.Cls4PreNorm);
        using var noGrad = no_grad();
        Tensor raw = model.Features(x, FeatureVariant.Cls4PreNorm), normed = model.Features(x, FeatureVariant.Cls4);
        Assert.Equal([2, 96], raw.shape);
        Assert.True(withGraph.allclose(raw, 1e-5, 1e-6));
        // The last quarter is the last block's CLS token, the earlier ones are those of towers that end earlier.
        for (int depth = 1; depth <= 4; depth++)
        {
            using ClipVisionTransformer shorter = ClipVisionTransformer.Unset(config with { Depth = depth });
            foreach ((string key, Tensor value) in shorter.state_dict()) value.copy_(model.state_dict()[key]);
            Assert.True(raw.narrow(1, 24 * (depth - 1), 24)
                .allclose(shorter.LastHiddenState(x).select(1, 0), 1e-5, 1e-6), $"block {depth}");
            Assert.True(normed.narrow(1, 24 * (depth - 1), 24).allclose(shorter.ClsOfLastBlocks(x, 1), 1e-4, 1e-5),
                $"block {depth}");
        }
        Assert.Equal(10, model.Width(FeatureVariant.Projected));
        Assert.True(model.Features(x, FeatureVariant.Projected).equal(model.forward(x)).all().item<bool>());
    }

    [Fact]
    public void MissingExtraAndMisshapenKeysAreListedAndNothingIsLoaded()
    {
        using var scope = NewDisposeScope();
        using ClipVisionTransformer model = ClipVisionTransformer.Random(Small, 1),
            source = ClipVisionTransformer.Random(Small, 2);
        string before = WeightLoader.Hash(model), path = Path.Combine(folder.Path, "m.safetensors");
        Dictionary<string, Tensor> state = source.state_dict();
        // What a whole CLIPModel holds besides, old position numbers included.
        foreach (string key in new[]
        {
            "text_model.encoder.layers.0.mlp.fc1.bias", "text_projection.weight", "logit_scale"
        }) state[key] = zeros(3);
        state["vision_model.embeddings.position_ids"] = arange(17, ScalarType.Int64).unsqueeze(0);
        SafeTensors.Save(path, state);
        WeightLoader.LoadStrict(model, path, ClipVisionTransformer.NotVision);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(model));

        using ClipVisionTransformer untouched = ClipVisionTransformer.Random(Small, 1);
        state.Remove("vision_model.pre_layrnorm.bias");
        state["vision_model.encoder.layers.4.layer_norm1.weight"] = zeros(24);
        state["text_modelling.weight"] = zeros(1);
        state["visual_projection.weight"] = zeros(24, 10);
        SafeTensors.Save(path, state);
        string message =
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(untouched, path, ClipVisionTransformer.NotVision))
                .Message;
        Assert.Contains(path, message);
        Assert.Contains("missing: vision_model.pre_layrnorm.bias.", message);
        Assert.Contains("vision_model.encoder.layers.4.layer_norm1.weight", message);
        Assert.Contains("text_modelling.weight", message);
        Assert.DoesNotContain("logit_scale", message);
        Assert.Contains("misshapen: visual_projection.weight [24, 10] for [10, 24].", message);
        Assert.Equal(before, WeightLoader.Hash(untouched));
    }

    [Fact]
    public void LiveTensorsDoNotGrow()
    {
        using ClipVisionTransformer model = ClipVisionTransformer.Random(Small, 1);
        using Tensor x = rand(2, 3, 32, 32);
        void Use()
        {
            using var scope = NewDisposeScope();
            model.forward(x).sum().backward();
            using var noGrad = no_grad();
            model.Features(x, FeatureVariant.Cls4PreNorm);
            model.LastHiddenState(x);
        }
        Use();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 20; i++) Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void TheModelOutlivesAScope()
    {
        ClipVisionTransformer model;
        using (NewDisposeScope()) model = ClipVisionTransformer.Random(Small, 1);
        using (model)
        using (NewDisposeScope())
            Assert.Equal([2, 10], model.forward(rand(2, 3, 32, 32)).shape);
    }

    [Fact]
    public void WrongInputIsRefused()
    {
        using var scope = NewDisposeScope();
        using ClipVisionTransformer model = ClipVisionTransformer.Random(Small, 1);
        Assert.Contains("[B, 3, 32, 32], found [2, 3, 40, 40]",
            Assert.Throws<ArgumentException>(() => model.forward(rand(2, 3, 40, 40))).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.ClsOfLastBlocks(rand(1, 3, 32, 32), 5));
        Assert.Contains("'PaperScript'",
            Assert.Throws<KitException>(() => model.Width(FeatureVariant.PaperScript)).Message);
        Assert.Throws<KitException>(() => ClipVisionTransformer.Random(Small with { Heads = 5 }, 1));
        Assert.Contains("'large'", Assert.Throws<KitException>(() => ClipVisionConfig.Named("lagre")).Message);
    }
}
