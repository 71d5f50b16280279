using DermKit.Models;
using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>What a model was measured to cost on this machine.</summary>
/// <param name="Model">The model and what was counted.</param>
/// <param name="Batch">Pictures in one pass.</param>
/// <param name="ImagesPerSecond">Median over the rounds.</param>
/// <param name="Slowest">The slowest round.</param>
/// <param name="Fastest">The fastest round.</param>
/// <param name="PeakBytes">Most memory of one pass over what the process had before the model was made: weights and activations; null on a device other than the cpu.</param>
public sealed record MeasuredCost(ModelCost Model, int Batch, double ImagesPerSecond, double Slowest, double Fastest, long? PeakBytes);

/// <summary>
/// Time and memory of feature extraction, side by side: the models take turns, so that a busy neighbour slows all of them alike, and one model is in
/// memory at a time. Weights are random, which changes neither.
/// </summary>
public static class CostMeasurement
{
    private const int Side = 224, Block = 1 << 20;

    /// <summary>Measures from normalised pictures in memory to features in memory; decoding is not in it.</summary>
    /// <param name="models">In the order of their turns.</param>
    /// <param name="plan">Batch and rounds.</param>
    /// <param name="device">Where the models lie; cpu when null.</param>
    /// <param name="progress">Called with (done, all) after each turn.</param>
    /// <param name="cancellation">Looked at before each turn.</param>
    /// <exception cref="ArgumentException">A plan without pictures or rounds.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<MeasuredCost> Run(IReadOnlyList<ModelCost> models, CostPlan plan, Device? device = null, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        if (plan.Batch < 1 || plan.Rounds < 1) throw new ArgumentException($"Expected at least one picture and one round, found {plan.Batch} and {plan.Rounds}.", nameof(plan));
        device ??= CPU;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        Tensor pictures = randn([plan.Batch, 3, Side, Side], generator: generator).to(device), values = randn([Block], generator: generator).mul_(Kept(0.02)).to(device);
        var rates = models.Select(_ => new List<double>()).ToArray();
        var peaks = new long?[models.Count];
        // Round 0 is for memory, which a watching thread reads; it would disturb the clock.
        for (int round = 0; round <= plan.Rounds; round++)
            for (int m = 0; m < models.Count; m++)
            {
                cancellation.ThrowIfCancellationRequested();
                long before = ProcessMemory.Trimmed();
                using Backbone model = models[m].Unset(device);
                Fill(model, values);
                void Pass(Tensor batch)
                {
                    using var pass = NewDisposeScope();
                    model.Features(batch, models[m].Variant).cpu();
                }
                if (round == 0) peaks[m] = device.type == DeviceType.CPU ? ProcessMemory.PeakDuring(() => Pass(pictures)) - before : null;
                else
                {
                    // The first pass of a model pays for memory that later ones find again.
                    Pass(pictures.narrow(0, 0, 1));
                    rates[m].Add(Rate(() => Pass(pictures), plan));
                }
                progress?.Invoke(round * models.Count + m + 1, (plan.Rounds + 1) * models.Count);
            }
        return [.. models.Select((model, m) => new MeasuredCost(model, plan.Batch, Bootstrap.Percentile([.. rates[m].Order()], 0.5), rates[m].Min(), rates[m].Max(), peaks[m]))];
    }

    private static double Rate(Action pass, CostPlan plan)
    {
        var clock = Stopwatch.StartNew();
        int passes = 0;
        do
        {
            pass();
            passes++;
        }
        while (clock.Elapsed.TotalSeconds < plan.Seconds);
        return plan.Batch * passes / clock.Elapsed.TotalSeconds;
    }

    /// <summary>One block of random values again and again: drawing 300 million for every turn would take longer than the turn.</summary>
    private static void Fill(Backbone model, Tensor values)
    {
        foreach ((string name, Parameter parameter) in model.named_parameters())
        {
            using var scope = NewDisposeScope();
            if (name.Contains("norm", StringComparison.Ordinal)) continue;
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
