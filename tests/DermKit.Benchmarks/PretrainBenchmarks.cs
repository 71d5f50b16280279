using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using AdamW = DermKit.Pretraining.AdamW;
using Parameter = TorchSharp.Modules.Parameter;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

/// <summary>DINO on ViT-T/16 as the README's peers are measured: 2 x 224 + 8 x 96, K = 4096, batch 16.</summary>
internal static class PretrainBenchmarks
{
    private const int Batch = 16;

    /// <summary>Forward passes of teacher and student and the student's backward pass, multiply-adds times two.</summary>
    private const double FlopPerImage = 30.4e9;

    private static PretrainOptions Options(string precision) => new() { LocalCrops = 8, Batch = Batch, Precision = precision, FrozenLastLayerEpochs = 0 };

    /// <summary>
    /// A whole update from ready views; the limit is the rate of libtorch's linear on a product of 4096 x 4096 matrices in the same type. The ratio of the
    /// row of plain modules is the time of <see cref="PlainDino"/>, which is float32, over that of the kit's step.
    /// </summary>
    public static IEnumerable<Row> Step(string precision)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = Options(precision);
        using var dino = new Dino(options, CPU);
        using var updates = new Updates(dino, options, 1000);
        using var plain = new PlainDino();
        Tensor globals = randn(2 * Batch, 3, 224, 224), locals = randn(8 * Batch, 3, 96, 96);
        using var views = new Views(globals, locals);
        const int N = 4096;
        ScalarType type = precision == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor a = randn(N, N).to(type), b = randn(N, N).to(type);
        Action[] bodies = [() => updates.Next(views), () => Product(() => nn.functional.linear(a, b)), () => plain.Step(globals, locals)];
        double[] seconds = Measure.Medians(5, bodies);
        double limit = 2e-9 * N * N * N / seconds[1];
        yield return new($"dino-step-{precision}", Batch / seconds[0], "images/s", Batch / seconds[0] * FlopPerImage * 1e-9 / limit);
        yield return new($"dino-step-{precision}, plain modules", Batch / seconds[2], "images/s", seconds[2] / seconds[0]);
        yield return new($"matrix product 4096, {precision}", limit, "GFLOP/s", null);
        yield return Managed(precision, updates, views);
    }

    /// <summary>What .NET allocates in a step after the first ones.</summary>
    private static Row Managed(string what, Updates updates, Views views)
    {
        const int Steps = 3;
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Steps; i++) updates.Next(views);
        return new($"managed bytes per step, {what}", (GC.GetTotalAllocatedBytes(precise: true) - before) / 1024.0 / Steps, "KB", null);
    }

    /// <summary>A whole update of another method as the environment page measures its peers: iBOT on ViT-T with K = 8192, SimCLR and BYOL on ResNet-50 with two views of 224.</summary>
    public static IEnumerable<Row> Other(string method, string precision)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = PretrainOptions.For(method) with { Batch = Batch, Precision = precision, FrozenLastLayerEpochs = 0 };
        if (method == "iBOT") options = options with { LocalCrops = 8, Outputs = 8192 };
        using PretrainMethod made = PretrainMethod.Create(options, CPU);
        using var updates = new Updates(made, options, 1000);
        PatchMasks? masks = method == "iBOT" ? new BlockMask().ForBatch([.. Enumerable.Range(0, Batch)], 1, 0, 14, CPU) : null;
        using var views = new Views(randn(2 * Batch, 3, 224, 224), options.LocalCrops == 0 ? null : randn(options.LocalCrops * Batch, 3, 96, 96), masks);
        double seconds = Measure.Medians(3, () => updates.Next(views))[0];
        yield return new($"{method.ToLowerInvariant()}-{(options.Network == "ViT" ? "" : "r50-")}step-{precision}", Batch / seconds, "images/s", null);
        yield return Managed($"{method}, {precision}", updates, views);
    }

    /// <summary>
    /// Clipping, AdamW and teacher of ViT-T with its head. Each number is counted once for every read or write that no order of work spares:
    /// the gradient twice (its norm must be known first), parameter, two moments and teacher in and out. The limit is the best of copying and summing.
    /// </summary>
    public static IEnumerable<Row> Optimiser()
    {
        using var scope = NewDisposeScope();
        using var dino = new Dino(Options("fp32"), CPU);
        (string, Parameter Value)[] parameters = [.. dino.Student.named_parameters().Where(p => p.parameter.requires_grad)];
        using var adamW = new AdamW(parameters);
        using var clipping = new GradientClipping(parameters.Select(p => p.Value), 3);
        foreach ((_, Parameter value) in parameters) value.grad = randn(value.shape) * 1e-3;
        const int Numbers = 1 << 25;
        Tensor from = zeros(Numbers), to = zeros(Numbers);
        long passes = 10 * parameters.Sum(p => p.Value.numel());
        double[] seconds = Measure.Medians(15,
            () =>
            {
                clipping.Step();
                adamW.Step(1e-4, 0.04);
                dino.AfterStep(0.996);
            },
            () => to.copy_(from), () => from.sum());
        double rate = 4e-9 * passes / seconds[0], limit = 4e-9 * Numbers * Math.Max(2 / seconds[1], 1 / seconds[2]);
        yield return new("optimiser-clip-ema", 1e3 * seconds[0], "ms", rate / limit);
        yield return new("memory, best of copy and sum", limit, "GB/s", null);
    }

    /// <summary>Two views of 224 and eight of 96 pixels of cached images of 256, on one thread; the ratio is that of tensor operations, which other devices take, to the passes that the cpu takes.</summary>
    public static IEnumerable<Row> Views()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<ViewRecipe[]> recipes = MultiCrop.Recipes(Options("fp32"));
        Tensor images = randint(0, 256, [Batch, 3, 256, 256], ScalarType.Byte);
        int[] ids = [.. Enumerable.Range(0, Batch)];
        int epoch = 0;
        double[] seconds = [];
        Measure.OnOneThread(() => seconds = Measure.Medians(9, () => CropViews.Make(images, ids, 1, epoch++, true, null, recipes), () => CropViews.Make(images, ids, 1, epoch++, false, null, recipes)));
        yield return new("views-per-core", Batch / seconds[0], "images/s", null);
        yield return new("views-per-core, tensor operations", Batch / seconds[1], "images/s", seconds[0] / seconds[1]);
    }

    private static void Product(Func<Tensor> product)
    {
        using var noGrad = no_grad();
        product();
    }
}
