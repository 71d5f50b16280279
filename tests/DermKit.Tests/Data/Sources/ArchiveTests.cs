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

    private static PaxTarEntry Plain(string name, params byte[] bytes) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) };

    private void AssertRefused(string archive, string expected, ArchiveLimits? limits = null)
    {
        Directory.CreateDirectory(Into);
        File.WriteAllText(Path.Combine(Into, "mine.txt"), "kept");
        string message = Assert.Throws<KitException>(() => Archive.Unpack(archive, Into, limits)).Message;
        Assert.Contains(expected, message);
        Assert.StartsWith(archive, message);
        Assert.Equal([Path.Combine(Into, "mine.txt")], Directory.GetFileSystemEntries(Into));
        Assert.Equal(["a.tar.gz", "a.zip", "set"],
            Directory.GetFileSystemEntries(folder.Path).Select(e => Path.GetFileName(e)!)
                .Union(["a.tar.gz", "a.zip"]).Order());
        Assert.False(File.Exists("/tmp/dermkit-hostile.txt"));
    }

    [Fact]
    public void ZipAndTarGiveTheSameFiles()
    {
        Assert.Equal(2,
            Archive.Unpack(Zip(("melanoma/1.jpg", [1, 2]), ("naevus/", []), ("naevus\\2.jpg", [3]),
                ("__MACOSX/melanoma/._1.jpg", [9]), ("melanoma/.DS_Store", [9])), Into));
        string other = Path.Combine(folder.Path, "other");
        Assert.Equal(2,
            Archive.Unpack(Tar(new PaxTarEntry(TarEntryType.Directory, "melanoma/"), Plain("melanoma/1.jpg", 1, 2),
                Plain("./naevus/2.jpg", 3)), other));
        foreach (string root in new[] { Into, other })
        {
            Assert.Equal(["melanoma/1.jpg", "naevus/2.jpg"],
                Directory.GetFiles(root, "*", SearchOption.AllDirectories)
                    .Select(f => Path.GetRelativePath(root, f)).Order());
            Assert.Equal([1, 2], File.ReadAllBytes(Path.Combine(root, "melanoma", "1.jpg")));
        }
        Assert.Contains("melanoma: is there already",
            Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.zip"), Into)).Message);
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
        AssertRefused(Zip(entry => entry.ExternalAttributes = unchecked((int)0xA1FF0000),
            ("link", [.. "/etc/passwd"u8])), "'link': is no plain file or folder, but a link");
        AssertRefused(Tar(new PaxTarEntry(TarEntryType.SymbolicLink, "link") { LinkName = "/etc/passwd" }),
            "but SymbolicLink");
        File.Delete(Path.Combine(folder.Path, "a.tar.gz"));
        AssertRefused(Tar(Plain("good.txt", 1),
            new PaxTarEntry(TarEntryType.HardLink, "link") { LinkName = "good.txt" }), "but HardLink");
    }

    [Fact]
    public void CapsHold()
    {
        AssertRefused(Zip([.. Enumerable.Range(0, 20).Select(i => ($"{i}.txt", new byte[] { 1 }))]),
            "'10.txt': is one more than 10 entries", new(Entries: 10));
        File.Delete(Path.Combine(folder.Path, "a.zip"));
        AssertRefused(Zip(("small.txt", new byte[500]), ("large.txt", new byte[600])),
            "'large.txt': brings what comes out over 1000 bytes", new(Bytes: 1000));
        File.Delete(Path.Combine(folder.Path, "a.zip"));
        // 40 MB of zeros in some 40 KB.
        AssertRefused(Zip(("bomb.txt", new byte[40 << 20])), "'bomb.txt': brings what comes out over 100 times");
        AssertRefused(Tar(Plain("bomb.txt", new byte[40 << 20])), "'bomb.txt': brings what comes out over 100 times");
    }

    /// <summary>
    /// Changes bytes of the central directory's entry of a zip, found by the name in it: at -46 its header begins.
    /// </summary>
    private static void Alter(string zip, string name, int at, Func<uint, uint> change)
    {
        byte[] bytes = File.ReadAllBytes(zip);
        int found = bytes.AsSpan().LastIndexOf(System.Text.Encoding.ASCII.GetBytes(name)) - 46 + at;
        BitConverter.TryWriteBytes(bytes.AsSpan(found), change(BitConverter.ToUInt32(bytes, found)));
        File.WriteAllBytes(zip, bytes);
    }

    [Theory]
    [InlineData(16, 1, "'b.jpg': has the checksum (CRC-32) ")]
    [InlineData(24, 1, "'b.jpg': has 5000 bytes and declares 5001")]
    [InlineData(24, -1, "'b.jpg': has the checksum (CRC-32) ")]
    public void AZipEntryOtherThanItDeclaresIsRefusedByName(int at, int by, string expected)
    {
        byte[] noise = new byte[5000];
        new Random(3).NextBytes(noise);
        string zip = Zip(("a.jpg", noise), ("b.jpg", noise));
        Assert.Equal(2, Archive.Unpack(zip, Path.Combine(folder.Path, "whole")));
        Directory.Delete(Path.Combine(folder.Path, "whole"), recursive: true);
        Alter(zip, "b.jpg", at, value => (uint)(value + by));
        AssertRefused(zip, expected);
        Assert.True(File.Exists(zip));
    }

    [Fact]
    public void AZipEntryWhoseDataIsBrokenIsRefusedByName()
    {
        byte[] text = [.. Enumerable.Range(0, 50_000).Select(i => (byte)(i * i / 700))];
        string zip = Zip(("a.jpg", text), ("b.jpg", text));
        byte[] bytes = File.ReadAllBytes(zip);
        int second = bytes.AsSpan(30).IndexOf("PK\u0003\u0004"u8) + 30;
        for (int i = second + 300; i < second + 340; i++) bytes[i] ^= 0x55;
        File.WriteAllBytes(zip, bytes);
        AssertRefused(zip, "entry 'b.jpg': ");
    }

    [Fact]
    public void ATarThatIsCutOrWhoseChecksumIsWrongIsRefused()
    {
        byte[] noise = new byte[100_000];
        new Random(1).NextBytes(noise);
        string tar = Tar(Plain("a.jpg", noise), Plain("b.jpg", noise));
        byte[] whole = File.ReadAllBytes(tar);
        foreach (int from in new[] { 8, 4 })
        {
            byte[] altered = [.. whole];
            altered[^from] ^= 1;
            File.WriteAllBytes(tar, altered);
            AssertRefused(tar, "the archive is broken");
        }
        for (int length = whole.Length - 1; length > 0; length -= 9973)
        {
            File.WriteAllBytes(tar, whole[..length]);
            AssertRefused(tar, "; nothing was unpacked");
        }
        File.WriteAllBytes(tar, whole);
        using (var unpacked = new GZipStream(File.OpenRead(tar), CompressionMode.Decompress))
        using (var plain = new MemoryStream())
        {
            unpacked.CopyTo(plain);
            File.WriteAllBytes(Path.Combine(folder.Path, "a.tar"), plain.ToArray());
        }
        File.Delete(tar);
        tar = Path.Combine(folder.Path, "a.tar");
        byte[] flat = File.ReadAllBytes(tar);
        // The second entry begins behind the first: a cut there loses a whole file.
        int second = flat.AsSpan().IndexOf("b.jpg"u8);
        foreach (int length in new[] { second / 512 * 512, second + 700, flat.Length - 1024 })
        {
            File.WriteAllBytes(tar, flat[..length]);
            Assert.Contains("; nothing was unpacked", Assert.Throws<KitException>(() => Archive.Unpack(tar,
                Into)).Message);
        }
        File.WriteAllBytes(tar, flat);
        Assert.Equal(2, Archive.Unpack(tar, Into));
    }

    [Fact]
    public void AGzipOfSeveralMembersIsRefusedAsOne()
    {
        string tar = Tar(Plain("a.jpg", 1, 2, 3));
        using var plain = new MemoryStream();
        using (var packed = new GZipStream(File.OpenRead(tar), CompressionMode.Decompress)) packed.CopyTo(plain);
        byte[] flat = plain.ToArray();
        using (FileStream file = File.Create(tar))
            foreach (byte[] part in new[] { flat[..700], flat[700..] })
            {
                using var member = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true);
                member.Write(part);
            }
        AssertRefused(tar, "made of several gzip members");
    }

    [Fact]
    public void WhatAKilledRunLeftIsSeenByNobodyAndClearedByTheNextAndALiveOneKept()
    {
        byte[] image = DermKit.Imaging.ImageCodec.EncodePng(DermKit.Tests.Imaging.TestImages.Draw(8, 8, 1));
        string killed = Directory.CreateDirectory(Path.Combine(Into, ".unpack-0123.tmp", "melanoma")).FullName;
        File.WriteAllBytes(Path.Combine(killed, "1.png"), image);
        File.WriteAllBytes(Path.Combine(Into, ".unpack-0123.tmp", "2.png"), image);
        File.WriteAllText(Path.Combine(Into, ".unpack-0123.tmp", "notes.txt"), "half");
        File.WriteAllText(Path.Combine(Into, ".unpack-0123.tmp.lock"), "");
        string hash = DataSetCatalog.Hash(Into);
        Assert.Empty(ImageFiles.Under(Into));
        Assert.Contains("found none", Assert.Throws<KitException>(() => ImageFiles.Classes("mine", Into,
            "clinical")).Message);
        using (var live = new UnfinishedFolder(Into, ".unpack-"))
        {
            Assert.False(Directory.Exists(Path.Combine(Into, ".unpack-0123.tmp")));
            File.WriteAllBytes(Path.Combine(live.Path, "3.png"), image);
            Assert.Equal(1, Archive.Unpack(Zip(("naevus/4.png", image)), Into));
            Assert.True(File.Exists(Path.Combine(live.Path, "3.png")));
            Assert.Equal(["4.png"], ImageFiles.Under(Into).Select(f => f.Name));
            Assert.Equal(["naevus/4.png"], ImageFiles.Classes("mine", Into, "clinical").Ids);
        }
        Assert.Equal([Path.Combine(Into, "naevus")], Directory.GetFileSystemEntries(Into));
        Assert.NotEqual(hash, DataSetCatalog.Hash(Into));
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
        AssertRefused(tar, "entry 'a.txt': has ");
        Assert.Contains("expected an archive, found none",
            Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.rar"), Into)).Message);
        File.WriteAllText(Path.Combine(folder.Path, "a.rar"), "Rar!");
        Assert.Contains("unpack it by hand",
            Assert.Throws<KitException>(() => Archive.Unpack(Path.Combine(folder.Path, "a.rar"), Into)).Message);
    }
}
