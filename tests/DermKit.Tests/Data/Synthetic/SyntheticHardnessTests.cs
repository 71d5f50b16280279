using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Data;

/// <summary>The synthetic set must have something to learn: a small network trained for a minute beats what
/// random features hold.</summary>
public sealed class SyntheticHardnessTests
{
    private const int Side = 72, Classes = 7;

    [Fact]
    public void ASmallTrainedNetworkBeatsALinearProbeOfRandomFeatures()
    {
        SlowTier.Need("trains a small network on the synthetic set, 2 minutes on two cores");
        KitSettings settings = KitSettings.FromEnvironment();
        ProbeTask task =
            TaskSuite.Open(TaskSuite.Load(Path.Combine(settings.Root, "data"))["synthetic-diagnosis"], settings);
        Split split = task.SplitFor(1);
        int[] truth = [.. split.Test.Select(i => task.Labels[i])];

        double linear = MacroF1(truth, RandomFeatures(settings, task, split));
        double trained = MacroF1(truth, SmallNetwork(task, split));

        TestContext.Current.TestOutputHelper?.WriteLine(
            FormattableString.Invariant(
                $"macro F1: random ViT-T with linear probe {linear:0.000}, small trained network {trained:0.000}, {truth.Length} test images"));
        Assert.InRange(linear, 1.0 / Classes, 0.55);
        Assert.True(trained > linear + 0.15,
            FormattableString.Invariant($"trained {trained:0.000}, random {linear:0.000}"));
    }

    private static double MacroF1(int[] truth, int[] predicted) => ClassCounts.Of(truth, predicted, Classes).F1Macro;

    private static int[] RandomFeatures(KitSettings settings, ProbeTask task, Split split)
    {
        using ImageCache cache = ImageCache.Build(settings.CacheDir, task.Table.Paths, new EvalTransform());
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Tiny, 1);
        FeatureSet features = new FeatureStore(settings.CacheDir).Extract(model, cache);
        using Tensor values = features.ToTensor(), train = ProbeInput.Rows(values, split.Train),
            test = ProbeInput.Rows(values, split.Test);
        return new LinearProbe().Run(train, [.. split.Train.Select(i => task.Labels[i])], test, Classes).Predicted;
    }

    /// <summary>Four convolutions, trained for 14 epochs with flips and shifts; weights, order and
    /// draws from fixed seeds.</summary>
    private static int[] SmallNetwork(ProbeTask task, Split split)
    {
        const int Batch = 32, Epochs = 14;
        manual_seed(1);
        using Tensor images = Images(task);
        nn.Module<Tensor, Tensor> Stage(int from, int to) =>
            nn.Sequential(new Convolution(from, to, 3, 1, CPU), nn.BatchNorm2d(to), nn.ReLU(), nn.MaxPool2d(2));
        // The kit's convolutions: libtorch's own give wrong numbers for some layouts on some processors.
        using var network = nn.Sequential(new Convolution(3, 32, 5, 2, CPU), nn.BatchNorm2d(32),
            nn.ReLU(), Stage(32, 48), Stage(48, 96), new Convolution(96, 160, 3, 1, CPU), nn.BatchNorm2d(160),
            nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(160, Classes));
        foreach (TorchSharp.Modules.Parameter kernel in network.parameters().Where(p => p.dim() == 4))
            nn.init.kaiming_uniform_(kernel, Math.Sqrt(5));
        using var optimiser = optim.AdamW(network.parameters(), 3e-3, weight_decay: 1e-3);
        int steps = Epochs * (split.Train.Length / Batch);
        var random = new SplitMix64(1);
        int[] order = [.. split.Train];
        for (int step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            int at = step % (split.Train.Length / Batch) * Batch;
            if (at == 0) random.Shuffle(order.AsSpan());
            foreach (var group in optimiser.ParamGroups)
                group.LearningRate = 3e-3 * Math.Min(1, (step + 1) / 60.0)
                    * (0.5 + 0.5 * Math.Cos(Math.PI * step / steps));
            int[] rows = order[at..(at + Batch)];
            Tensor x = Normalised(images, rows).roll([random.Below(13) - 6, random.Below(13) - 6], [2, 3]);
            if (random.Below(2) == 0) x = x.flip(2);
            if (random.Below(2) == 0) x = x.flip(3);
            Tensor loss = nn.functional.cross_entropy(network.forward(x),
                tensor(rows.Select(i => (long)task.Labels[i]).ToArray()), label_smoothing: 0.05);
            optimiser.zero_grad();
            loss.backward();
            optimiser.step();
        }
        network.eval();
        using var noGrad = no_grad();
        return [.. split.Test.Chunk(64).SelectMany(rows =>
        {
            using var scope = NewDisposeScope();
            return network.forward(Normalised(images, rows)).argmax(1).data<long>().Select(v => (int)v).ToArray();
        })];
    }

    private static Tensor Normalised(Tensor images, int[] rows) =>
        images.index_select(0, tensor(rows.Select(i => (long)i).ToArray())).to(float32) / Kept(255) - Kept(0.5);

    private static Tensor Images(ProbeTask task)
    {
        byte[][] files = [.. task.Table.Paths.AsParallel().AsOrdered()
            .Select(path => PillowResize.Resize(ImageCodec.Decode(path), Side, Side, ResizeFilter.Bilinear).Pixels)];
        using Tensor rows = tensor(files.SelectMany(f => f).ToArray(), [files.Length, Side, Side, 3]);
        return rows.permute(0, 3, 1, 2).contiguous();
    }
}
