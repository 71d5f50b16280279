using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;

namespace DermKit.Tests.Evaluation;

/// <summary>These tests watch the memory of the whole process, so nothing runs beside them.</summary>
[CollectionDefinition("Memory", DisableParallelization = true)]
public sealed class MemoryCollection;

[Collection("Memory")]
public sealed class CostMeasurementTests
{
    [Fact]
    public void MeasuringTakesTurnsAndKeepsNothing()
    {
        ModelCost[] models = [ModelCost.Of("small", new VitConfig { Dim = 24, Depth = 4, Heads = 3, Patch = 56 }),
            ModelCost.Of("large",
                new ClipVisionConfig { Dim = 512, Depth = 5, Heads = 8, Patch = 32, Hidden = 2048, Projection = 32 })];
        var plan = new CostPlan { Batches = [1, 2], Rounds = 2, Seconds = 0.02, Precisions = [Precision.Fp32] };
        var calls = new List<(int, int)>();
        CostMeasurement.Run(models, plan);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        IReadOnlyList<MeasuredCost> measured = CostMeasurement.Run(models, plan,
            progress: (done, all) => calls.Add((done, all)));
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal([.. Enumerable.Range(1, 6).Select(i => (i, 6))], calls);
        Assert.Equal([(models[0], 1), (models[0], 2), (models[1], 1), (models[1], 2)],
            measured.Select(m => (m.Model, m.Batch)));
        Assert.All(measured,
            m => Assert.True(m.Slowest > 0 && m.Slowest <= m.ImagesPerSecond && m.ImagesPerSecond <= m.Fastest
                && m.Precision == Precision.Fp32));
        // 200 times the operations: slower on any machine.
        Assert.True(measured[1].Fastest > measured[3].Fastest);
        // 17 million weights of 4 bytes are in the peak, but for pages that the allocator had kept; what the process
        // had before is not, pages that an earlier model left to the allocator among it. The smaller batch has no peak.
        Assert.InRange(measured[3].PeakBytes!.Value, 3 * models[1].Parameters,
            4 * models[1].Parameters + (200 << 20));
        Assert.InRange(measured[1].PeakBytes!.Value, 0, 4 * models[1].Parameters);
        Assert.All(new[] { measured[0], measured[2] }, m => Assert.Null(m.PeakBytes));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() =>
            CostMeasurement.Run(models, plan, cancellation: cancelled.Token));
        Assert.Throws<ArgumentException>(() => CostMeasurement.Run(models, plan with { Batches = [0, 1] }));
        Assert.Throws<ArgumentException>(() => CostMeasurement.Run(models, plan with { Batches = [] }));
        Assert.Contains("Precision auto: expected fp32 or bf16", Assert.Throws<ArgumentException>(() =>
            CostMeasurement.Run(models, plan with { Precisions = [Precision.Auto] })).Message);
    }

    [Fact]
    public void BothPrecisionsAreMeasuredWhereTheDeviceHasBoth()
    {
        Assert.True(CostMeasurement.MultipliesBf16(torch.META));
        ModelCost[] models = [ModelCost.Of("small", new VitConfig { Dim = 24, Depth = 4, Heads = 3, Patch = 56 })];
        IReadOnlyList<MeasuredCost> measured = CostMeasurement.Run(models,
            new CostPlan { Batches = [1], Rounds = 1, Seconds = 0.01 });
        Assert.Equal(CostMeasurement.MultipliesBf16(torch.CPU) ? [Precision.Fp32, Precision.Bf16] : [Precision.Fp32],
            measured.Select(m => m.Precision));
        Assert.All(measured, m => Assert.NotNull(m.PeakBytes));
    }

    [Fact]
    public void ANetworkIsMeasuredAsItIsEvaluatedAndAnOnnxEncoderInFloat32Alone()
    {
        string data = Path.Combine(KitSettings.FromEnvironment().Root, "data");
        ModelDefinition file = ModelRegistry.Load(data)["resnet18-imagenet"] with { Family = "onnx" };
        var modes = new List<bool>();
        ModelCost watched = ModelCost.Of("watched", 0, 1, _ => new ModuleBackbone("watched", new Watched(modes), 3));
        IReadOnlyList<MeasuredCost> measured = CostMeasurement.Run([watched, file.Cost!],
            new CostPlan { Batches = [1], Rounds = 1, Seconds = 0.01 });
        // Batch normalisation in training mode would take longer, and move its statistics.
        Assert.NotEmpty(modes);
        Assert.DoesNotContain(true, modes);
        Assert.Equal(Precision.Fp32, Assert.Single(measured, m => m.Model.Name == file.Name).Precision);
    }

    private sealed class Watched(List<bool> modes) : torch.nn.Module<torch.Tensor, torch.Tensor>(nameof(Watched))
    {
        public override torch.Tensor forward(torch.Tensor x)
        {
            modes.Add(training);
            return x.mean([2, 3]);
        }
    }

    [Fact]
    public void AGpusMemoryIsWhatNvidiaSmiSays()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the stand-in for nvidia-smi is a shell script");
        using var folder = new TemporaryFolder();
        string path = Environment.GetEnvironmentVariable("PATH")!, used = Path.Combine(folder.Path, "used"),
            asked = Path.Combine(folder.Path, "asked");
        string script = folder.Write("nvidia-smi",
            System.Text.Encoding.UTF8.GetBytes($"#!/bin/sh\necho \"$@\" > '{asked}'\ncat '{used}'\n"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        long? Growth(GpuMemory memory, string answer)
        {
            File.WriteAllText(used, answer);
            return memory.Growth();
        }
        string? visible = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES");
        try
        {
            Environment.SetEnvironmentVariable("PATH", $"{folder.Path}:{path}");
            Environment.SetEnvironmentVariable("CUDA_VISIBLE_DEVICES", null);
            File.WriteAllText(used, "1000\n");
            var memory = new GpuMemory(1);
            Assert.Equal("--query-gpu=memory.used --format=csv,noheader,nounits -i 1", File.ReadAllText(asked).Trim());
            Assert.Equal(500L << 20, Growth(memory, "1500\n"));
            // What an earlier model has reserved already says nothing of a later one.
            Assert.Null(Growth(memory, "1500\n"));
            Assert.Equal(1000L << 20, Growth(memory, "2000\n"));
            Assert.Null(Growth(memory, "[N/A]\n"));
            Environment.SetEnvironmentVariable("CUDA_VISIBLE_DEVICES", "3, GPU-5a");
            Assert.Null(Growth(new GpuMemory(1), "7\n"));
            Assert.EndsWith("-i GPU-5a", File.ReadAllText(asked).Trim(), StringComparison.Ordinal);
            // Without it nothing is known, and that is no error.
            Environment.SetEnvironmentVariable("PATH", Path.Combine(folder.Path, "none"));
            Assert.Null(new GpuMemory(0).Growth());
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
            Environment.SetEnvironmentVariable("CUDA_VISIBLE_DEVICES", visible);
        }
    }
}
