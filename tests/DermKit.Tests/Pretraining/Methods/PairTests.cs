using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using Parameter = TorchSharp.Modules.Parameter;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

/// <summary>SimCLR and BYOL.</summary>
public sealed class PairTests : IDisposable
{
    private static readonly ResNetConfig Convolutional = new() { Planes = [4, 4, 6, 8], Blocks = [1, 1, 1, 1] };
    private readonly TinyPretraining tiny = new();

    public void Dispose() => tiny.Dispose();

    [Theory]
    [InlineData("SimCLR", "ViT", Precision.Fp32)]
    [InlineData("SimCLR", "ResNet-50", Precision.Bf16)]
    [InlineData("BYOL", "ViT", Precision.Bf16)]
    [InlineData("BYOL", "ResNet-50", Precision.Fp32)]
    public void NothingIsMadeOnAFixedDevice(string name, string network, Precision precision)
    {
        // The backward pass has no meta kernel in libtorch.
        using var scope = NewDisposeScope();
        using PretrainMethod method =
            (Options(name, network) with { Precision = precision, DropPath = network == "ViT" ? 0.1 : 0 }).Create(META);
        using var views = new Views(zeros([8, 3, 32, 32], device: META), null);
        method.BeforeStep(0.9);
        using MethodOutput output = method.Forward(views, 0, 0);
        Assert.Equal([4, network == "ViT" ? 24 : 2048], output.Features.shape);
        Assert.Equal((DeviceType.META, float32, 1), (output.Loss.device_type, output.Loss.dtype, output.Loss.numel()));
        Assert.Null(output.Targets);
        Assert.All(method.State.Values, t => Assert.Equal(DeviceType.META, t.device_type));
    }

    [Fact]
    public void ByolsTargetStartsAsTheOnlineNetworkAndMovesBeforeTheStep()
    {
        using var scope = NewDisposeScope();
        using var byol = new Byol((ByolOptions)Options("BYOL"), _ => ResNet.Random(Convolutional, 1), CPU);
        Tensor Of(string key) => byol.State[key].detach().clone();
        string[] slow = [.. byol.State.Keys.Where(k => k.Contains("_momentum.", StringComparison.Ordinal))];
        Assert.Equal(byol.Target.state_dict().Count, slow.Length);
        Assert.All(slow, k => Assert.True(byol.State[k].Equals(byol.State[k.Replace("_momentum", "")]), k));
        Assert.All(byol.Target.parameters(), p => Assert.False(p.requires_grad));
        Assert.True(byol.Target.training && byol.Student.training);
        using (no_grad())
            foreach (Parameter p in byol.Student.parameters()) p.add_(Kept(1));
        Tensor before = Of("projection_head_momentum.layers.3.weight"),
            statistics = Of("backbone_momentum.bn1.running_mean");
        byol.BeforeStep(0.75);
        Assert.True(Of("projection_head_momentum.layers.3.weight").allclose(before + Kept(0.25), atol: 1e-6));
        byol.AfterStep(0.5);
        Assert.True(Of("projection_head_momentum.layers.3.weight").allclose(before + Kept(0.25), atol: 1e-6));
        // Batch statistics are no weights: the target has its own, which change as it sees the views.
        Assert.True(Of("backbone_momentum.bn1.running_mean").Equals(statistics));
        using var views = new Views(rand(8, 3, 32, 32), null);
        byol.Forward(views, 0, 0).Dispose();
        Assert.Equal((2, 2),
            (Of("backbone_momentum.bn1.num_batches_tracked").item<long>(),
                Of("backbone.bn1.num_batches_tracked").item<long>()));
    }

    [Theory]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void ABatchOfOneImageIsRefused(string name) =>
        Assert.Contains($"key 'batch': expected 2 or more for {name}",
            Assert.Throws<KitException>(() => (Options(name) with { Batch = 1 }).Create(META)).Message);

