using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

internal static class ModelBenchmarks
{
    private const int Batch = 16;

    /// <summary>Multiply-adds of ViT-T/16 at 224 x 224, times two.</summary>
    private const double FlopPerImage = 2 * 1.25e9;

    /// <summary>cls4 features of ViT-T/16 in both types; the limit is the rate of one large product of that
    /// type in the same run.</summary>
    public static IEnumerable<Row> FeatureExtraction()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Tiny, 1);
        model.eval();
        var transform = new EvalTransform();
        Tensor pixels = randint(0, 256, [Batch, 3, 224, 224], ScalarType.Byte);
        foreach ((string name, ScalarType? type) in new (string, ScalarType?)[]
        {
            ("fp32", null), ("bf16", ScalarType.BFloat16)
        })
        {
            if (type is not null && !Processor.MultipliesBFloat16) continue;
            Dense.ComputeIn(model, type);
            const int Side = 4096;
            Tensor x = randn(Side, Side).to(type ?? ScalarType.Float32), weight = randn(Side, Side)
                .to(type ?? ScalarType.Float32);
            double[] seconds = Measure.Medians(7,
                () => FeatureExtractor.Features(model, transform.Normalise(pixels), new()),
                () => nn.functional.linear(x, weight));
            double limit = 2e-9 * Side * Side * Side / seconds[1];
            yield return new($"features-vit-t-224 {name}, batch 16", Batch / seconds[0], "images/s",
                Batch / seconds[0] * FlopPerImage * 1e-9 / limit);
            yield return new($"matrix product {name}", limit, "GFLOP/s", null);
        }
    }

    /// <summary>
    /// MONET's features of its image tower as a user has them with precision bf16: from float32 weights that each pass
    /// brings to bfloat16, through the
    /// extractor, in its own batch and in a small one. The limit is one large product in bfloat16.
    /// </summary>
    public static IEnumerable<Row> LargeForward()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        const int M = 4096, K = 1024, N = 4096;
        var options = new FeatureOptions { Variant = FeatureVariant.Cls4PreNorm, Precision = Precision.Bf16 };
        using ClipVisionTransformer model = ClipVisionTransformer.Random(ClipVisionConfig.Named("large"), 1);
        model.eval();
        Dense.ComputeIn(model, ScalarType.BFloat16);
        Tensor images = randn(options.Batch, 3, 224, 224), few = images.narrow(0, 0, 4), x = randn(M, K).to(bfloat16),
            weight = randn(N, K).to(bfloat16);
        double[] seconds = Measure.Medians(3, () => FeatureExtractor.Features(model, images, options),
            () => FeatureExtractor.Features(model, few, options), () => nn.functional.linear(x, weight));
        double limit = 2e-9 * M * K * N / seconds[2],
            macs = ModelCost.Of("ViT-L/14", ClipVisionConfig.Named("large")).GigaMacs;
        foreach ((Tensor batch, double time) in new[] { (images, seconds[0]), (few, seconds[1]) })
            yield return new($"features ViT-L/14 bf16 batch {batch.shape[0]}", batch.shape[0] / time, "images/s",
                batch.shape[0] / time * 2 * macs / limit);
        yield return new("matrix product, bf16", limit, "GFLOP/s", 1);
    }
}
