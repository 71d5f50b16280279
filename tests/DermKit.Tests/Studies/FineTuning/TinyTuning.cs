using DermKit.Studies;
using DermKit.Imaging;
using DermKit.Models;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

/// <summary>
/// Images with one bright cell of sixteen, whose class is whether just one of its row and its column is an outer one:
/// no linear function of pixels tells it, and mirroring does not change it. With
/// networks small enough to learn it in seconds.
/// </summary>
internal sealed class TinyTuning : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly ImageCache source, seen;

    /// <param name="tinted">The bright cell is yellow in the upper half and cyan in the lower one.</param>
    public TinyTuning(bool tinted = false)
    {
        const int fit = 96, validation = 32, test = 96;
        var random = new Random(5);
        int[] cells = [.. Enumerable.Range(0, fit + validation + test).Select(i => i % 16)];
        int[] labels = [.. cells.Select(c => (c / 4 is 0 or 3) != (c % 4 is 0 or 3) ? 1 : 0)];
        string[] paths = [.. cells.Select((cell, i) =>
        {
            byte[] pixels = new byte[3 * 32 * 32];
            for (int p = 0; p < pixels.Length; p++)
                pixels[p] = (byte)((p / 3 / 32 / 8 * 4) + (p / 3 % 32 / 8) == cell
                    && !(tinted && p % 3 == (cell < 8 ? 2 : 0)) ? 190 + random.Next(60) : random.Next(100));
            return folder.Write($"{i}.png", ImageCodec.EncodePng(new RgbImage(32, 32, pixels)));
        })];
        source = ImageCache.Build(folder.Path, paths, Options.Source);
        seen = ImageCache.Build(folder.Path, paths,
            new EvalTransform { Resize = Options.Source.Resize, Crop = Options.Side });
        TuningPart Part(int first, int count) =>
            new([.. Enumerable.Range(first, count)], labels[first..(first + count)]);
        Images = new(source, seen, Part(0, fit), Part(fit, validation), Part(fit + validation, test), 2);
    }

    /// <summary>No stochastic depth and no colour: what is learnt is the halves.</summary>
    public static FineTuningOptions Options { get; } = new()
    {
        Side = 32,
        Epochs = 3,
        Batch = 16,
        WarmupEpochs = 1,
        BaseLearningRate = 0.03,
        LayerDecay = 0.8,
        DropPath = 0,
        LabelSmoothing = 0.05,
        MinArea = 1,
        ColorStrength = 0,
    };

    public static VitConfig Sizes { get; } = new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32 };

    public TuningImages Images { get; }

    public static TunedNetwork Vit(double dropPath = 0, int classes = 2) =>
        new(VisionTransformer.Random(Sizes with { DropPath = dropPath }, 1), FeatureVariant.Cls4, classes, CPU);

    public static TunedNetwork Convolutional() =>
        new(ResNet.Random(new() { Planes = [4, 4, 6, 8], Blocks = [1, 1, 1, 1] }, 1), FeatureVariant.AvgPool, 2, CPU);

    public void Dispose()
    {
        source.Dispose();
        seen.Dispose();
        folder.Dispose();
    }
}