    [Fact]
    public void LossesOfKnownViews()
    {
        using var scope = NewDisposeScope();
        Tensor same = ones(4, 5), unit = eye(4, 5);
        Assert.Equal(Math.Log(7), SimClr.NtXent(same, same * Kept(3), 0.5).item<float>(), 1e-5);
        // The partner at cosine 1, six others at 0.
        Assert.Equal(Math.Log(1 + 6 * Math.Exp(-2)), SimClr.NtXent(unit, unit * Kept(2), 0.5).item<float>(), 1e-5);
        Assert.Contains("[3, 5]",
            Assert.Throws<ArgumentException>(() => SimClr.NtXent(unit, unit.narrow(0, 0, 3), 0.5)).Message);
        Assert.Equal(-1, Byol.NegativeCosine(unit, unit * Kept(7)).item<float>(), 1e-6);
        Assert.Equal(0, Byol.NegativeCosine(unit, zeros(4, 5)).item<float>(), 1e-6);
        Assert.Equal(0, Byol.Symmetric(unit, unit, -unit, unit).item<float>(), 1e-6);
    }

    [Theory]
    [InlineData("SimCLR", Precision.Fp32)]
    [InlineData("BYOL", Precision.Fp32)]
    [InlineData("BYOL", Precision.Bf16)]
    public void StoppedAtAnyStepAndTakenUpARunEndsWithTheSameBits(string name, Precision precision)
    {
        PretrainOptions options = Options(name) with { Precision = precision, DropPath = 0.2 };
        var (checkpoint, log) = tiny.Run("whole", options);
        Assert.Equal(Enumerable.Range(1, 6), log.Select(s => s.Step));
        using PretrainData data = tiny.Data(options);
        foreach (int at in new[] { 1, 3, 5, 6 })
        {
            using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("stopped"));
            using var stop = new CancellationTokenSource();
            Action run = () => trainer.Run(s => { if (s.Step == at) stop.Cancel(); }, stop.Token);
            if (at < 6) Assert.ThrowsAny<OperationCanceledException>(run);
            else run();
            Assert.Equal(at, trainer.Done);
        }
        Assert.Equal(log, tiny.Result("stopped").Log);
        Assert.Equal(checkpoint, tiny.Result("stopped").Checkpoint);
    }

    [Theory]
    [InlineData("SimCLR", OptimizerKind.Adam)]
    [InlineData("BYOL", OptimizerKind.Lars)]
    public void BatchStatisticsAndTheirCountsAreTakenUpToo(string name, OptimizerKind optimizer)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = Options(name) with { Optimizer = optimizer };
        Tensor[] images = [.. Enumerable.Range(0, 4)
            .Select(i => rand([8, 3, 32, 32], generator: new Generator((ulong)i)))];
        PretrainMethod Make() => options is ByolOptions byol ? new Byol(byol, _ => ResNet.Random(Convolutional, 1), CPU)
            : new SimClr((SimClrOptions)options, _ => ResNet.Random(Convolutional, 1), CPU);
        string path = Path.Combine(tiny.Folder("run"), Checkpoint.FileName);
        void Train(TrainingLoop updates, int to)
        {
            while (updates.Done < to)
            {
                using var views = new Views(images[updates.Done].alias(), null);
                updates.Next(views);
            }
        }
        using PretrainMethod whole = Make(), half = Make(), rest = Make();
        using (var updates = new TrainingLoop(whole, options, 3)) Train(updates, 4);
        using (var updates = new TrainingLoop(half, options, 3))
        {
            Train(updates, 2);
            Checkpoint.Save(path, updates, options, "images");
        }
        using (var updates = new TrainingLoop(rest, options, 3))
        {
            Checkpoint.Load(path, updates, options, "images");
            Assert.Equal((2, 4), (updates.Done, rest.State["backbone.bn1.num_batches_tracked"].item<long>()));
            Train(updates, 4);
        }
        Assert.Equal(8, rest.State["backbone.bn1.num_batches_tracked"].item<long>());
        Assert.All(whole.State, s => Assert.True(s.Value.Equals(rest.State[s.Key]), s.Key));
    }

    [Theory]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void TheNumberOfLiveTensorsIsConstantAndNothingIsLeftBehind(string name)
    {
        PretrainOptions options = Options(name) with { DropPath = 0.1 };
        using PretrainData data = tiny.Data(options);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var live = new List<long>();
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("live")))
            trainer.Run(_ => live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount));
        // The views of a step, one tensor, were made on another thread and end on this.
        Assert.Single(live.Select((count, step) => count + step).Distinct());
        Assert.Equal(before - live.Count, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void AResNet50IsTrainedAndItsExportIsARecognisedModel()
    {
        PretrainOptions options = Options("SimCLR", "ResNet-50") with { Epochs = 1, WarmupEpochs = 0, MostImages = 4 };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU);
        Assert.True(double.IsFinite(Assert.Single(trainer.Run()).FeatureStd));
        BackboneExport.Write(tiny.Folder("export"), "mine", trainer, options, data, new Dictionary<string, string>());
        Directory.CreateDirectory(Path.Combine(tiny.Folder("data"), "models"));
        ModelDefinition model = Assert.Single(ModelRegistry.Load(tiny.Folder("data"), tiny.Folder("export")).Models);
        Assert.Equal(("mine", "resnet", 23_508_032), (model.Name, model.Family, model.Parameters));
        using var scope = NewDisposeScope();
        using Backbone made = model.Create(0);
        Dictionary<string, Tensor> expected = trainer.Backbone.state_dict(), found = made.state_dict();
        Assert.All(
            expected.Where(p => p.Key.Contains("bn1.running", StringComparison.Ordinal)
                || p.Key.Contains("bn1.num", StringComparison.Ordinal)),
            p => Assert.True(p.Value.Equals(found[p.Key]), p.Key));
        Assert.True(expected["layer4.2.conv3.weight"].allclose(found["layer4.2.conv3.weight"], atol: 1e-3));
        // The same file starts another run, of BYOL, on both of its sides.
        using PretrainMethod byol = (Options("BYOL", "ResNet-50") with { InitialWeights = model.Source }).Create(CPU);
        foreach (string side in new[] { "backbone.", "backbone_momentum." })
            Assert.All(found, p => Assert.True(p.Value.Equals(byol.State[side + p.Key]), side + p.Key));
    }

    [Fact]
    public void ARunThatStartsFromOtherWeightsSaysWhatTheyHaveSeen()
    {
        using var scope = NewDisposeScope();
        string start = Path.Combine(tiny.Folder("stages"), "start.safetensors");
        PretrainOptions first = Options("SimCLR") with { Epochs = 1, WarmupEpochs = 0 };
        using PretrainData data = tiny.Data(first);
        string[] Seen(PretrainOptions options, string name)
        {
            using var trainer = new Pretrainer(options, data, CPU);
            trainer.Run();
            BackboneExport.Write(tiny.Folder("stages"), name, trainer, options, data, new Dictionary<string, string>());
            using var file =
                DermKit.Models.MappedWeights.Open(Path.Combine(tiny.Folder("stages"), name + ".safetensors"));
            return [file.Metadata["pretrainedOn"], file.Metadata["initialWeights"]];
        }
        Assert.Equal(["tiny", "random"], Seen(first, "first"));
        using (Backbone known = VisionTransformer.Random(first.Vit(isStudent: false), 3))
            DermKit.Models.SafeTensors.Save(start, known.state_dict(),
                new Dictionary<string, string> { ["pretrainedOn"] = "isic2017, tiny" });
        Assert.Equal(["tiny, isic2017", $"start.safetensors, SHA-256 {DermKit.Models.WeightLoader.FileHash(start)}"],
            Seen(first with { InitialWeights = start }, "second"));
        using (Backbone unknown = VisionTransformer.Random(first.Vit(isStudent: false), 3))
            DermKit.Models.SafeTensors.Save(start, unknown.state_dict());
        Assert.Equal("tiny, unknown", Seen(first with { InitialWeights = start }, "third")[0]);
    }

    [Fact]
    public void AnExportMayLieBetweenItsStartAndItsEnd()
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(tiny.Folder("share"), "start.safetensors");
        PretrainOptions options = Options("BYOL", "ResNet-50") with
        {
            Epochs = 1,
            WarmupEpochs = 0,
            MostImages = 4,
            BaseLearningRate = 1e4,
            InitialWeights = path,
            InitialShare = 0.25,
        };
        using ResNet start = ResNet.Random(ResNetConfig.ResNet50, 5);
        DermKit.Models.SafeTensors.Save(path, start.state_dict());
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU);
        trainer.Run();
        BackboneExport.Write(tiny.Folder("share"), "mean", trainer, options, data, new Dictionary<string, string>());
        using var file = DermKit.Models.MappedWeights.Open(Path.Combine(tiny.Folder("share"), "mean.safetensors"));
        Assert.Equal("0.25", file.Metadata["initialShare"]);
        Dictionary<string, Tensor> from = start.state_dict(), to = trainer.Backbone.state_dict();
        foreach (string key in new[] { "layer4.2.conv3.weight", "bn1.running_var", "bn1.running_mean" })
        {
            Tensor expected = from[key] * 0.25 + to[key] * 0.75;
            Assert.True(expected.allclose(file.Load(key).to(float32), rtol: 1e-3, atol: 1e-5), key);
            Assert.False(expected.allclose(to[key], rtol: 1e-3, atol: 1e-5), key);
        }
        Assert.Contains("'initialShare'",
            Assert.Throws<KitException>(() => (options with { InitialWeights = null }).Check()).Message);
    }

    [Theory]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void AResNetThatIsTakenUpEndsWithTheSameBits(string name)
    {
        PretrainOptions options = Options(name, "ResNet-50") with { CheckpointEvery = 100 };
        using PretrainData data = tiny.Data(options);
        string whole = tiny.Folder("whole"), parts = tiny.Folder("parts");
        using (var trainer = new Pretrainer(options, data, CPU, whole)) trainer.Run();
        using (var stopped = new Pretrainer(options, data, CPU, parts))
        {
            using var stop = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() =>
                stopped.Run(s => { if (s.Step == 3) stop.Cancel(); }, stop.Token));
        }
        using (var taken = new Pretrainer(options, data, CPU, parts))
        {
            Assert.Equal(3, taken.Done);
            taken.Run();
        }
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, "checkpoint.safetensors")),
            File.ReadAllBytes(Path.Combine(parts, "checkpoint.safetensors")));
    }

    [Fact]
    public void MoreStepsThanSchedulesHoldAreRefused()
    {
        PretrainOptions options = Options("SimCLR") with { Epochs = 400_000_000 };
        using PretrainData data = tiny.Data(options);
        Assert.Contains("key 'epochs': expected at most 33333333",
            Assert.Throws<KitException>(() => new Pretrainer(options, data, CPU)).Message);
    }

    internal static PretrainOptions Options(string method, string network = "ViT")
    {
        PretrainOptions tiny = PretrainOptions.For(method) with
        {
            Precision = Precision.Fp32,
            Sets = ["tiny"],
            Network = network == "ViT" ? NetworkKind.ViT : NetworkKind.ResNet50,
            SourceSize = 48,
            Outputs = 16,
            HeadHidden = 32,
            GlobalSize = 32,
            Batch = 4,
            Epochs = 2,
            WarmupEpochs = 1,
            BaseLearningRate = 0.1,
            MonitorEvery = 2,
        };
        return network == "ViT" ? tiny with { Depth = 2, Dim = 24, Heads = 3, Patch = 8, ImageSize = 32 } : tiny;
    }
}
