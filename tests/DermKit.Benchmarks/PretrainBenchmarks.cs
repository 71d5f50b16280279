using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

/// <summary>DINO on ViT-T/16 as the README's peers are measured: 2 x 224 + 8 x 96, K = 4096, batch 16.</summary>
internal static class PretrainBenchmarks
{
    private const int Batch = 16;

    /// <summary>Forward passes of teacher and student and the student's backward pass, multiply-adds times two.</summary>
    private const double FlopPerImage = 30.4e9;

    private static PretrainOptions Options(string precision) => new() { LocalCrops = 8, Batch = Batch, Precision = precision, FrozenLastLayerEpochs = 0 };

    /// <summary>A whole update from ready views; the limit is the best rate of any kernel on a product of 4096 x 4096 matrices in the same type.</summary>
    public static IEnumerable<Row> Step(string precision)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = Options(precision);
        using var dino = new Dino(options, CPU);
        using var updates = new Updates(dino, options, 1000);
        using var views = new Views(randn(2 * Batch, 3, 224, 224), randn(8 * Batch, 3, 96, 96));
        const int N = 4096;
        ScalarType type = precision == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor a = randn(N, N).to(type), b = randn(N, N).to(type);
        Action[] bodies = [() => updates.Next(views), () => Product(() => nn.functional.linear(a, b)), () => Product(() => MatrixPath.Convolution(a, b, null))];
        double[] seconds = Measure.Medians(5, bodies);
        double limit = 2e-9 * N * N * N / Math.Min(seconds[1], seconds[2]);
        yield return new($"dino-step-{precision}", Batch / seconds[0], "images/s", Batch / seconds[0] * FlopPerImage * 1e-9 / limit);
        yield return new($"matrix product 4096, {precision}", limit, "GFLOP/s", null);
        const int Steps = 3;
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Steps; i++) updates.Next(views);
        yield return new($"managed bytes per step, {precision}", (GC.GetTotalAllocatedBytes(precise: true) - before) / 1024.0 / Steps, "KB", null);
    }

    private static void Product(Func<Tensor> product)
    {
        using var noGrad = no_grad();
        product();
    }
}
