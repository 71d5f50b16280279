using System.Globalization;
using System.Security.Cryptography;
using DermKit.Data;
using DermKit.Imaging;

namespace DermKit.Tests.Data;

/// <summary>The drawn folder: the same bytes every time, whole or absent, with the truth in range.</summary>
public sealed class SyntheticDataSetTests : IClassFixture<SyntheticDataSetTests.SmallSet>
{
    private const int Images = 60;
    private readonly SmallSet set;

    public SyntheticDataSetTests(SmallSet set) => this.set = set;

    [Fact]
    public void TheSameSeedDrawsTheSameBytesInAnyThread()
    {
        Photo[] plan = SyntheticPlan.Make(Images, 7);
        var painter = new PhotoPainter(7);
        foreach (int i in new[] { 59, 3, 30 })
            Assert.Equal(Hash(File.ReadAllBytes(set.Table.Paths[i])), Hash(painter.Draw(plan[i]).Jpeg));
        var other = new PhotoPainter(8);
        Assert.NotEqual(Hash(File.ReadAllBytes(set.Table.Paths[3])), Hash(other.Draw(plan[3]).Jpeg));
    }

    [Fact]
    public void ASecondDrawingIsTheSameFileByFile()
    {
        string again = SyntheticDataSet.Ensure(Path.Combine(set.Root, "again"), Images);
        string[] files = [.. Directory.GetFiles(set.Folder, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(set.Folder, f)).Order(StringComparer.Ordinal)];
        Assert.Equal(Images + 1, files.Length);
        Assert.All(files,
            f => Assert.Equal(Hash(File.ReadAllBytes(Path.Combine(set.Folder, f))),
                Hash(File.ReadAllBytes(Path.Combine(again, f)))));
    }

    [Fact]
    public void TheSecondCallDrawsNothing()
    {
        Assert.Equal(set.Folder,
            SyntheticDataSet.Ensure(set.Root, Images, progress: (_, _) => Assert.Fail("drawn again")));
        Assert.Equal(Images, set.Progress.Count);
        Assert.Equal((Images, Images), set.Progress[^1]);
    }

    [Fact]
    public void EveryImageIsOneOfTheSizeTheKitUses() => Assert.All(set.Table.Paths, p =>
    {
        RgbImage image = ImageCodec.Decode(p);
        Assert.Equal((224, 224), (image.Width, image.Height));
        Assert.True(image.Pixels.Max() - image.Pixels.Min() > 40, $"{p} is nearly blank.");
    });

    [Fact]
    public void ColumnsAreThereAndInRange()
    {
        ImageTable table = set.Table;
        Assert.Equal(Images, table.Count);
        Assert.Equal(SyntheticDataSet.Name, table.Name);
        foreach (string flag in Enum.GetNames<Trait>().Concat(Enum.GetNames<Artefacts>().Skip(1))
            .Select(SyntheticDataSet.Snake).Append("malignant"))
            Assert.All(table.Column(flag), v => Assert.True(v is "0" or "1", $"{flag}: {v}"));
        foreach (var (column, low, high) in new (string, double, double)[] { ("skin_type", 1, 6), ("age", 8, 93),
            ("elevation", 0, 1), ("area_mm2", .5, 400), ("diameter_mm", 1, 23),
            ("asymmetry", 0, .7), ("border_index", .8, 12), ("colours", 0, 6), ("lesion_fraction", .002, 1) })
            Assert.All(table.Column(column),
                v => Assert.InRange(double.Parse(v!, CultureInfo.InvariantCulture), low, high));
        Assert.All(table.Column("diagnosis"), d => Assert.Contains(d, LesionKind.All.Select(k => k.Name)));
        Assert.All(table.Column("site"), s => Assert.Contains(s, LesionKind.SiteNames));
        Assert.All(table.Column("modality"), m => Assert.True(m is "dermoscopic" or "clinical"));
        Assert.All(table.Column("split"), s => Assert.True(s is "train" or "test"));
        Assert.All(table.Column("sex"), s => Assert.True(s is "female" or "male"));
    }

    [Fact]
    public void NoPatientIsOnBothSides() => Splits.CheckLeaks(set.Table, Splits.Official(set.Table), "synthetic");

    [Fact]
    public void NearDuplicatesNameAnImageAndLookLikeIt()
    {
        string?[] originals = set.Table.Column("duplicate_of");
        int[] repeats = [.. Enumerable.Range(0, Images).Where(i => originals[i] is not null)];
        Assert.NotEmpty(repeats);
        foreach (int i in repeats)
        {
            int original = Array.IndexOf(set.Table.Ids, originals[i]);
            Assert.True(original >= 0, originals[i]);
            Assert.NotEqual(Hash(File.ReadAllBytes(set.Table.Paths[i])),
                Hash(File.ReadAllBytes(set.Table.Paths[original])));
            double near = Distance(i, original), far = Enumerable.Range(0, Images).Where(j => j != i && j != original)
                .Min(j => Distance(i, j));
            Assert.True(near < far, $"{set.Table.Ids[i]}: {near:F1} from its original, {far:F1} from another image.");
        }
    }

