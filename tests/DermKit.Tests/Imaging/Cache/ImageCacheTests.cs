using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

public sealed class ImageCacheTests : IDisposable
{
    private static readonly EvalTransform Small = new() { Resize = 40, Crop = 32 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Cache => Path.Combine(folder.Path, "cache");

    private string[] CacheFiles => Directory.Exists(Cache)
        ? Directory.GetFiles(Cache, "*", SearchOption.AllDirectories) : [];

    private string[] WriteImages(int count) =>
        [.. Enumerable.Range(0, count)
            .Select(i => folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(60 + i, 50 + 2 * i, i))))];

    [Fact]
    public void RowsAreTheTransformedImagesInOrder()
    {
        using var scope = NewDisposeScope();
        string[] paths = WriteImages(9);
        File.WriteAllText(paths[2], "no image");
        File.Delete(paths[5]);
        var seen = new List<int>();
        using ImageCache cache = ImageCache.Build(Cache, paths, Small, (done, all) => seen.Add(done));
        Assert.Equal([0, 1, -1, 2, 3, -1, 4, 5, 6], cache.RowOf);
        Assert.Equal(7, cache.Count);
        Assert.Equal([paths[2], paths[5]], cache.Quarantine.Select(q => q.Path));
        Assert.Equal(Enumerable.Range(1, 9), seen);
        Assert.Equal(["", ""], [cache.ContentHashes[2], cache.ContentHashes[5]]);
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(paths[8]))),
            cache.ContentHashes[8]);
        for (int i = 0; i < paths.Length; i++)
            if (cache.RowOf[i] >= 0)
                Assert.Equal(Small.Apply(ImageCodec.Decode(paths[i])).Pixels, cache.Image(cache.RowOf[i]).Pixels);

        Tensor batch = cache.Batch([6, 0, 6], CPU);
        Assert.Equal([3, 3, 32, 32], batch.shape);
        Assert.Equal(ScalarType.Byte, batch.dtype);
        byte[] planes = batch[1].permute(1, 2, 0).contiguous().bytes.ToArray();
        Assert.Equal(cache.Image(0).Pixels, planes);
        Assert.True(batch[0].eq(batch[2]).all().item<bool>());
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Batch([-1], CPU));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Batch([7], CPU));
    }

    /// <summary>Sizes that shrink, grow and stay; crops that are odd, touch the edges, or leave the image.</summary>
    [Theory]
    [InlineData(40, 32, false, ResizeFilter.Bilinear)]
    [InlineData(37, 33, true, ResizeFilter.Bicubic)]
    [InlineData(61, 61, false, ResizeFilter.Bicubic)]
    [InlineData(200, 199, true, ResizeFilter.Bilinear)]
    [InlineData(30, 50, false, ResizeFilter.Bicubic)]
    public void RowsHaveTheBitsOfTheTransform(int resize, int crop, bool shortSide, ResizeFilter filter)
    {
        var transform = new EvalTransform { Resize = resize, Crop = crop, ShortSide = shortSide, Filter = filter };
        (int, int)[] sizes = [(61, 61), (64, 48), (333, 97), (97, 334), (1200, 900), (2600, 70), (5, 7),
            (3, 2), (1, 1)];
        string[] paths =
            [.. sizes.Select((s, i) =>
                folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(s.Item1, s.Item2, i))))];
        using ImageCache cache = ImageCache.Build(Cache, paths, transform);
        for (int i = 0; i < paths.Length; i++)
        {
            Assert.True(transform.Apply(ImageCodec.Decode(paths[i])).Pixels.SequenceEqual(cache.Image(i).Pixels),
                $"{sizes[i]}: other pixels");
            Assert.Equal(sizes[i], cache.OriginalSize(i));
        }
    }

    [Fact]
    public void WithoutACropEveryImageKeepsItsShape()
    {
        using var scope = NewDisposeScope();
        var transform =
            new EvalTransform { Resize = 32, ShortSide = true, MaxSide = 128, Crop = 0, Filter = ResizeFilter.Bicubic };
        (int, int)[] sizes = [(64, 48), (48, 64), (61, 61), (1200, 90), (7, 5), (90, 1200), (32, 40)],
            expected = [(42, 32), (32, 42), (32, 32), (128, 9), (44, 32), (9, 128), (32, 40)];
        string[] paths =
            [.. sizes.Select(
                (s, i) => folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(s.Item1, s.Item2, i)))),
                folder.Write("broken.png", [1])];
        using ImageCache cache = ImageCache.Build(Cache, paths, transform);
        Assert.Equal(expected, Enumerable.Range(0, sizes.Length).Select(cache.Size));
        Assert.Equal(sizes, Enumerable.Range(0, sizes.Length).Select(cache.OriginalSize));
        for (int i = 0; i < sizes.Length; i++)
            Assert.Equal(transform.Apply(ImageCodec.Decode(paths[i])).Pixels, cache.Image(i).Pixels);
        Tensor batch = cache.Batch([0, 5, 2], CPU);
        Assert.Equal([3, 3, 128, 42], batch.shape);
        foreach ((int at, int row) in new[] { 0, 5, 2 }.Index())
        {
            (int width, int height) = cache.Size(row);
            Assert.Equal(cache.Image(row).Pixels,
                batch[at].narrow(1, 0, height).narrow(2, 0, width).permute(1, 2, 0).contiguous().bytes.ToArray());
            Assert.Equal(cache.Image(row).Pixels.Sum(v => v), batch[at].to(int64).sum().ToInt64());
        }
        Assert.Equal([2, 3, 32, 42], cache.Batch([0, 0], CPU).shape);
    }

    [Fact]
    public void AScaledDecodeIsNearTheWholeOneForPhotographsAndEqualForAllElse()
    {
        var transform = new EvalTransform { Resize = 48, Crop = 48, Filter = ResizeFilter.Bicubic };
        RgbImage image = TestImages.Draw(300, 200, 1);
        string[] paths = [folder.Write("a.jpg", ImageCodec.EncodeJpeg(image)),
            folder.Write("a.png", ImageCodec.EncodePng(image)),
            folder.Write("small.jpg", ImageCodec.EncodeJpeg(TestImages.Draw(52, 50, 2)))];
        using ImageCache exact = ImageCache.Build(Cache, paths, transform),
            scaled = ImageCache.Build(Cache, paths, transform with { ScaledDecode = true });
        Assert.NotEqual(exact.Key, scaled.Key);
        Assert.Equal((300, 200), scaled.OriginalSize(0));
        double difference = exact.Image(0).Pixels.Zip(scaled.Image(0).Pixels, (a, b) => Math.Abs(a - b)).Average();
        Assert.InRange(difference, 0.01, 2);
        Assert.Equal(exact.Image(1).Pixels, scaled.Image(1).Pixels);
        Assert.Equal(exact.Image(2).Pixels, scaled.Image(2).Pixels);
    }

    [Fact]
    public void SecondOpenDecodesNothingAndOtherInputsMakeAnotherCache()
    {
        string[] paths = WriteImages(4);
        using ImageCache first = ImageCache.Build(Cache, paths, Small);
        using ImageCache again = ImageCache.Build(Cache, paths, Small, (_, _) => Assert.Fail("decoded again"));
        using ImageCache normalised = ImageCache.Build(Cache, paths, Small with { Mean = new(0, 0, 0) },
            (_, _) => Assert.Fail("the mean changes no pixel"));
        Assert.Equal(first.Key, again.Key);
        using ImageCache bicubic = ImageCache.Build(Cache, paths, Small with { Filter = ResizeFilter.Bicubic });
        using ImageCache reversed = ImageCache.Build(Cache, [.. paths.Reverse()], Small);
        Assert.Equal(3, new[] { first.Key, bicubic.Key, reversed.Key }.Distinct().Count());
        File.WriteAllBytes(paths[1], File.ReadAllBytes(paths[0]));
        using ImageCache changed = ImageCache.Build(Cache, paths, Small);
        Assert.NotEqual(first.Key, changed.Key);
        Assert.Equal(changed.Image(0).Pixels, changed.Image(1).Pixels);
    }

    [Fact]
    public void AnotherReasonIsAnotherKey()
    {
        string[] paths = WriteImages(2);
        byte[] good = File.ReadAllBytes(paths[1]);
        (string Key, string Reason) Built()
        {
            using ImageCache cache = ImageCache.Build(Cache, paths, Small);
            return (cache.Key, cache.Quarantine.SingleOrDefault()?.Reason ?? "");
        }
        File.Delete(paths[1]);
        var gone = Built();
        File.WriteAllBytes(paths[1], []);
        var empty = Built();
        File.WriteAllBytes(paths[1], good);
        Assert.Equal(["there is no such file", "the file is empty", ""], [gone.Reason, empty.Reason, Built().Reason]);
        Assert.Equal(3, new[] { gone.Key, empty.Key, Built().Key }.Distinct().Count());
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("foreign")]
    [InlineData("damaged")]
    [InlineData("empty")]
    public void ACacheFileThatIsNotWholeIsBuiltAgain(string fault)
    {
        string[] paths = WriteImages(3);
        byte[] expected;
        using (ImageCache cache = ImageCache.Build(Cache, paths, Small)) expected = cache.Image(2).Pixels;
        string file = Assert.Single(CacheFiles);
        byte[] bytes = File.ReadAllBytes(file);
        if (fault == "damaged") bytes[3 * (ImageCacheFile.HeadBytes + 3 * 32 * 32) + 5] ^= 1;
        File.WriteAllBytes(file,
            fault switch
            {
                "cut" => bytes[..^1],
                "foreign" => [1, 2, 3, .. new byte[100]],
                "damaged" => bytes,
                _ => []
            });
        int decoded = 0;
        using ImageCache rebuilt = ImageCache.Build(Cache, paths, Small, (done, _) => decoded = done);
        Assert.Equal(3, decoded);
        Assert.Equal(expected, rebuilt.Image(2).Pixels);
    }

    [Fact]
    public void CancellingLeavesNoFile()
    {
        string[] paths = WriteImages(20);
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            ImageCache.Build(Cache, paths, Small, (done, _) => { if (done == 5) source.Cancel(); }, source.Token));
        Assert.Empty(CacheFiles);
        using ImageCache cache = ImageCache.Build(Cache, paths, Small);
        Assert.Equal(20, cache.Count);
    }

    [Fact]
    public void NoImagesAreAnEmptyCache()
    {
        using ImageCache cache = ImageCache.Build(Cache, [], Small);
        Assert.Equal(0, cache.Count);
        using Tensor batch = cache.Batch([], CPU);
        Assert.Equal([0, 3, 32, 32], batch.shape);
    }

    [Fact]
    public async Task DecodingWaitsForMemoryAndALargeImageGoesAlone()
    {
        var gate = new ImageCacheBuilder.MemoryGate(cap: 100);
        gate.Enter(60);
        Task second = Task.Run(() => gate.Enter(60)), large = Task.Run(() => gate.Enter(1000));
        await Task.Delay(100);
        Assert.False(second.IsCompleted || large.IsCompleted);
        gate.Exit(60);
        Task first = await Task.WhenAny(second, large).WaitAsync(TimeSpan.FromSeconds(20));
        await Task.Delay(100);
        Assert.False(second.IsCompleted && large.IsCompleted);
        gate.Exit(first == second ? 60 : 1000);
        await Task.WhenAll(second, large).WaitAsync(TimeSpan.FromSeconds(20));
    }
}
