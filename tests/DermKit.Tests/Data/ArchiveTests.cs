using DermKit.Data;
using System.Formats.Tar;
using System.IO.Compression;

namespace DermKit.Tests.Data;

/// <summary>Archives that nobody vouches for.</summary>
public sealed class ArchiveTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Into => Path.Combine(folder.Path, "set");

    private string Zip(params (string Name, byte[] Bytes)[] entries) => Zip(null, entries);

    private string Zip(Action<ZipArchiveEntry>? each, params (string Name, byte[] Bytes)[] entries)
    {
        string path = Path.Combine(folder.Path, "a.zip");
        using ZipArchive zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach ((string name, byte[] bytes) in entries)
        {
            ZipArchiveEntry entry = zip.CreateEntry(name);
            each?.Invoke(entry);
            using Stream stream = entry.Open();
            stream.Write(bytes);
        }
        return path;
    }

    private string Tar(params TarEntry[] entries)
    {
        string path = Path.Combine(folder.Path, "a.tar.gz");
        using var zipped = new GZipStream(File.Create(path), CompressionLevel.Fastest);
        using var tar = new TarWriter(zipped, TarEntryFormat.Pax);
        foreach (TarEntry entry in entries) tar.WriteEntry(entry);
        return path;
    }

    private static PaxTarEntry Plain(string name, params byte[] bytes) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) };

    private void AssertRefused(string archive, string expected, ArchiveLimits? limits = null)
    {
        Directory.CreateDirectory(Into);
        File.WriteAllText(Path.Combine(Into, "mine.txt"), "kept");
        string message = Assert.Throws<KitException>(() => Archive.Unpack(archive, Into, limits)).Message;
        Assert.Contains(expected, message);
        Assert.StartsWith(archive, message);
        Assert.Equal([Path.Combine(Into, "mine.txt")], Directory.GetFileSystemEntries(Into));
        Assert.Equal(["a.tar.gz", "a.zip", "set"], Directory.GetFileSystemEntries(folder.Path).Select(e => Path.GetFileName(e)!).Union(["a.tar.gz", "a.zip"]).Order());
        Assert.False(File.Exists("/tmp/dermkit-hostile.txt"));
    }

    [Fact]
    public void ZipAndTarGiveTheSameFiles()
    {
        Assert.Equal(2, Archive.Unpack(Zip(("melanoma/1.jpg", [1, 2]), ("naevus/", []), ("naevus\\2.jpg", [3]), ("__MACOSX/melanoma/._1.jpg", [9]), ("melanoma/.DS_Store", [9])), Into));
        string other = Path.Combine(folder.Path, "other");
        Assert.Equal(2, Archive.Unpack(Tar(new PaxTarEntry(TarEntryType.Directory, "melanoma/"), Plain("melanoma/1.jpg", 1, 2), Plain("./naevus/2.jpg", 3)), other));
        foreach (string root in new[] { Into, other })
        {
            Assert.Equal(["melanoma/1.jpg", "naevus/2.jpg"], Directory.GetFiles(root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order());
            Assert.Equal([1, 2], File.ReadAllBytes(Path.Combine(root, "melanoma", "1.jpg")));
        }
        Assert.Contains("melanoma: is there already", Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.zip"), Into)).Message);
    }

    [Theory]
    [InlineData("../dermkit-hostile.txt", "leads out of the folder")]
    [InlineData("a/../../dermkit-hostile.txt", "leads out of the folder")]
    [InlineData("..\\dermkit-hostile.txt", "leads out of the folder")]
    [InlineData("/tmp/dermkit-hostile.txt", "has an absolute path")]
    [InlineData("\\tmp\\dermkit-hostile.txt", "has an absolute path")]
    [InlineData("C:\\dermkit-hostile.txt", "has an absolute path")]
    public void NoEntryLeavesTheFolder(string name, string expected)
    {
        AssertRefused(Zip(("good.txt", [1]), (name, [1])), $"entry '{name}': {expected}");
        AssertRefused(Tar(Plain("good.txt", 1), Plain(name, 1)), $"entry '{name}': {expected}");
    }

    [Fact]
    public void LinksAreRefused()
    {
        AssertRefused(Zip(entry => entry.ExternalAttributes = unchecked((int)0xA1FF0000), ("link", [.. "/etc/passwd"u8])), "'link': is no plain file or folder, but a link");
        AssertRefused(Tar(new PaxTarEntry(TarEntryType.SymbolicLink, "link") { LinkName = "/etc/passwd" }), "but SymbolicLink");
        File.Delete(Path.Combine(folder.Path, "a.tar.gz"));
        AssertRefused(Tar(Plain("good.txt", 1), new PaxTarEntry(TarEntryType.HardLink, "link") { LinkName = "good.txt" }), "but HardLink");
    }

    [Fact]
    public void CapsHold()
    {
        AssertRefused(Zip([.. Enumerable.Range(0, 20).Select(i => ($"{i}.txt", new byte[] { 1 }))]), "'10.txt': is one more than 10 entries", new(Entries: 10));
        File.Delete(Path.Combine(folder.Path, "a.zip"));
        AssertRefused(Zip(("small.txt", new byte[500]), ("large.txt", new byte[600])), "'large.txt': brings what comes out over 1000 bytes", new(Bytes: 1000));
        File.Delete(Path.Combine(folder.Path, "a.zip"));
        // 40 MB of zeros in some 40 KB.
        AssertRefused(Zip(("bomb.txt", new byte[40 << 20])), "'bomb.txt': brings what comes out over 100 times");
        AssertRefused(Tar(Plain("bomb.txt", new byte[40 << 20])), "'bomb.txt': brings what comes out over 100 times");
    }

    [Fact]
    public void BrokenDoubledAndOtherArchivesAreNamed()
    {
        AssertRefused(Zip(("a.txt", [1]), ("a.txt", [2])), "'a.txt': stands in the archive twice");
        string zip = Path.Combine(folder.Path, "a.zip");
        File.WriteAllBytes(zip, File.ReadAllBytes(zip)[..60]);
        AssertRefused(zip, "the archive is broken");
        byte[] noise = new byte[200_000];
        new Random(1).NextBytes(noise);
        string tar = Tar(Plain("a.txt", noise));
        File.WriteAllBytes(tar, File.ReadAllBytes(tar)[..5000]);
        AssertRefused(tar, "the archive is broken");
        Assert.Contains("expected an archive, found none", Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.rar"), Into)).Message);
        File.WriteAllText(Path.Combine(folder.Path, "a.rar"), "Rar!");
        Assert.Contains("unpack it by hand", Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.rar"), Into)).Message);
    }
}
