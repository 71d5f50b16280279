using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Imaging;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class FeatureTests : IDisposable
{
    private static readonly VitConfig Config = new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32 };
    private static readonly EvalTransform Transform = new() { Resize = 40, Crop = 32 };
    private readonly TemporaryFolder folder = new();
    private readonly VisionTransformer model = VisionTransformer.Random(Config, 1);
    private readonly List<string> paths;

    public FeatureTests() => paths = [.. Enumerable.Range(0, 11).Select(i => i == 4
        ? folder.Write("broken.png", [1, 2, 3])
        : folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(50, 40, i))))];

    public void Dispose()
    {
        model.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void FeaturesAreThoseOfTheNormalisedImages()
    {
        using var scope = NewDisposeScope();
        using ImageCache cache = Cache(paths);
        model.train();
        var calls = new List<(int, int)>();
        FeatureSet all = FeatureExtractor.Extract(model, cache, new() { Batch = 4 },
            progress: (done, of) => calls.Add((done, of)));
        Assert.Equal((10, 96), (all.Count, all.Width));
        Assert.Equal([(4, 10), (8, 10), (10, 10)], calls);
        Assert.True(model.training);
        model.eval();
        Tensor expected = model.ClsOfLastBlocks(Transform.Normalise(cache.Batch([7, 2], CPU)), 4);
        Assert.True(ProbeInput.Rows(all.ToTensor(), [7, 2]).allclose(expected, 1e-5, 1e-6));
        FeatureSet some = FeatureExtractor.Extract(model, cache, rows: [7, 2]);
        Assert.True(some.ToTensor().allclose(expected, 1e-5, 1e-6));
    }

    [Fact]
    public void VariantsDiffer()
    {
        using var scope = NewDisposeScope();
        using ImageCache cache = Cache(paths);
        FeatureSet Of(FeatureVariant variant) => FeatureExtractor.Extract(model, cache, new() { Variant = variant });
        FeatureSet normed = Of(FeatureVariant.Cls4), raw = Of(FeatureVariant.Cls4PreNorm),
            head = Of(FeatureVariant.PaperScript), again = Of(FeatureVariant.PaperScript);
        Assert.Equal(96, raw.Width);
        Assert.Equal(256, head.Width);
        Tensor standard = raw.ToTensor().view(10, 4, 24);
        standard = (standard - standard.mean([-1], keepdim: true))
            / (standard.var(-1, unbiased: false, keepdim: true) + Kept(1e-6)).sqrt();
        Assert.True(standard.flatten(1).allclose(normed.ToTensor(), 1e-3, 1e-4));
        Assert.Equal(head.Values, again.Values);
        Assert.Equal(3, new[] { normed.Key, raw.Key, head.Key }.Distinct().Count());
    }

    [Fact]
    public void TheKeyFollowsEverythingThatMatters()
    {
        using ImageCache cache = Cache(paths),
            squashed = ImageCache.Build(folder.Path, paths, Transform with { Mean = new(0, 0, 0) });
        using VisionTransformer other = VisionTransformer.Random(Config, 2),
            heads = VisionTransformer.Random(Config with { Heads = 2 }, 1);
        using ImageCache limited = ImageCache.Build(folder.Path, paths, Transform, limits: new(MaxPixels: 50_000_000));
        string[] keys =
        [
            FeatureExtractor.Extract(model, cache).Key, FeatureExtractor.Extract(other, cache).Key,
            FeatureExtractor.Extract(model, squashed).Key,
            FeatureExtractor.Extract(heads, cache).Key, FeatureExtractor.Extract(model, limited).Key,
            FeatureExtractor.Extract(model, cache, rows: [0, 1]).Key,
            FeatureExtractor.Extract(model, cache, rows: [1, 0]).Key,
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys[0], FeatureExtractor.Extract(model, cache, new() { Batch = 3 }).Key);
        Assert.Equal(keys[0], new FeatureStore(folder.Path).Extract(model, cache).Key);
    }

    [Fact]
    public void TheStoreRemembersAndNeverMixesUp()
    {
        using ImageCache cache = Cache(paths);
        using VisionTransformer other = VisionTransformer.Random(Config, 2);
        var store = new FeatureStore(folder.Path, perFile: 4);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => store.Extract(model, cache, cancellation: cancelled.Token));
        float[] computed = store.Extract(model, cache).Values;
        Assert.All(FeatureExtractor.Extract(model, cache).Values.Zip(computed),
            p => Assert.Equal(p.First, p.Second, 1e-5f));
        Assert.Equal(computed, store.Extract(model, cache, cancellation: cancelled.Token).Values);
        Assert.Throws<OperationCanceledException>(() => store.Extract(other, cache, cancellation: cancelled.Token));
        Assert.Throws<OperationCanceledException>(() =>
            store.Extract(model, cache, new() { Variant = FeatureVariant.Cls4PreNorm }, cancellation: cancelled.Token));
        string[] files = Stored();
        Assert.Equal(3, files.Length);
        foreach (string file in files) File.Copy(files.First(f => f != file), file, overwrite: true);
        Assert.Equal(computed, store.Extract(model, cache).Values);
    }

    [Fact]
    public void Bfloat16IsNearFloat32HasAKeyOfItsOwnAndLeavesTheModelAsItWas()
    {
        using ImageCache cache = Cache(paths);
        FeatureSet full = FeatureExtractor.Extract(model, cache),
            half = FeatureExtractor.Extract(model, cache, new() { Precision = Precision.Bf16 });
        Assert.NotEqual(full.Key, half.Key);
        double apart = full.Values.Zip(half.Values, (a, b) => Math.Abs(a - b)).Average(),
            size = full.Values.Average(Math.Abs);
        Assert.InRange(apart / size, 1e-5, 0.02);
        Assert.Equal(full.Values, FeatureExtractor.Extract(model, cache).Values);
        Assert.Contains("expected fp32 or bf16",
            Assert.Throws<KitException>(() =>
                FeatureExtractor.Extract(model, cache, new() { Precision = Precision.Auto })).Message);
    }

    [Fact]
    public void FeaturesThatAreNotFiniteAreNotKept()
    {
        using ImageCache cache = Cache(paths);
        using (no_grad()) model.parameters().First().fill_(Kept(float.NaN));
        var store = new FeatureStore(folder.Path);
        model.Origin = "Model 'mine' (mine.pth)";
        string message = Assert.Throws<KitException>(() => store.Extract(model, cache, rows: [4, 2])).Message;
        Assert.Contains("hold NaN or infinity: the weights are broken", message);
        // Row 4 is that of the sixth file: the fifth cannot be read.
        Assert.StartsWith($"Model 'mine' (mine.pth): features of image {paths[5]} ", message, StringComparison.Ordinal);
        KitException unkept = Assert.Throws<KitException>(() => FeatureExtractor.Extract(model, cache, rows: [4, 2]));
        Assert.Equal(message, unkept.Message);
        Assert.False(Directory.Exists(Path.Combine(folder.Path, "features")));
    }

    [Fact]
    public void FiniteWeightsAreNotBlamed()
    {
        using ImageCache cache = Cache(paths);
        using (no_grad()) model.state_dict()["norm.weight"].fill_(Kept(3e38f));
        string message = Assert.Throws<KitException>(() => FeatureExtractor.Extract(model, cache)).Message;
        Assert.Contains("the weights are finite, but values in the network exceed the range of fp32", message);
    }

    [Fact]
    public void AnInterruptedExtractionGoesOn()
    {
        using ImageCache cache = Cache(paths);
        var store = new FeatureStore(folder.Path, perFile: 4);
        using var source = new CancellationTokenSource();
        var options = new FeatureOptions { Batch = 2 };
        Assert.Throws<OperationCanceledException>(
            () => store.Extract(model, cache, options, progress: (done, _) => { if (done == 6) source.Cancel(); },
                cancellation: source.Token));
        string first = Assert.Single(Stored());
        DateTime written = File.GetLastWriteTimeUtc(first);
        var calls = new List<int>();
        float[] values = store.Extract(model, cache, options, progress: (done, _) => calls.Add(done)).Values;
        Assert.Equal([4, 6, 8, 10], calls);
        Assert.Equal(written, File.GetLastWriteTimeUtc(first));
        Assert.All(FeatureExtractor.Extract(model, cache, options).Values.Zip(values),
            p => Assert.Equal(p.First, p.Second, 1e-5f));
    }

    [Fact]
    public void AddedImagesCostOnlyThemselves()
    {
        var store = new FeatureStore(folder.Path, perFile: 5);
        using (ImageCache cache = Cache(paths)) store.Extract(model, cache);
        paths.Add(folder.Write("new.png", ImageCodec.EncodePng(TestImages.Draw(30, 30, 99))));
        using ImageCache more = Cache(paths);
        var calls = new List<int>();
        store.Extract(model, more, progress: (done, _) => calls.Add(done));
        Assert.Equal([5, 10, 11], calls);
        Assert.Equal(3, Stored().Length);
    }

    [Fact]
    public void DamagedFilesAreComputedAgain()
    {
        using ImageCache cache = Cache(paths);
        var store = new FeatureStore(folder.Path);
        float[] expected = store.Extract(model, cache).Values;
        string file = Assert.Single(Stored());
        byte[] good = File.ReadAllBytes(file);
        byte[] flipped = [.. good];
        flipped[^5] ^= 16;
        foreach (byte[] bad in new[] { flipped, good[..^1], good[..20], [], [.. good, 0] })
        {
            File.WriteAllBytes(file, bad);
            Assert.Equal(expected, store.Extract(model, cache).Values);
            Assert.Equal(good, File.ReadAllBytes(file));
        }
    }

    [Fact]
    public void LiveTensorsDoNotGrow()
    {
        using ImageCache cache = Cache(paths);
        var store = new FeatureStore(folder.Path, perFile: 4);
        void Use()
        {
            FeatureExtractor.Extract(model, cache, new() { Variant = FeatureVariant.PaperScript, Batch = 3 });
            foreach (string file in Stored().Take(1)) File.Delete(file);
            store.Extract(model, cache);
        }
        Use();
        Use();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 10; i++) Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private ImageCache Cache(IReadOnlyList<string> files) => ImageCache.Build(folder.Path, files, Transform);

    private string[] Stored() => Directory.Exists(Path.Combine(folder.Path, "features"))
        ? [.. Directory.GetFiles(Path.Combine(folder.Path, "features"), "*.safetensors", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)] : [];
}
