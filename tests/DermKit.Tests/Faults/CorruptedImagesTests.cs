using DermKit.Imaging;
using DermKit.Tests.Imaging;
using System.Text;

namespace DermKit.Tests.Faults;

/// <summary>Two hundred broken or oddly named copies of images stop nothing, and every file is either a row or on
/// the quarantine list.</summary>
public sealed class CorruptedImagesTests
{
    [Fact]
    public void BrokenCopiesEndInTheQuarantineListAndOddlyNamedOnesAreRead()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(5);
        byte[][] originals = [.. Enumerable.Range(0, 8).Select(i => TestImages.Draw(150 + 10 * i, 120, i))
            .Select((p, i) => i % 2 == 0 ? ImageCodec.EncodePng(p) : ImageCodec.EncodeJpeg(p))];
        var files = new List<(string Path, bool? Readable)>();
        void Add(int count, string kind, bool? readable, Func<int, byte[]> bytes)
        {
            for (int i = 0; i < count; i++)
                files.Add((folder.Write($"{kind}{i}{(i % 2 == 0 ? ".png" : ".jpg")}", bytes(i)), readable));
        }
        Add(8, "whole", true, i => originals[i]);
        Add(50, "cut", false, i => originals[i % 8][..(int)(originals[i % 8].Length * 0.95 * random.NextDouble())]);
        Add(50, "flipped", null, i =>
        {
            byte[] copy = [.. originals[i % 8]];
            for (int flips = 0; flips <= i; flips++) copy[random.Next(copy.Length)] ^= (byte)(1 << random.Next(8));
            return copy;
        });
        Add(20, "empty", false, _ => []);
        // The contents decide, not the name: a JPEG called .png is an image.
        Add(20, "othersuffix", true, i => originals[(i + 1) % 8]);
        Add(20, "text", false, i => Encoding.UTF8.GetBytes($"patient_id,lesion_id\n{i},{i}\n"));
        Add(10, "huge", false,
            i => i % 2 == 0 ? HandMadeFiles.Png(60_000, 60_000, 8, 2, new byte[999])
                : HandMadeFiles.WithDeclaredSize(originals[1], 60_000, 60_000));
        Add(10, "magic", false,
            i => [.. originals[i % 8][..8], .. Enumerable.Range(0, 500).Select(_ => (byte)random.Next(256))]);
        for (int i = 0; i < 10; i++)
            files.Add((Directory.CreateDirectory(Path.Combine(folder.Path, $"folder{i}.jpg")).FullName, false));
        for (int i = 0; i < 10; i++) files.Add((Path.Combine(folder.Path, $"missing{i}.jpg"), false));
        Assert.Equal(208, files.Count);

        string cacheDir = Path.Combine(folder.Path, "cache");
        using ImageCache cache = ImageCache.Build(cacheDir, [.. files.Select(f => f.Path)], new EvalTransform());

        Assert.Equal(files.Count, cache.Count + cache.Quarantine.Count);
        Assert.Equal(cache.Count, cache.RowOf.Count(r => r >= 0));
        Assert.Equal(Enumerable.Range(0, cache.Count), cache.RowOf.Where(r => r >= 0));
        Assert.Equal(files.Where((_, i) => cache.RowOf[i] < 0).Select(f => f.Path),
            cache.Quarantine.Select(q => q.Path));
        Assert.All(cache.Quarantine, q => Assert.NotEqual("", q.Reason));
        Assert.Empty(files.Where((f, i) => f.Readable is { } readable && readable != cache.RowOf[i] >= 0)
            .Select(f => f.Path));
        Assert.All(cache.Quarantine.Where(q => q.Path.Contains("huge")),
            q => Assert.Contains("60000 x 60000", q.Reason));
        int suffixes = files.FindIndex(f => f.Path.Contains("othersuffix"));
        for (int i = 0; i < 20; i++)
            Assert.Equal(new EvalTransform().Apply(ImageCodec.Decode(originals[(i + 1) % 8])).Pixels,
                cache.Image(cache.RowOf[suffixes + i]).Pixels);

        using ImageCache again = ImageCache.Build(cacheDir, [.. files.Select(f => f.Path)], new EvalTransform(),
            (_, _) => Assert.Fail("decoded again"));
        Assert.Equal(cache.Quarantine, again.Quarantine);
    }

    [Fact]
    public void AnImageThatDeclaresTooMuchTakesNoMemory()
    {
        byte[] jpeg = ImageCodec.EncodeJpeg(TestImages.Draw(160, 120, 1));
        foreach (byte[] bytes in new[]
        {
            HandMadeFiles.Png(60_000, 60_000, 8, 2, new byte[999]), HandMadeFiles.WithDeclaredSize(jpeg, 60_000, 60_000)
        })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<ImageUnreadableException>(
                () => ImageCodec.Decode(bytes, "huge", null, new EvalTransform(),
                    (_, _) => Assert.Fail("memory for the pixels was about to be taken"), out _));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }
}
