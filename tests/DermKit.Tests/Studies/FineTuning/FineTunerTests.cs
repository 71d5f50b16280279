using DermKit.Evaluation;
using DermKit.Studies;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class FineTunerTests : IDisposable
{
    private static readonly FineTuningOptions Options = TinyTuning.Options;
    private readonly TinyTuning tiny = new();

    public void Dispose() => tiny.Dispose();

    private (double[,] Test, IReadOnlyList<TuningEpoch> Epochs, int Best) Train(TunedNetwork network,
        FineTuningOptions options, long seed = 1)
    {
        using var tuner = new FineTuner(network, options, [48, 48], CPU);
        return tuner.Run(tiny.Images, seed, "toy");
    }

    /// <summary>The frozen probe as the head, as a run of the library does it.</summary>
    private LinearFit Probe(TunedNetwork network)
    {
        using var scope = NewDisposeScope();
        FeatureSet features = FeatureExtractor.Extract(network.Backbone, tiny.Images.Seen,
            new() { Variant = network.Backbone is ResNet ? FeatureVariant.AvgPool : FeatureVariant.Cls4 });
        Tensor values = features.ToTensor(CPU);
        return new LinearProbe().Fit(values.narrow(0, 0, tiny.Images.Fit.Rows.Length), tiny.Images.Fit.Labels, 2);
    }

    private double F1(double[,] probabilities) =>
        ClassCounts.Of(tiny.Images.Test.Labels, Metrics.ArgMax(probabilities), 2).PaperF1();

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void TheHeadSaysWhatTheProbeSays(int classes)
    {
        using var scope = NewDisposeScope();
        using TunedNetwork network = TinyTuning.Vit(classes: classes);
        FeatureSet features = FeatureExtractor.Extract(network.Backbone, tiny.Images.Seen);
        using Tensor values = features.ToTensor(CPU);
        int[] rows = tiny.Images.Fit.Rows, labels = [.. rows.Select(i => i % classes)];
        foreach (LinearProbe probe in new[] { new LinearProbe(), new LinearProbe(Standardise: true) })
        {
            LinearFit fit = probe.Fit(values.narrow(0, 0, rows.Length), labels, classes);
            network.SetHead(fit);
            using var tuner = new FineTuner(network, Options, [1, 1], CPU);
            double[,] expected = fit.Predict(values.narrow(0, 0, rows.Length), classes),
                found = tuner.Predict(tiny.Images.Seen, rows);
            for (int i = 0; i < rows.Length; i++)
                for (int c = 0; c < classes; c++) Assert.Equal(expected[i, c], found[i, c], 1e-4);
        }
    }

    [Fact]
    public void TheLossIsTheWrittenFormula()
    {
        using var scope = NewDisposeScope();
        double[,] logits = { { 1, 2, 0 }, { 0.5, -1, 3 } };
        int[] labels = [1, 0];
        double Row(int i, double smoothing)
        {
            double sum = Enumerable.Range(0, 3).Sum(c => Math.Exp(logits[i, c]));
            return -Enumerable.Range(0, 3)
                .Sum(c =>
                    ((c == labels[i] ? 1 - smoothing : 0) + smoothing / 3) * Math.Log(Math.Exp(logits[i, c]) / sum));
        }
        Tensor x = tensor(logits), y = tensor(Array.ConvertAll(labels, l => (long)l)),
            weights = tensor(new double[] { 5, 0.5, 7 });
        Assert.Equal((Row(0, 0) + Row(1, 0)) / 2, TunedNetwork.Loss(x, y, 0).item<double>(), 1e-12);
        Assert.Equal((Row(0, 0.1) + Row(1, 0.1)) / 2, TunedNetwork.Loss(x, y, 0.1).item<double>(), 1e-12);
        // Each image weighs as its class, and the weights of the batch sum to 1.
        Assert.Equal((0.5 * Row(0, 0.1) + 5 * Row(1, 0.1)) / 5.5,
            TunedNetwork.Loss(x, y, 0.1, weights).item<double>(), 1e-12);
        Assert.Equal(nn.functional.cross_entropy(x, y, weights).item<double>(),
            TunedNetwork.Loss(x, y, 0, weights).item<double>(), 1e-12);
    }

    [Fact]
    public void AStepMovesEveryParameterAsAdamWSays()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        Tensor views = randn([6, 3, 32, 32], generator: generator), labels = tensor(new long[] { 0, 1, 1, 0, 1, 0 });
        using TunedNetwork network = TinyTuning.Vit(), twin = TinyTuning.Vit();
        foreach (TunedNetwork n in new[] { network, twin })
            using (no_grad())
                foreach (var p in n.named_parameters().Where(p => p.name.StartsWith("head", StringComparison.Ordinal)))
                    p.parameter.fill_(Kept(0.1))
                        .sub_(arange(Kept(2)).view(p.parameter.dim() == 2 ? [2, 1] : [2]) * Kept(0.05));
        FineTuningOptions options = Options with { LayerDecay = 0.5, WeightDecay = 0.3, ClipGradient = 0.01 };
        using var tuner = new FineTuner(network, options, [3, 3], CPU);
        network.train();
        (Tensor loss, Tensor norms) = tuner.Step(views, labels, 0.01);

        twin.train();
        Tensor expected = TunedNetwork.Loss(twin.forward(views), labels, options.LabelSmoothing);
        expected.backward();
        Assert.Equal(expected.item<float>(), loss.item<float>(), 1e-6);
        int clipped = 0;
        foreach (((string name, var moved), (_, var start), int i) in network.named_parameters()
            .Zip(twin.named_parameters()).Select((p, i) => (p.First, p.Second, i)))
        {
            Tensor gradient = start.grad!;
            double norm = gradient.norm().item<float>();
            Assert.Equal(norm, norms[i].item<float>(), 1e-5);
            if (norm > 0.01) clipped++;
            gradient = norm > 0.01 ? gradient * Kept(0.01 / (norm + 1e-6)) : gradient;
            int layer = name switch
            {
                _ when name.StartsWith("backbone.blocks.", StringComparison.Ordinal) => 1 + (name[16] - '0'),
                _ when name.StartsWith("backbone.norm", StringComparison.Ordinal)
                    || name.StartsWith("head", StringComparison.Ordinal) => 5,
                _ => 0
            };
            double rate = 0.01 * Math.Pow(0.5, 5 - layer),
                decay = name.EndsWith("weight", StringComparison.Ordinal) && start.dim() > 1 ? 0.3 : 0;
            // Adam's first step: mean / root of the mean square is the gradient over its size.
            Tensor next = start * Kept(1 - rate * decay) - Kept(rate) * gradient / (gradient.abs() + Kept(1e-8));
            Assert.True(moved.allclose(next, rtol: 1e-4, atol: 1e-6), name);
            Assert.Null(moved.grad);
        }
        Assert.True(clipped > 3, $"{clipped} gradients were clipped");
    }

    [Fact]
    public void FineTuningLearnsWhatTheFrozenProbeCannotSay()
    {
        using TunedNetwork network = TinyTuning.Convolutional();
        network.SetHead(Probe(network));
        double frozen;
        using (var tuner = new FineTuner(network, Options, [48, 48], CPU))
            frozen = F1(tuner.Predict(tiny.Images.Seen, tiny.Images.Test.Rows));
        var (test, epochs, best) = Train(network, Options with { Epochs = 20, LayerDecay = 1, BaseLearningRate = 0.2 });
        Assert.True(F1(test) > frozen + 0.1, $"frozen {frozen}, fine-tuned {F1(test)}");
        Assert.True(epochs[^1].TrainLoss < 0.6 * epochs[1].TrainLoss,
            string.Join(", ", epochs.Select(e => e.TrainLoss)));
        Assert.Equal(21, epochs.Count);
        Assert.True(double.IsNaN(epochs[0].TrainLoss));
        Assert.Equal(epochs.Skip(1).MaxBy(e => e.ValidationF1)!.Epoch, best);
        // The network holds the weights of the best epoch, by which the test images were scored.
        using var after = new FineTuner(network, Options, [48, 48], CPU);
        Assert.Equal(test, after.Predict(tiny.Images.Seen, tiny.Images.Test.Rows));
        Assert.Equal(epochs[best].ValidationLoss,
            Metrics.LogLoss(tiny.Images.Validation.Labels,
                after.Predict(tiny.Images.Seen, tiny.Images.Validation.Rows)));
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void ATransformersLossFallsOnWhatIsSeparable(Precision precision)
    {
        // Whether the bright cell is yellow.
        using var tinted = new TinyTuning(tinted: true);
        TuningPart Upper(TuningPart part) => new(part.Rows, [.. part.Rows.Select(r => r % 16 < 8 ? 1 : 0)]);
        using TunedNetwork network = TinyTuning.Vit();
        // At 24 values a token, weights of deviation 0.02 let hardly anything of a patch through to the CLS token.
        using (no_grad())
            foreach (var p in network.Backbone.parameters().Where(p => p.dim() > 1)) p.mul_(Kept(8));
        using var tuner = new FineTuner(network,
            Options with { Epochs = 20, BaseLearningRate = 0.02, LabelSmoothing = 0, Precision = precision },
            [48, 48], CPU);
        var (_, epochs,
            best) =
            tuner.Run(tinted.Images with
            {
                Fit = Upper(tinted.Images.Fit),
                Validation = Upper(tinted.Images.Validation)
            }, 1, "toy");
        Assert.Equal(Math.Log(2), epochs[0].ValidationLoss, 1e-6);
        Assert.True(epochs[^1].TrainLoss < 0.5 * epochs[1].TrainLoss,
            string.Join(", ", epochs.Select(e => e.TrainLoss)));
        Assert.True(epochs[best].ValidationF1 > 0.85, $"{epochs[best]}");
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void TheSeedIsTheRun(Precision precision)
    {
        (string, double[]) Bits(long seed)
        {
            using TunedNetwork network = TinyTuning.Vit(dropPath: 0.2);
            var (_, epochs, _) = Train(network, Options with { Precision = precision, ColorStrength = 0.5 }, seed);
            return (WeightLoader.Hash(network), [.. epochs.Skip(1).Select(e => e.TrainLoss)]);
        }
        (string hash, double[] losses) = Bits(1);
        (string again, double[] same) = Bits(1);
        Assert.Equal(hash, again);
        Assert.Equal(losses, same);
        Assert.NotEqual(hash, Bits(2).Item1);
    }

    [Fact]
    public void NoTensorIsLeftBehind()
    {
        using TunedNetwork network = TinyTuning.Vit(dropPath: 0.1);
        Train(network, Options with { Epochs = 1 });
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Train(network, Options with { Epochs = 2, Balanced = true });
        // Each of the twelve steps disposes of views that another thread made.
        Assert.Equal(before - 12, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void ALossThatIsNotFiniteStopsTheRunAndNamesIt()
    {
        using TunedNetwork network = TinyTuning.Vit();
        string message =
            Assert.Throws<KitException>(() => Train(network, Options with { BaseLearningRate = 1e30 })).Message;
        Assert.Contains("Fine-tuning toy, epoch 1, step", message, StringComparison.Ordinal);
        Assert.Contains("baseLearningRate", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ItStopsWhenAsked()
    {
        using TunedNetwork network = TinyTuning.Vit();
        using var tuner = new FineTuner(network, Options, [48, 48], CPU);
        using var stop = new CancellationTokenSource();
        int last = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => tuner.Run(tiny.Images, 1, "toy", (done, all) =>
        {
            Assert.Equal(18, all);
            if ((last = done) == 4) stop.Cancel();
        }, stop.Token));
        Assert.Equal(4, last);
    }

    [Fact]
    public void BalancedWeightsSayThatClassesCountAlike()
    {
        using var scope = NewDisposeScope();
        double Loss(bool balanced)
        {
            using TunedNetwork network = TinyTuning.Vit();
            using (no_grad()) network.named_parameters().Single(p => p.name == "head.bias").parameter[0] = 1;
            using var tuner = new FineTuner(network, Options with { LabelSmoothing = 0, Balanced = balanced },
                [75, 25], CPU);
            return tuner.Step(zeros(4, 3, 32, 32), tensor(new long[] { 0, 0, 0, 1 }), 1e-3).Loss.item<float>();
        }
        // Logits 1 and 0 for every image; 100 / (2 * 75) and 100 / (2 * 25) make three images of one class
        // weigh as much as one of the other.
        double first = Math.Log(1 + Math.Exp(-1)), second = Math.Log(1 + Math.E);
        Assert.Equal((3 * first + second) / 4, Loss(false), 1e-6);
        Assert.Equal((first + second) / 2, Loss(true), 1e-6);
    }

    [Fact]
    public void AStepMakesNothingOnAFixedDevice()
    {
        // A convolutional network's backward pass has no meta kernel in libtorch.
        using var scope = NewDisposeScope();
        using var network = new TunedNetwork(VisionTransformer.Random(TinyTuning.Sizes, 1, META),
            FeatureVariant.Cls4, 3, META);
        using var tuner = new FineTuner(network, Options with { Balanced = true }, [1, 2, 3], META);
        (Tensor loss, Tensor norms) = tuner.Step(zeros([4, 3, 32, 32], device: META), zeros([4], int64, META), 0.1);
        Assert.Equal((DeviceType.META, DeviceType.META), (loss.device_type, norms.device_type));
        Assert.Equal(network.named_parameters().Count(), norms.shape[0]);
        using var convolutional =
            new TunedNetwork(ResNet.Random(new() { Planes = [4, 4, 6, 8], Blocks = [1, 1, 1, 1] }, 1, META),
                FeatureVariant.AvgPool, 3, META);
        Assert.Equal(DeviceType.META,
            TunedNetwork.Loss(convolutional.forward(zeros([4, 3, 32, 32], device: META)), zeros([4], int64, META),
                0.1).device_type);
    }

    [Theory]
    [InlineData("layerDecay")]
    [InlineData("precision")]
    [InlineData("warmupEpochs")]
    [InlineData("labelSmoothing")]
    public void AnOptionOutOfItsRangeIsRefused(string key)
    {
        FineTuningOptions wrong = key switch
        {
            "layerDecay" => Options with { LayerDecay = 1.2 },
            "precision" => Options with { Precision = Precision.Auto },
            "warmupEpochs" => Options with { WarmupEpochs = 4 },
            _ => Options with { LabelSmoothing = 1 }
        };
        Assert.Contains($"Fine-tuning, {key} is", Assert.Throws<KitException>(() => wrong.Check()).Message,
            StringComparison.Ordinal);
    }
}
