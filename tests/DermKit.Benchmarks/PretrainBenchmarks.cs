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

    /// <summary>Forward passes of teacher and student and the student's backward pass,
    /// multiply-adds times two.</summary>
    private const double FlopPerImage = 30.4e9;

    private static DinoOptions Options(string precision) => new()
    {
        LocalCrops = 8,
        Batch = Batch,
        Precision = precision == "bf16" ? Precision.Bf16 : Precision.Fp32,
        FrozenLastLayerEpochs = 0
    };

    /// <summary>
    /// A whole update from ready views; the limit is the rate of libtorch's linear on a product of 4096 x 4096 matrices
    /// in the same type. The ratio of the
    /// row of plain modules is the time of <see cref="PlainDino"/>, which is float32, over that of the kit's step.
    /// </summary>
    public static IEnumerable<Row> Step(string precision)
    {
        using var scope = NewDisposeScope();
        DinoOptions options = Options(precision);
        using var dino = new Dino(options, CPU);
        using var loop = new TrainingLoop(dino, options, 1000);
        using var plain = new PlainDino();
        Tensor globals = randn(2 * Batch, 3, 224, 224), locals = randn(8 * Batch, 3, 96, 96);
        using var views = new Views(globals, locals);
        const int N = 4096;
        ScalarType type = precision == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        Tensor a = randn(N, N).to(type), b = randn(N, N).to(type);
        Action[] bodies = [() => loop.Next(views), () => Product(() => nn.functional.linear(a, b)),
            () => plain.Step(globals, locals)];
        double[] seconds = Measure.Medians(5, bodies);
        double limit = 2e-9 * N * N * N / seconds[1];
        yield return new($"dino-step-{precision}", Batch / seconds[0], "images/s",
            Batch / seconds[0] * FlopPerImage * 1e-9 / limit);
        yield return new($"dino-step-{precision}, plain modules", Batch / seconds[2], "images/s",
            seconds[2] / seconds[0]);
        yield return new($"matrix product 4096, {precision}", limit, "GFLOP/s", null);
        yield return Managed(precision, loop, views);
    }

    /// <summary>What .NET allocates in a step after the first ones.</summary>
    private static Row Managed(string what, TrainingLoop loop, Views views)
    {
        const int Steps = 3;
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Steps; i++) loop.Next(views);
        return new($"managed bytes per step, {what}",
            (GC.GetTotalAllocatedBytes(precise: true) - before) / 1024.0 / Steps, "KB", null);
    }

    /// <summary>A whole update of another method as the environment page measures its peers: iBOT on ViT-T with K =
    /// 8192, SimCLR and BYOL on ResNet-50 with two views of 224.</summary>
    public static IEnumerable<Row> Other(string method, string precision)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = PretrainOptions.For(method) with
        {
            Batch = Batch,
            Precision = precision == "bf16" ? Precision.Bf16 : Precision.Fp32
        };
        if (options is IBotOptions iBot)
            options = iBot with { LocalCrops = 8, Outputs = 8192, FrozenLastLayerEpochs = 0 };
        using PretrainMethod made = options.Create(CPU);
        using var loop = new TrainingLoop(made, options, 1000);
        PatchMasks? masks = options.Masks([.. Enumerable.Range(0, Batch)], 0, CPU);
        using var views = new Views(randn(2 * Batch, 3, 224, 224),
            options is IBotOptions { LocalCrops: var locals } ? randn(locals * Batch, 3, 96, 96) : null, masks);
        double seconds = Measure.Medians(3, () => loop.Next(views))[0];
        yield return new(
            $"{method.ToLowerInvariant()}-{(options.Network == NetworkKind.ViT ? "" : "r50-")}step-{precision}",
            Batch / seconds, "images/s", null);
        yield return Managed($"{method}, {precision}", loop, views);
    }

    /// <summary>
    /// Clipping, AdamW and teacher of ViT-T with its head. Each number is counted once for every read or
    /// write that no order of work spares:
    /// the gradient twice (its norm must be known first), parameter, two moments and teacher in and out. The limit is
    /// the best of copying and summing.
    /// </summary>
    public static IEnumerable<Row> Optimiser()
    {
        using var scope = NewDisposeScope();
        using var dino = new Dino(Options("fp32"), CPU);
        (string, Parameter Value)[] parameters = [.. dino.Student.named_parameters()
            .Where(p => p.parameter.requires_grad)];
        using var adamW = new AdamW(parameters);
        foreach ((_, Parameter value) in parameters) value.grad = randn(value.shape) * 1e-3;
        const int Numbers = 1 << 25;
        Tensor from = zeros(Numbers), to = zeros(Numbers);
        long passes = 10 * parameters.Sum(p => p.Value.numel());
        double[] seconds = Measure.Medians(15,
            () =>
            {
                adamW.Clip(3);
                adamW.Step(1e-4, 0.04);
                dino.AfterStep(0.996);
            },
            () => to.copy_(from), () => from.sum());
        double rate = 4e-9 * passes / seconds[0], limit = 4e-9 * Numbers * Math.Max(2 / seconds[1], 1 / seconds[2]);
        yield return new("optimiser-clip-ema", 1e3 * seconds[0], "ms", rate / limit);
        yield return new("memory, best of copy and sum", limit, "GB/s", null);
    }

    /// <summary>Two views of 224 and eight of 96 pixels of cached images of 256, on one thread.</summary>
    public static IEnumerable<Row> Views()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<ViewRecipe[]> recipes = Options("fp32").Recipes();
        Tensor images = randint(0, 256, [Batch, 3, 256, 256], ScalarType.Byte);
        int[] ids = [.. Enumerable.Range(0, Batch)];
        int epoch = 0;
        double[] seconds = [];
        Measure.OnOneThread(() => seconds =
            Measure.Medians(9, () => CropViews.Make(images, ids, 1, epoch++, null, CPU, recipes)));
        yield return new("views-per-core", Batch / seconds[0], "images/s", null);
    }

    private static void Product(Func<Tensor> product)
    {
        using var noGrad = no_grad();
        product();
    }
}