    [Fact]
    public void InterruptedDrawingLeavesNothing()
    {
        string cache = Path.Combine(set.Root, "interrupted");
        Assert.ThrowsAny<Exception>(() => SyntheticDataSet.Ensure(cache, Images, progress: (done, _) =>
        {
            if (done == 5) throw new InvalidOperationException("stop");
        }));
        Assert.Empty(Directory.GetFileSystemEntries(cache));
        Assert.Equal(Images, SyntheticDataSet.Load(SyntheticDataSet.Ensure(cache, Images)).Count);
    }

    [Fact]
    public async Task TwoDrawersAtOnceBothGetTheWholeSet()
    {
        string cache = Path.Combine(set.Root, "two");
        string[] folders =
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => SyntheticDataSet.Ensure(cache, 12))));
        Assert.Equal(folders[0], folders[1]);
        Assert.Equal(12, SyntheticDataSet.Load(folders[0]).Count);
        Assert.Single(Directory.GetFileSystemEntries(cache));
    }

    [Fact]
    public void AMissingImageIsNamed()
    {
        string folder = SyntheticDataSet.Ensure(Path.Combine(set.Root, "missing"), 4);
        File.Delete(Path.Combine(folder, "images", "syn_00002.jpg"));
        Assert.Contains("syn_00002", Assert.Throws<KitException>(() => SyntheticDataSet.Load(folder)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("images/syn_00001.jpg")]
    [InlineData("metadata.csv")]
    public void WhatAPowerCutLeftEmptyIsDrawnAgain(string file)
    {
        string cache = Path.Combine(set.Root, "cut" + file.Length),
            path = Path.Combine(SyntheticDataSet.Ensure(cache, 4), file);
        byte[] whole = File.ReadAllBytes(path);
        File.WriteAllBytes(path, []);
        Assert.Throws<KitException>(() => SyntheticDataSet.Load(SyntheticDataSet.Folder(cache, 4)));
        Assert.Equal(4, SyntheticDataSet.Load(SyntheticDataSet.Ensure(cache, 4)).Count);
        Assert.Equal(whole, File.ReadAllBytes(path));
    }

    [Fact]
    public void DrawsFastEnoughForTheFirstRun()
    {
        Assert.SkipUnless(File.Exists("/proc/thread-self/schedstat"),
            "processor time of a thread is read from /proc, which Linux has");
        Photo[] plan = SyntheticPlan.Make(Images, 7);
        var painter = new PhotoPainter(7);
        painter.Draw(plan[0]);
        double before = MillisecondsOnCpu();
        foreach (Photo photo in plan) painter.Draw(photo);
        double each = (MillisecondsOnCpu() - before) / Images;
        // 2,400 images in 30 s on two cores are 25 ms each; twice that where other processes share caches and clock.
        Assert.InRange(each, .5, 50);
    }

    /// <summary>Processor time of this thread: the clock on the wall would measure the other tests too.</summary>
    private static double MillisecondsOnCpu() =>
        double.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], CultureInfo.InvariantCulture) / 1e6;

    private static string Hash(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes));

    private double Distance(int a, int b)
    {
        byte[] x = set.Thumbnail(a), y = set.Thumbnail(b);
        return x.Zip(y).Average(p => Math.Abs((double)p.First - p.Second));
    }

    /// <summary>Sixty images, drawn once for all tests.</summary>
    public sealed class SmallSet : IDisposable
    {
        private readonly Dictionary<int, byte[]> thumbnails = [];

        public SmallSet()
        {
            Folder = SyntheticDataSet.Ensure(Root, Images, progress: (done, all) => Progress.Add((done, all)));
            Table = SyntheticDataSet.Load(Folder);
        }

        public string Root { get; } = Directory.CreateTempSubdirectory("synthetic").FullName;

        public string Folder { get; }

        public ImageTable Table { get; }

        public List<(int Done, int All)> Progress { get; } = [];

        public byte[] Thumbnail(int row) => thumbnails.TryGetValue(row, out byte[]? known) ? known
            : thumbnails[row] = PillowResize.Resize(ImageCodec.Decode(Table.Paths[row]), 16, 16,
                ResizeFilter.Bilinear).Pixels;

        public void Dispose() => Directory.Delete(Root, recursive: true);
    }
}
