using ICSharpCode.SharpZipLib.Checksum;
using System.Formats.Tar;
using System.IO.Compression;

namespace DermKit.Data;

/// <summary>Bounds: entries, unpacked bytes, and unpacked over packed bytes (checked from 16 MiB on).</summary>
internal sealed record ArchiveLimits(int Entries = 500_000, long Bytes = 256L << 30, double Ratio = 100);

/// <summary>Unpacks .zip, .tar, .tar.gz and .tgz of unknown origin: within limits, inside the folder.</summary>
internal static class Archive
{
    private const long Free = 16 << 20;

    // Unpacks beside the folder, then renames everything into it: an error leaves it unchanged. Returns the file count.
    public static int Unpack(string path, string folder, ArchiveLimits? limits = null,
        CancellationToken cancellation = default)
    {
        if (!File.Exists(path)) throw new KitException($"{path}: expected an archive, found none.");
        string target = Path.GetFullPath(folder);
        bool Ends(params string[] suffixes) => suffixes.Any(suffix => path.EndsWith(suffix, OrdinalIgnoreCase));
        using var unfinished = new UnfinishedFolder(target, ".unpack-");
        var writer = new Writer(path, unfinished.Path, limits ?? new(), cancellation);
        try
        {
            if (Ends(".zip")) Zip(path, writer);
            else if (Ends(".tar.gz", ".tgz")) TarGz(path, writer);
            else if (Ends(".tar"))
            {
                using FileStream file = File.OpenRead(path);
                using var seen = new Seen();
                Tar(file, seen, writer);
            }
            else throw new KitException(
                $"{path}: expected .zip, .tar, .tar.gz or .tgz; unpack it by hand into {target}.");
        }
        catch (Exception e) when (Broken(e) || e is NotSupportedException or ArgumentException or FormatException)
        {
            throw new KitException($"{path}: the archive is broken, or of a kind that is not read ({e.Message}); "
                + "nothing was unpacked. Fetch it again, or unpack it by hand.", e);
        }
        catch (IOException e)
        {
            throw new KitException($"{path}: cannot be unpacked into {target} ({e.Message}); the folder is as it was. "
                + "Make room or make it writable, and try again.", e);
        }
        string[] entries = [.. Directory.GetFileSystemEntries(unfinished.Path).Select(e => Path.GetFileName(e)!)];
        if (entries.FirstOrDefault(e => Path.Exists(Path.Combine(target, e))) is { } there)
            throw new KitException($"{Path.Combine(target, there)}: is there already, and the archive "
                + $"{Path.GetFileName(path)} has it too; move it away, then unpack again.");
        foreach (string entry in entries)
            Directory.Move(Path.Combine(unfinished.Path, entry), Path.Combine(target, entry));
        return writer.Files;
    }

    private static bool Broken(Exception e) => e is InvalidDataException or EndOfStreamException;

