using System.Formats.Tar;
using System.IO.Compression;

namespace DermKit.Data;

/// <summary>What an archive may hold before unpacking stops.</summary>
/// <param name="Entries">Files and folders.</param>
/// <param name="Bytes">Bytes of all files, as they come out.</param>
/// <param name="Ratio">Bytes that come out over bytes of the archive; counted from 16 MiB on.</param>
public sealed record ArchiveLimits(int Entries = 500_000, long Bytes = 256L << 30, double Ratio = 100);

/// <summary>Unpacks .zip, .tar, .tar.gz and .tgz files that nobody vouches for: capped, and no entry leaves the folder.</summary>
public static class Archive
{
    private const long Free = 16 << 20;

    /// <summary>Unpacks into a folder. Everything is unpacked beside it first and then moved in by rename: what is wrong leaves the folder as it was.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="folder">Made when absent; nothing in it is written over.</param>
    /// <param name="limits">Caps.</param>
    /// <param name="cancellation">Stops; the folder is as it was.</param>
    /// <returns>Number of files.</returns>
    /// <exception cref="KitException">The archive is broken or of another kind, over a cap, has an entry that would leave the folder or is no plain file or folder, has a name twice, or would write over something; the entry is named. Or the disk is full.</exception>
    public static int Unpack(string path, string folder, ArchiveLimits? limits = null, CancellationToken cancellation = default)
    {
        if (!File.Exists(path)) throw new KitException($"{path}: expected an archive, found none.");
        string target = Path.GetFullPath(folder), temporary = Path.Combine(target, $".unpack-{Guid.NewGuid():N}.tmp");
        Directory.CreateDirectory(target);
        // What a killed run left behind would be taken for pictures of the set.
        foreach (string left in Directory.GetDirectories(target, ".unpack-*.tmp").Where(d => Directory.GetLastWriteTimeUtc(d) < DateTime.UtcNow.AddHours(-1)))
            Directory.Delete(left, recursive: true);
        Directory.CreateDirectory(temporary);
        try
        {
            var writer = new Writer(path, temporary, limits ?? new(), cancellation);
            try
            {
                if (path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase)) Zip(path, writer);
                else if (path.EndsWith(".tar.gz", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".tgz", StringComparison.OrdinalIgnoreCase))
                {
                    using var zipped = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
                    Tar(zipped, writer);
                }
                else if (path.EndsWith(".tar", StringComparison.OrdinalIgnoreCase))
                {
                    using FileStream plain = File.OpenRead(path);
                    Tar(plain, writer);
                }
                else throw new KitException($"{path}: expected .zip, .tar, .tar.gz or .tgz; unpack it by hand into {target}.");
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException or NotSupportedException or ArgumentException or FormatException)
            {
                throw new KitException($"{path}: the archive is broken, or of a kind that is not read ({e.Message}); fetch it again, or unpack it by hand.", e);
            }
            catch (IOException e)
            {
                throw new KitException($"{path}: cannot be unpacked into {target} ({e.Message}); the folder is as it was. Make room or let it be written, and try again.", e);
            }
            string[] entries = [.. Directory.GetFileSystemEntries(temporary).Select(e => Path.GetFileName(e)!)];
            if (entries.FirstOrDefault(e => Path.Exists(Path.Combine(target, e))) is { } there)
                throw new KitException($"{Path.Combine(target, there)}: is there already, and the archive {Path.GetFileName(path)} has it too; move it away, then unpack again.");
            foreach (string entry in entries) Directory.Move(Path.Combine(temporary, entry), Path.Combine(target, entry));
            return writer.Files;
        }
        finally
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    private static void Zip(string path, Writer writer)
    {
        using ZipArchive zip = ZipFile.OpenRead(path);
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            // The upper half holds Unix file modes: a link is an entry whose text is where it leads.
            int kind = entry.ExternalAttributes >> 16 & 0xF000;
            if (kind is not (0 or 0x8000 or 0x4000)) throw writer.Wrong(entry.FullName, "is no plain file or folder, but a link or device");
            if (entry.IsEncrypted) throw writer.Wrong(entry.FullName, "is encrypted");
            if (entry.FullName.EndsWith('/') || entry.FullName.EndsWith('\\')) writer.Folder(entry.FullName);
            else
            {
                using Stream content = entry.Open();
                writer.File(entry.FullName, content);
            }
        }
    }

    private static void Tar(Stream stream, Writer writer)
    {
        using var tar = new TarReader(stream);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) continue;
            if (entry.EntryType is TarEntryType.Directory) writer.Folder(entry.Name);
            else if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile) writer.File(entry.Name, entry.DataStream ?? Stream.Null);
            else throw writer.Wrong(entry.Name, $"is no plain file or folder, but {entry.EntryType}");
        }
    }

    private sealed class Writer(string archive, string root, ArchiveLimits limits, CancellationToken cancellation)
    {
        private readonly HashSet<string> seen = new(StringComparer.Ordinal);
        private readonly long packed = new FileInfo(archive).Length;
        private long bytes;
        private int entries;

        public int Files { get; private set; }

        public KitException Wrong(string entry, string what) => new($"{archive}, entry '{entry}': {what}; nothing was unpacked. Get the archive from its publisher, or unpack what you trust by hand.");

        public void Folder(string name)
        {
            if (Place(name) is { } place) Directory.CreateDirectory(place);
        }

        public void File(string name, Stream content)
        {
            if (Place(name) is not { } place) return;
            if (!seen.Add(place)) throw Wrong(name, "stands in the archive twice");
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            using var file = new FileStream(place, FileMode.CreateNew, FileAccess.Write);
            byte[] buffer = new byte[1 << 17];
            for (int read; (read = content.Read(buffer)) > 0; file.Write(buffer, 0, read))
            {
                cancellation.ThrowIfCancellationRequested();
                bytes += read;
                if (bytes > limits.Bytes) throw Wrong(name, $"brings what comes out over {limits.Bytes} bytes");
                if (bytes > Free && bytes > limits.Ratio * packed) throw Wrong(name, $"brings what comes out over {limits.Ratio} times the archive's {packed} bytes");
            }
            Files++;
        }

        /// <summary>Where an entry goes, or null for the leftovers of macOS, which would be taken for pictures.</summary>
        private string? Place(string name)
        {
            cancellation.ThrowIfCancellationRequested();
            if (++entries > limits.Entries) throw Wrong(name, $"is one more than {limits.Entries} entries");
            string[] parts = name.Replace('\\', '/').Split('/');
            if (name.Length == 0 || name[0] is '/' or '\\' || name.Contains('\0') || parts[0].EndsWith(':') || parts[0] is [_, ':', ..]) throw Wrong(name, "has an absolute path or none");
            if (parts.Contains("..")) throw Wrong(name, "leads out of the folder");
            if (parts[0] == "__MACOSX" || parts[^1] == ".DS_Store") return null;
            string place = Path.GetFullPath(Path.Combine([root, .. parts]));
            return place.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal) || place == root ? place : throw Wrong(name, "leads out of the folder");
        }
    }
}
