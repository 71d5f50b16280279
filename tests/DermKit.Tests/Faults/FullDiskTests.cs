using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Cli;
using DermKit.Tests.Imaging;
using DermKit.Studies;
using System.IO.Compression;
using TorchSharp;

namespace DermKit.Tests.Faults;

/// <summary>What is finished stays when the disk is full, nothing half-written is left, and with room
/// the same call goes on.</summary>
public sealed class FullDiskTests
{
    private const int Page = 4096;
    private static readonly EvalTransform Transform = new() { Resize = 40, Crop = 32 };

    private static string[] Images(TemporaryFolder folder, int count, int from = 0) =>
        [.. Enumerable.Range(from, count)
            .Select(i => folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(50, 40, i))))];

    private static string[] Files(string folder) =>
        [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static void AssertFull(Action write)
    {
        IOException e = Assert.Throws<IOException>(write);
        Assert.True(FullDisk.Is(e));
        Assert.DoesNotContain(".tmp", e.Message, StringComparison.Ordinal);
        Assert.Contains("make room", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task UnpackingLeavesTheFolderAsItWas() => SmallDisk.Run(disk =>
    {
        using var elsewhere = new TemporaryFolder();
        string archive = Path.Combine(elsewhere.Path, "a.zip"), into = Path.Combine(disk, "set");
        using (ZipArchive zip = ZipFile.Open(archive, ZipArchiveMode.Create))
            for (int i = 0; i < 10; i++)
            {
                byte[] bytes = new byte[50_000];
                new Random(i).NextBytes(bytes);
                using Stream entry = zip.CreateEntry($"images/{i}.png").Open();
                entry.Write(bytes);
            }
        Directory.CreateDirectory(into);
        File.WriteAllText(Path.Combine(into, "mine.txt"), "kept");
        string filler = SmallDisk.Leave(disk, 200_000);
        long free = new DriveInfo(disk).AvailableFreeSpace;
        string message = Assert.Throws<KitException>(() => Archive.Unpack(archive, into)).Message;
        Assert.StartsWith($"{archive}: cannot be unpacked into {into} (No space left on device", message,
            StringComparison.Ordinal);
        Assert.Contains("the folder is as it was. Make room", message, StringComparison.Ordinal);
        Assert.Equal([Path.Combine(into, "mine.txt")], Directory.GetFileSystemEntries(into));
        Assert.Equal(free, new DriveInfo(disk).AvailableFreeSpace);
        File.Delete(filler);
        Assert.Equal(10, Archive.Unpack(archive, into));
    }, GetType());

    [Fact]
    public Task FeaturesThatAreFinishedStay() => SmallDisk.Run(disk =>
    {
        using var elsewhere = new TemporaryFolder();
        using ImageCache cache = ImageCache.Build(elsewhere.Path, Images(elsewhere, 10), Transform);
        using var model =
            VisionTransformer.Random(new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32 }, 1);
        var store = new FeatureStore(disk, perFile: 4);
        // A file takes a page: there is room for two of the three.
        string filler = SmallDisk.Leave(disk, 2 * Page);
        AssertFull(() => store.Extract(model, cache));
        string[] kept = Files(Path.Combine(disk, "features"));
        Assert.Equal(2, kept.Length);
        DateTime[] written = Array.ConvertAll(kept, File.GetLastWriteTimeUtc);
        File.Delete(filler);
        var done = new List<int>();
        float[] values = store.Extract(model, cache, progress: (n, _) => done.Add(n)).Values;
        // The first two steps are whole files, read back.
        Assert.Equal([4, 8, 10], done);
        Assert.Equal(new FeatureStore(elsewhere.Path, perFile: 4).Extract(model, cache).Values, values);
        Assert.Equal(written, Array.ConvertAll(kept, File.GetLastWriteTimeUtc));
        Assert.Equal(3, Files(Path.Combine(disk, "features")).Length);
    }, GetType());

    [Fact]
    public Task ResultsThatAreFinishedStay() => SmallDisk.Run(disk =>
    {
        using var scope = torch.NewDisposeScope();
        string[] ids = [.. Enumerable.Range(0, 300).Select(i => $"{i:D3}")];
        var task =
            new ProbeTask(new()
            {
                Name = "one",
                Version = 1,
                Title = "one",
                DataSets = new() { ["made-up"] = null },
                Label = "diagnosis",
                ClassCount = 3,
                InPretraining = false,
                Split = SplitKind.Stratified
            },
                new ImageTable("made-up", ("image", ids.Select(i => $"/{i}.png")), ("image_id", ids)),
                [.. ids.Select((_, i) => i % 3)], ["a", "b", "c"], new bool[300]);
        torch.Tensor features = Evaluation.ProbeTests.Blobs(300, 10, 3, 1, 0.6).X;
        var results = new Results(Path.Combine(disk, "results"));
        IReadOnlyList<TaskResult> Run(int seed) =>
            Probing.Run(features, new("m", "cls4", "w", "k"), task, seed, new() { Resamples = 20 }, results);
        TaskResult[] first = [.. Run(1)];
        long each = Files(Path.Combine(disk, "results")).Where(f => f.Contains(".knn.", StringComparison.Ordinal))
            .Max(f => (new FileInfo(f).Length + Page - 1) / Page * Page);
        // Room for the next kNN result and not for the linear one.
        string filler = SmallDisk.Leave(disk, each);
        AssertFull(() => Run(9));
        string[] kept = Files(Path.Combine(disk, "results"));
        Assert.Equal(["m.cls4.knn.1", "m.cls4.knn.9", "m.cls4.linear.1"],
            kept.Select(f => string.Join('.', Path.GetFileName(f).Split('.')[..4])));
        DateTime[] written = Array.ConvertAll(kept, File.GetLastWriteTimeUtc);
        // A file that is there is not spoiled by the attempt to write it again.
        AssertFull(() => results.Save(first[0] with { Note = new string('x', 4 * Page) }));
        Assert.Equivalent(first,
            Evaluation.ProbingTests.Stored(Path.Combine(disk, "results")).Where(r => r.Seed == 1), strict: true);
        File.Delete(filler);
        Assert.Equal(["knn", "linear"], Run(9).Select(r => r.Probe));
        Assert.Equal(written, Array.ConvertAll(kept, File.GetLastWriteTimeUtc));
    }, GetType());

    [Fact]
    public Task AnImageCacheThatIsThereStaysAndNoHalfOneIsLeft() => SmallDisk.Run(disk =>
    {
        using var elsewhere = new TemporaryFolder();
        string[] few = Images(elsewhere, 5), more = [.. few, .. Images(elsewhere, 10, 5)];
        byte[] pixels;
        using (ImageCache cache = ImageCache.Build(disk, few, Transform)) pixels = cache.Image(4).Pixels;
        string filler = SmallDisk.Leave(disk, 5 * Page);
        string[] kept = Files(disk);
        AssertFull(() => ImageCache.Build(disk, more, Transform).Dispose());
        Assert.Equal(kept, Files(disk));
        using (ImageCache cache = ImageCache.Build(disk, few, Transform, (_, _) => Assert.Fail("decoded again")))
            Assert.Equal(pixels, cache.Image(4).Pixels);
        // Images that are brought to one size are kept one by one.
        AssertFull(() => OneGeometry.Bring(disk, more, 40, 30));
        string[] brought = Files(Path.Combine(disk, "geometry-40x30"));
        Assert.InRange(brought.Length, 1, more.Length - 1);
        Assert.All(brought, f => Assert.Equal((40, 30), (ImageCodec.Decode(f).Width, ImageCodec.Decode(f).Height)));
        File.Delete(filler);
        Assert.Equal(more.Length, OneGeometry.Bring(disk, more, 40, 30).Intersect(Files(disk)).Count());
        Assert.All(brought, f => Assert.True(File.Exists(f)));
        using (ImageCache cache = ImageCache.Build(disk, more, Transform)) Assert.Equal(pixels, cache.Image(4).Pixels);
    }, GetType());

    [Theory]
    [InlineData("images")]
    [InlineData("features")]
    [InlineData("results")]
    public async Task EvaluateStopsInWordsKeepsWhatIsFinishedAndGoesOn(string where)
    {
        await SmallDisk.SkipUnlessMountable();
        using var folder = new TemporaryFolder();
        string Folder(string name) => Path.Combine(folder.Path, name);
        FixtureSets.Write(KitSettings.FromEnvironment(), Folder("data"), MedNode.Name);
        Dictionary<string, string> Environment(string cache) => new()
        {
            ["KIT_DATA_DIR"] = Folder("data"),
            ["KIT_CACHE_DIR"] = Folder(cache),
            ["KIT_MODE"] = "quick",
            ["OMP_NUM_THREADS"] = "1"
        };
        string[] Command(string cache) => ["evaluate", "--tasks", "med_node", "--models", "vit-tiny-random", "--out",
            Folder(cache + "-tables")];
        (int code, string text, string error) = await KitProcess.Run(Command("whole"), Environment("whole"));
        Assert.True(code == 0, text + error);

        string Relative(string file, string cache) => Path.GetRelativePath(Folder(cache), file);
        FileInfo[] inOrder = [.. Files(Folder("whole")).Select(f => new FileInfo(f)).OrderBy(f => f.LastWriteTimeUtc)];
        // The disk ends in the middle of the last file of its kind.
        int last = Array.FindLastIndex(inOrder,
            f => Relative(f.FullName, "whole").StartsWith(where, StringComparison.Ordinal));
        long Pages(FileInfo file) => (file.Length + Page - 1) / Page;
        long room = inOrder[..last].Sum(Pages) + Pages(inOrder[last]) / 2;
        foreach (string made in new[] { "full", "left" }) Directory.CreateDirectory(Folder(made));
        string script = $"unshare -rm bash -c 'mount -t tmpfs -o size={Math.Max(1, room) * Page / 1024}k none \"$0\" "
            + $"&& \"$@\"; code=$?; cp -a \"$0\"/. {Folder("left")}; exit $code' {Folder("full")} \"$@\"";
        (code, text, error) = await KitProcess.Run(Command("full"), Environment("full"), script);
        Assert.True(code == 2, $"{code}\n{text}{error}");
        Assert.Matches(
            $@"^kit: No space left on device: {Folder("full")}/{where}\S+ was not written, an earlier version of it is unchanged; make room\. Finished parts are kept: repeat the command once the file is writable\.$", Assert.Single(error.Trim().Split('\n')));
        string[] kept = Files(Folder("left"));
        Assert.Equal(inOrder[..last].Select(f => Relative(f.FullName, "whole")).Order(StringComparer.Ordinal),
            kept.Select(f => Relative(f, "left")));
        DateTime[] written = Array.ConvertAll(kept, File.GetLastWriteTimeUtc);

        (code, text, error) = await KitProcess.Run(Command("left"), Environment("left"));
        Assert.True(code == 0, text + error);
        Assert.Equal(written, Array.ConvertAll(kept, File.GetLastWriteTimeUtc));
        Assert.Equal(File.ReadAllLines(Path.Combine(Folder("whole-tables"), "results.csv")),
            File.ReadAllLines(Path.Combine(Folder("left-tables"), "results.csv")));
    }
}
