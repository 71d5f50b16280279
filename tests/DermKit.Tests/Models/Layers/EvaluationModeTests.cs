using DermKit.Evaluation;
using DermKit.Studies;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Studies;
using DermKit.Tests.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>A live network is left as it came, whatever was asked of it and however that ended.</summary>
public sealed class EvaluationModeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly VisionTransformer model =
        VisionTransformer.Random(TinyTuning.Sizes with { DropPath = 0.5 }, 1);

    public void Dispose()
    {
        model.Dispose();
        folder.Dispose();
    }

    private ImageCache Cache() => ImageCache.Build(folder.Path,
        [.. Enumerable.Range(0, 3)
            .Select(i => folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(40, 40, i))))],
        new EvalTransform { Resize = 32, Crop = 32 });

    private static nn.Module[] All(nn.Module root) => [root, .. root.modules()];

    [Fact]
    public void EveryModuleHasItsOwnModeTypeAndGradientsBackAfterAFailure()
    {
        nn.Module[] all = All(model);
        Assert.True(all.Length > 20);
        // A parent in training mode around a child that is frozen, and the other way round.
        for (int i = 0; i < all.Length; i++) all[i].train(i % 3 != 1);
        var dense = all.OfType<Dense>().ToArray();
        for (int i = 0; i < dense.Length; i++) dense[i].Compute = i % 2 == 0 ? ScalarType.BFloat16 : null;
        bool[] modes = Array.ConvertAll(all, m => m.training);
        ScalarType?[] types = Array.ConvertAll(dense, d => d.Compute);
        Assert.Equal(2, modes.Distinct().Count());
        Assert.Throws<InvalidTimeZoneException>(Fail);
        Assert.Equal(modes, Array.ConvertAll(all, m => m.training));
        Assert.Equal(types, Array.ConvertAll(dense, d => d.Compute));
        Assert.True(is_grad_enabled());

        void Fail()
        {
            using var mode = new EvaluationMode(model);
            Assert.All(all, m => Assert.False(m.training));
            Assert.False(is_grad_enabled());
            Dense.ComputeIn(model, null);
            model.train();
            throw new InvalidTimeZoneException();
        }
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void FeaturesOfABackboneInTrainingAreThoseOfItsWeights(Precision precision)
    {
        using ImageCache cache = Cache();
        var options = new FeatureOptions { Precision = precision };
        model.eval();
        float[] expected = FeatureExtractor.Extract(model, cache, options).Values;
        model.train();
        Dense.ComputeIn(model, ScalarType.BFloat16);
        Assert.Equal(expected, FeatureExtractor.Extract(model, cache, options).Values);
        Assert.Throws<InvalidTimeZoneException>(() =>
            FeatureExtractor.Extract(model, cache, options, progress: (_, _) => throw new InvalidTimeZoneException()));
        Assert.Equal(expected, FeatureExtractor.Extract(model, cache, options).Values);
        Assert.All(All(model), m => Assert.True(m.training));
        Assert.All(model.modules().OfType<Dense>(), d => Assert.Equal(ScalarType.BFloat16, d.Compute));
        Assert.True(is_grad_enabled());
    }

    [Fact]
    public void MapsOfABackboneInTrainingThatFailLeaveItInTraining()
    {
        using var scope = NewDisposeScope();
        Tensor good = ones(1, 3, 32, 32), bad = ones(1, 4, 32, 32);
        foreach (Action<Tensor> ask in (Action<Tensor>[])[b => TokenMaps.Attention(model, b),
            b => TokenMaps.Components(model, b)])
        {
            model.train();
            Assert.ThrowsAny<Exception>(() => ask(bad));
            ask(good);
            Assert.All(All(model), m => Assert.True(m.training));
            Assert.True(is_grad_enabled());
        }
    }

    [Fact]
    public void ANetworkThatIsFineTunedIsInTrainingAgainAfterAPredictionThatFails()
    {
        using var tiny = new TinyTuning();
        using TunedNetwork network = TinyTuning.Vit(dropPath: 0.5);
        using var tuner = new FineTuner(network, TinyTuning.Options, [48, 48], CPU);
        network.train();
        network.ComputeIn(ScalarType.BFloat16);
        double[,] first = tuner.Predict(tiny.Images.Seen, [0, 1]);
        Assert.ThrowsAny<Exception>(() => tuner.Predict(tiny.Images.Seen, [-1]));
        Assert.Equal(first, tuner.Predict(tiny.Images.Seen, [0, 1]));
        Assert.All(All(network), m => Assert.True(m.training));
        Assert.All(network.Backbone.modules().OfType<Dense>(), d => Assert.Equal(ScalarType.BFloat16, d.Compute));
        Assert.True(is_grad_enabled());
    }
}