    private static void Zip(string path, Writer writer)
    {
        using ZipArchive zip = ZipFile.OpenRead(path);
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            // The upper half holds Unix file modes; a link is an entry whose text is its target.
            int kind = entry.ExternalAttributes >> 16 & 0xF000;
            if (kind is not (0 or 0x8000 or 0x4000))
                throw writer.Wrong(entry.FullName, "is no plain file or folder, but a link or device");
            if (entry.IsEncrypted) throw writer.Wrong(entry.FullName, "is encrypted");
            if (entry.FullName.EndsWith('/') || entry.FullName.EndsWith('\\')) writer.Folder(entry.FullName);
            else writer.File(entry.FullName, entry.Open, entry.Length, entry.Crc32);
        }
    }

    private static void TarGz(string path, Writer writer)
    {
        using FileStream packed = File.OpenRead(path);
        using var zipped = new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true);
        using var seen = new Seen();
        Tar(zipped, seen, writer);
        // GZipStream accepts a file that ends early.
        byte[] end = new byte[8];
        packed.Seek(-Math.Min(packed.Length, end.Length), SeekOrigin.End);
        packed.ReadAtLeast(end, end.Length, throwOnEndOfStream: false);
        uint crc = BitConverter.ToUInt32(end), length = BitConverter.ToUInt32(end, 4);
        if (crc != seen.Crc.Value || length != (uint)seen.Count)
            throw new InvalidDataException($"expected the checksum {seen.Crc.Value:x8} and the length "
                + $"{(uint)seen.Count} at its end, found {crc:x8} and {length}: it is cut short, altered, padded or "
                + "made of several gzip members; if it is whole, unpack it by hand");
    }

    private static void Tar(Stream packed, Seen seen, Writer writer)
    {
        using var read = new CryptoStream(packed, seen, CryptoStreamMode.Read, leaveOpen: true);
        using var tar = new TarReader(read, leaveOpen: true);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) continue;
            if (entry.EntryType is TarEntryType.Directory) writer.Folder(entry.Name);
            else if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                writer.File(entry.Name, () => entry.DataStream ?? Stream.Null, entry.Length);
            else throw writer.Wrong(entry.Name, $"is no plain file or folder, but {entry.EntryType}");
        }
        // Two blocks of zeros end a tar file; a truncated one lacks them.
        byte[] rest = new byte[1 << 17];
        for (int more; (more = read.Read(rest)) > 0;) writer.Count("the end of the archive", more);
        if (seen.Zeros < 1024)
            throw new EndOfStreamException("it lacks the two empty blocks that end a tar archive: it is cut short");
    }

    // Length and checksum of what is read, and the number of zeros at its end; a CryptoStream hands the bytes through.
    private sealed class Seen : HashAlgorithm
    {
        internal long Count { get; private set; }

        internal Crc32 Crc { get; } = new();

        internal long Zeros { get; private set; }

        public override void Initialize() { }

        protected override void HashCore(byte[] array, int ibStart, int cbSize)
        {
            int last = array.AsSpan(ibStart, cbSize).LastIndexOfAnyExcept((byte)0);
            Zeros = last < 0 ? Zeros + cbSize : cbSize - 1 - last;
            Count += cbSize;
            Crc.Update(new ArraySegment<byte>(array, ibStart, cbSize));
        }

        protected override byte[] HashFinal() => [];
    }

    private sealed class Writer(string archive, string root, ArchiveLimits limits, CancellationToken cancellation)
    {
        private readonly HashSet<string> seen = [];
        private readonly long packed = new FileInfo(archive).Length;
        private long bytes;
        private int entries;

        public int Files { get; private set; }

        public KitException Wrong(string entry, string what) =>
            new($"{archive}, entry '{Printable.Of(entry)}': {what}; nothing was unpacked, the archive is kept. Get "
                + "it again from its publisher, or unpack what you trust by hand.");

        public void Folder(string name)
        {
            if (Place(name) is { } place) Directory.CreateDirectory(place);
        }

        // Compares with the length and checksum that the archive declares.
        public void File(string name, Func<Stream> open, long length, uint? declared = null)
        {
            if (Place(name) is not { } place) return;
            if (!seen.Add(place)) throw Wrong(name, "stands in the archive twice");
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            using var file = new FileStream(place, FileMode.CreateNew, FileAccess.Write);
            var crc = new Crc32();
            try
            {
                using Stream content = open();
                byte[] buffer = new byte[1 << 17];
                for (int read; (read = content.Read(buffer)) > 0; file.Write(buffer, 0, read))
                {
                    Count(name, read);
                    if (file.Position + read > length)
                        throw Wrong(name, $"is longer than the {length} bytes that it declares");
                    if (declared is not null) crc.Update(new ArraySegment<byte>(buffer, 0, read));
                }
            }
            catch (Exception e) when (Broken(e))
            {
                throw Wrong(name, $"is broken, or packed in a way that is not read ({e.Message})");
            }
            if (file.Position < length) throw Wrong(name, $"has {file.Position} bytes and declares {length}");
            if (declared is not null && crc.Value != declared)
                throw Wrong(name, $"has the checksum (CRC-32) {crc.Value:x8} and declares {declared:x8}");
            Files++;
        }

        public void Count(string name, int read)
        {
            cancellation.ThrowIfCancellationRequested();
            bytes += read;
            if (bytes > limits.Bytes) throw Wrong(name, $"brings what comes out over {limits.Bytes} bytes");
            if (bytes > Free && bytes > limits.Ratio * packed)
                throw Wrong(name, $"brings what comes out over {limits.Ratio} times the archive's {packed} bytes");
        }

        // Path of an entry; null for files of macOS, which would be taken for images.
        private string? Place(string name)
        {
            cancellation.ThrowIfCancellationRequested();
            if (++entries > limits.Entries) throw Wrong(name, $"is one more than {limits.Entries} entries");
            string[] parts = name.Replace('\\', '/').Split('/');
            if (name.Length == 0 || name[0] is '/' or '\\' || name.Contains('\0') || parts[0].EndsWith(':')
                || parts[0] is [_, ':', ..]) throw Wrong(name, "has an absolute path or none");
            string place = Path.GetFullPath(Path.Combine([root, .. parts]));
            bool inside = place.StartsWith(root + Path.DirectorySeparatorChar, Ordinal);
            if (parts.Contains("..") || (!inside && place != root)) throw Wrong(name, "leads out of the folder");
            return parts[0] == "__MACOSX" || parts[^1] == ".DS_Store" ? null : place;
        }
    }
}
