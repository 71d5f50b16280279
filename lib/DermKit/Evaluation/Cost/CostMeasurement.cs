using DermKit.Models;
using System.Diagnostics;

namespace DermKit.Evaluation;

/// <summary>Measured cost of a model. ImagesPerSecond is the median over rounds. PeakBytes is the peak memory of one
/// pass above the process before the model was made; on an NVIDIA GPU, above the memory before the first model, an
/// upper bound. It is null below the largest batch, on other devices, without nvidia-smi, and where smaller models
/// reserved as much before. Precision is fp32, or bf16: products in bfloat16, weights and norms in float32.</summary>
public sealed record MeasuredCost(ModelCost Model, int Batch, double ImagesPerSecond, double Slowest, double Fastest,
    long? PeakBytes, Precision Precision = Precision.Fp32);

/// <summary>Time and memory of feature extraction. Models take turns, so that other load slows all alike; one is in
/// memory at a time. Weights are random, which changes neither time nor memory; an ONNX encoder has its own and
/// computes in float32 alone.</summary>
public static class CostMeasurement
{
    private const int Side = 224, Block = 1 << 20;

    /// <summary>Whether the device has instructions for bfloat16 products; others compute them in float32, more
    /// slowly.</summary>
    public static bool MultipliesBf16(Device device) => device.type != DeviceType.CPU || Processor.MultipliesBFloat16;

    /// <summary>Measures from normalised images to features in memory, in every precision and batch of the plan.
    /// progress gets (done, all).</summary>
    /// <exception cref="ArgumentException">The plan has no images or rounds.</exception>
    public static IReadOnlyList<MeasuredCost> Run(IReadOnlyList<ModelCost> models, CostPlan plan, Device? device = null,
        Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        if (plan.Batches.DefaultIfEmpty().Min() < 1 || plan.Rounds < 1)
            throw new ArgumentException("Expected at least one image and one round, "
                + $"found {string.Join(", ", plan.Batches)} and {plan.Rounds}.", nameof(plan));
        if (plan.Precisions.Contains(Precision.Auto))
            throw new ArgumentException("Precision auto: expected fp32 or bf16.", nameof(plan));
        device ??= CPU;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        int most = plan.Batches.Max();
        Precision[] precisions = [.. plan.Precisions.Where(p => p == Precision.Fp32 || MultipliesBf16(device))];
        Tensor images = randn([most, 3, Side, Side], generator: generator).to(device),
            values = randn([Block], generator: generator).mul_(Kept(0.02)).to(device);
        var rates = new Dictionary<(int Model, Precision Precision, int Batch), List<double>>();
        var peaks = new Dictionary<(int Model, Precision Precision), long>();
        GpuMemory? gpu = null;
        if (device.type == DeviceType.CUDA)
        {
            // Memory of the context and the libraries belongs to no model.
            foreach (Precision precision in precisions)
            {
                using Tensor block = values.view(1024, -1).to(precision.ProductType() ?? float32);
                block.mm(block.t()).cpu();
            }
            gpu = new(Math.Max(0, device.index));
        }
        int done = 0;
        // Round 0 reads memory in a thread, which would disturb the clock. GPU memory grows with each larger model and
        // never falls.
        for (int round = 0; round <= plan.Rounds; round++)
            foreach (int m in Enumerable.Range(0, models.Count).OrderBy(m => round == 0 ? models[m].Parameters : 0))
            {
                long before = ProcessMemory.Trimmed();
                using Backbone model = models[m].Unset(device);
                Fill(model, values);
                model.eval();
                void Pass(int count)
                {
                    using var pass = NewDisposeScope();
                    model.Features(images.narrow(0, 0, count), models[m].Variant).cpu();
                }
                foreach (Precision precision in precisions.Where(p => p == Precision.Fp32 || model is not OnnxEncoder))
                {
                    cancellation.ThrowIfCancellationRequested();
                    Dense.ComputeIn(model, precision.ProductType());
                    if (round == 0 && device.type == DeviceType.CPU)
                    {
                        ProcessMemory.Trimmed();
                        peaks[(m, precision)] = Math.Max(0, ProcessMemory.PeakDuring(() => Pass(most)) - before);
                    }
                    if (round == 0 && gpu is not null)
                    {
                        Pass(most);
                        if (gpu.Growth() is { } growth) peaks[(m, precision)] = growth;
                    }
                    if (round == 0) continue;
                    // The first pass allocates memory that later ones reuse.
                    Pass(1);
                    foreach (int batch in plan.Batches)
                    {
                        if (!rates.TryGetValue((m, precision, batch), out List<double>? own))
                            rates[(m, precision, batch)] = own = [];
                        own.Add(Rate(() => Pass(batch), batch, plan.Seconds));
                    }
                }
                progress?.Invoke(++done, (plan.Rounds + 1) * models.Count);
            }
        return [.. rates.OrderBy(r => r.Key.Model)
            .Select(r => new MeasuredCost(models[r.Key.Model], r.Key.Batch,
                Bootstrap.Percentile([.. r.Value.Order()], 0.5), r.Value.Min(), r.Value.Max(),
                r.Key.Batch == most && peaks.TryGetValue((r.Key.Model, r.Key.Precision), out long peak) ? peak : null,
                r.Key.Precision))];
    }

    private static double Rate(Action pass, int batch, double seconds)
    {
        var clock = Stopwatch.StartNew();
        int passes = 0;
        do
        {
            pass();
            passes++;
        }
        while (clock.Elapsed.TotalSeconds < seconds);
        return batch * passes / clock.Elapsed.TotalSeconds;
    }

    // Repeats one block of random values: drawing 300 million each turn would take longer than the turn.
    private static void Fill(Backbone model, Tensor values)
    {
        foreach ((string name, Parameter parameter) in model.named_parameters())
        {
            using var scope = NewDisposeScope();
            // Scales of norms are 1 from the start.
            if (parameter.dim() == 1 && name.EndsWith("weight", StringComparison.Ordinal)) continue;
            if (name.EndsWith("bias", StringComparison.Ordinal)) parameter.zero_();
            else
                for (long start = 0; start < parameter.numel(); start += Block)
                {
                    long count = Math.Min(Block, parameter.numel() - start);
                    parameter.view(-1).narrow(0, start, count).copy_(values.narrow(0, 0, count));
                }
        }
    }
}
