using DermKit.Cli;
using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class PretrainerTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public void Dispose() => tiny.Dispose();

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void StoppedAtAnyStepsAndTakenUpARunEndsWithTheSameBits(Precision precision)
    {
        PretrainOptions options = TinyPretraining.Options with { Precision = precision };
        var (checkpoint, log) = tiny.Run("whole", options);
        Assert.Equal(Enumerable.Range(1, 12), log.Select(s => s.Step));
        var random = new Random(5);
        using PretrainData data = tiny.Data(options);
        for (int stops = 0, done = 0; done < 12; stops++)
        {
            using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("stopped"));
            Assert.Equal(done, trainer.Done);
            using var stop = new CancellationTokenSource();
            int at = done + random.Next(4);
            if (at == done) stop.Cancel();
            Action run = () => trainer.Run(s => { if (s.Step == at) stop.Cancel(); }, stop.Token);
            if (at < 12) Assert.ThrowsAny<OperationCanceledException>(run);
            else run();
            done = trainer.Done;
            Assert.Equal(Math.Min(at, 12), done);
            Assert.True(stops < 30);
        }
        Assert.Equal(log, tiny.Result("stopped").Log);
        Assert.Equal(checkpoint, tiny.Result("stopped").Checkpoint);
    }

    [Fact]
    public void AfterACrashItGoesOnFromTheLastCheckpoint()
    {
        PretrainOptions options = TinyPretraining.Options with { CheckpointEvery = 5 };
        var (checkpoint, log) = tiny.Run("whole", options);
        using PretrainData data = tiny.Data(options);
        foreach ((int crash, int kept) in new[] { (4, 0), (9, 5), (6, 5), (11, 10) })
        {
            using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("crashed"));
            Assert.Throws<InvalidTimeZoneException>(() =>
                trainer.Run(s => { if (s.Step == crash) throw new InvalidTimeZoneException(); }));
            using var next = new Pretrainer(options, data, CPU, tiny.Folder("crashed"));
            Assert.Equal(kept, next.Done);
            Assert.Equal(kept, next.Log.Count);
        }
        using (var last = new Pretrainer(options, data, CPU, tiny.Folder("crashed"))) last.Run();
        Assert.Equal(log, tiny.Result("crashed").Log);
        Assert.Equal(checkpoint, tiny.Result("crashed").Checkpoint);
    }

    [Fact]
    public void AFinishedRunIsTakenUpAsFinished()
    {
        var (checkpoint, _) = tiny.Run("done", TinyPretraining.Options);
        using PretrainData data = tiny.Data();
        using var again = new Pretrainer(TinyPretraining.Options, data, CPU, tiny.Folder("done"));
        Assert.Equal(12, again.Run(_ => Assert.Fail("a finished run made another step")).Count);
        Assert.Equal(checkpoint, tiny.Result("done").Checkpoint);
    }

    [Fact]
    public void OtherSeedsGiveOtherRunsAndTheSameSeedTheSame()
    {
        byte[] first = tiny.Run("a", TinyPretraining.Options).Checkpoint;
        Assert.Equal(first, tiny.Run("b", TinyPretraining.Options).Checkpoint);
        Assert.NotEqual(first, tiny.Run("c", TinyPretraining.Options with { Seed = 2 }).Checkpoint);
    }

    [Fact]
    public void EveryImageIsSeenOnceInAnEpochAndInAnotherOrderInTheNext()
    {
        using PretrainData data = tiny.Data();
        int[] first = [.. data.Order(4, 1, 0).SelectMany(b => b)], second = [.. data.Order(4, 1, 1).SelectMany(b => b)];
        Assert.Equal(Enumerable.Range(0, 12), first.Order());
        Assert.Equal(Enumerable.Range(0, 12), second.Order());
        Assert.NotEqual(first, second);
        Assert.Equal(first, data.Order(4, 1, 0).SelectMany(b => b));
        // A rest that fills no batch is left out.
        Assert.Equal([5, 5], data.Order(5, 1, 0).Select(b => b.Length));
    }

    [Fact]
    public void TheNumberOfLiveTensorsIsConstantOverSteps()
    {
        using PretrainData data = tiny.Data();
        using var trainer = new Pretrainer(TinyPretraining.Options, data, CPU, tiny.Folder("live"));
        var live = new List<long>();
        int looks = 0;
        trainer.AfterEpoch = (_, backbone) =>
        {
            using Tensor image = zeros(1, 3, 32, 32);
            using Tensor feature = backbone.forward(image);
            looks++;
            return null;
        };
        trainer.Run(_ => live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount));
        Assert.Equal(4, looks);
        // Counts are of a thread: the two tensors of views were made on another one (ViewQueueTests
        // counts there) and end on this.
        Assert.Equal(12, live.Count);
        Assert.Single(live.Select((count, step) => count + 2 * step).Distinct());
    }

    [Fact]
    public void ATrainerLeavesNoTensorBehind()
    {
        using PretrainData data = tiny.Data();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var trainer = new Pretrainer(TinyPretraining.Options with { Epochs = 1 }, data, CPU,
            tiny.Folder("left"))) trainer.Run();
        // Three steps, each with two tensors of views that were made on another thread.
        Assert.Equal(before - 6, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        using (new Pretrainer(TinyPretraining.Options with { Epochs = 1 }, data, CPU, tiny.Folder("left"))) { }
        Assert.Equal(before - 6, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void AfterEpochSeesTheBackboneInEvaluationModeAndTheRunDoesNotFeelIt()
    {
        byte[] alone = tiny.Run("alone", TinyPretraining.Options).Checkpoint;
        using PretrainData data = tiny.Data();
        using var trainer = new Pretrainer(TinyPretraining.Options, data, CPU, tiny.Folder("watched"));
        var epochs = new List<int>();
        trainer.AfterEpoch = (epoch, backbone) =>
        {
            Assert.False(backbone.training);
            Assert.False(is_grad_enabled());
            epochs.Add(epoch);
            return null;
        };
        trainer.Run();
        Assert.Equal([1, 2, 3, 4], epochs);
        Assert.Equal(alone, tiny.Result("watched").Checkpoint);
    }

    /// <summary>A second passes with each look at it, and an hour with each new checkpoint.</summary>
    private sealed class SlowClock(string checkpoint) : TimeProvider
    {
        private DateTime seen;

        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp()
        {
            DateTime written = File.GetLastWriteTimeUtc(checkpoint);
            if (written != seen) Seconds += 3600;
            seen = written;
            return ++Seconds;
        }
    }

    [Fact]
    public void RatesLeaveOutMonitorsAndCheckpoints()
    {
        PretrainOptions options = TinyPretraining.Options with { CheckpointEvery = 1 };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("rates"));
        var clock = new SlowClock(Path.Combine(tiny.Folder("rates"), "checkpoint.safetensors"));
        trainer.Clock = clock;
        var reported = new List<double>();
        trainer.AfterEpoch = (_, _) => clock.Seconds += 3600;
        trainer.Run(step =>
        {
            reported.Add(step.ImagesPerSecond);
            clock.Seconds += 3600;
        });
        Assert.True(clock.Seconds > 4 * 3600 + 12 * 3600);
        // The two looks at the clock around the collapse monitor add one second to its step.
        Assert.All(reported, r => Assert.InRange(r, 4 / 2.0, 4));
        IReadOnlyList<TrainingStep> log = TrainingLog.Read(Path.Combine(tiny.Folder("rates"), "log.jsonl"));
        Assert.Equal(reported, log.Select(s => s.ImagesPerSecond));
        Assert.InRange(trainer.Elapsed.TotalSeconds, 12, 24);
    }

    [Theory]
    [InlineData("iBOT")]
    public void AnotherMethodResumesToTheSameBits(string method)
    {
        PretrainOptions options = TinyPretraining.For(method) with { CheckpointEvery = 1 };
        var whole = tiny.Run("whole", options);
        using (PretrainData data = tiny.Data(options))
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("parts")))
        using (var stop = new CancellationTokenSource())
            Assert.Throws<OperationCanceledException>(() => trainer.Run(s =>
            {
                if (s.Step == 5) stop.Cancel();
            }, stop.Token));
        var resumed = tiny.Run("parts", options);
        Assert.Equal(whole.Log, resumed.Log);
        Assert.Equal(whole.Checkpoint, resumed.Checkpoint);
        Assert.All(whole.Log, s => Assert.True(double.IsFinite(s.Loss) && !s.Skipped));
        if (method == "iBOT") Assert.All(whole.Log, s => Assert.InRange(s.PatchLoss, 0.01, s.Loss));
    }

    [Fact]
    public void TheLastEveryFewAndTheBestCheckpointsStay()
    {
        PretrainOptions options = TinyPretraining.Options with { Epochs = 6, KeepLast = 1, KeepEvery = 3 };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("kept"));
        trainer.AfterEpoch = (epoch, _) => epoch == 2 ? 0.9 : 0.1 * epoch;
        IReadOnlyList<TrainingStep> log = trainer.Run();
        Assert.Equal(["best.safetensors", "checkpoint.safetensors", "epoch-0003.safetensors", "epoch-0006.safetensors"],
            Directory.GetFiles(tiny.Folder("kept"), "*.safetensors").Select(f => Path.GetFileName(f))
                .Order(StringComparer.Ordinal));
        Assert.Equal([0.1, 0.9, 0.3, 0.4, 0.5, 0.6],
            log.Where(s => !double.IsNaN(s.Score)).Select(s => Math.Round(s.Score, 3)));
        string Step(string file)
        {
            using SafeTensorsFile opened = SafeTensorsFile.Open(Path.Combine(tiny.Folder("kept"), file));
            return opened.Metadata["step"];
        }
        Assert.Equal(["6", "18", "9", "18"],
            ((string[])["best.safetensors", "checkpoint.safetensors", "epoch-0003.safetensors",
                "epoch-0006.safetensors"]).Select(Step));
    }

    [Fact]
    public void EveryFiniteNumberBecomesATensorBoardEvent()
    {
        TrainingStep[] log = tiny.Run("events", TinyPretraining.Options).Log;
        string folder = tiny.Folder("tensorboard");
        var events = new EventLog(folder);
        foreach (TrainingStep step in log) events.Write(step);
        byte[] file =
            File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder, "*tfevents*", SearchOption.AllDirectories)));
        // A record is its length (8 bytes), a checksum (4), the event and a checksum (4); the tag of
        // a scalar stands in it as text.
        var found = new Dictionary<string, int>();
        for (int at = 0; at < file.Length;)
        {
            int length = (int)BitConverter.ToInt64(file, at);
            string text = System.Text.Encoding.Latin1.GetString(file, at + 12, length);
            foreach (string tag in (string[])["loss/total", "loss/over_ln_k", "loss/patches", "optimiser/learning_rate",
                "optimiser/gradient_norm", "collapse/teacher_entropy", "monitor/score"])
                if (text.Contains(tag, StringComparison.Ordinal)) found[tag] = found.GetValueOrDefault(tag) + 1;
            at += 16 + length;
        }
        Assert.Equal((12, 12, 12, 7),
            (found["loss/total"], found["optimiser/learning_rate"], found["loss/over_ln_k"],
                found["collapse/teacher_entropy"]));
        Assert.DoesNotContain("loss/patches", found.Keys);
        Assert.DoesNotContain("monitor/score", found.Keys);
    }

    [Fact]
    public void TheMonitorLooksAtTheFirstTheLastAndEverySecondStep()
    {
        TrainingStep[] log = tiny.Run("monitor", TinyPretraining.Options).Log;
        Assert.Equal([1, 2, 4, 6, 8, 10, 12], log.Where(s => !double.IsNaN(s.FeatureStd)).Select(s => s.Step));
        Assert.All(log, s => Assert.Equal(s.Loss / Math.Log(64), s.LossRatio, 1e-12));
        Assert.All(log.Where(s => !double.IsNaN(s.FeatureStd)), s => Assert.InRange(s.TeacherEntropy, 0, 1));
        Assert.Equal([1 / 3.0, 4], [log[0].Epoch, log[^1].Epoch], (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void TheShareOfUniformOutputsKnowsTheWeightOfCls()
    {
        double Ratio(double weight) => tiny.Run($"cls-{weight}",
            TinyPretraining.IBot with { ClsWeight = weight, Epochs = 1, WarmupEpochs = 0 }).Log[0].LossRatio;
        double once = Ratio(1);
        Assert.InRange(once, 0.1, 1.1);
        Assert.Equal(once, Ratio(2), 1e-5);
        Assert.Equal(double.NaN, Ratio(0));
    }
}
