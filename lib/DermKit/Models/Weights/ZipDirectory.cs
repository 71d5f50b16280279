using System.Buffers.Binary;
using System.Text;

namespace DermKit.Models;

/// <summary>One file of a zip archive.</summary>
/// <param name="Name">Path in the archive.</param>
/// <param name="Offset">First byte of its content, counted from the start of the archive.</param>
/// <param name="Length">Length in bytes as it lies in the archive.</param>
/// <param name="IsStored">False when it is compressed.</param>
internal sealed record ZipItem(string Name, long Offset, long Length, bool IsStored);

/// <summary>
/// The directory of a zip archive (PKWARE's APPNOTE, zip64 included), for files that lie in it uncompressed: where each begins, so that tensors are
/// read from there without a copy. Nothing is ever inflated. Check sums are not looked at: a file's SHA-256 says more.
/// </summary>
internal static class ZipDirectory
{
    private const int EndSize = 22, CommentCap = 65_535, DirectoryCap = 100_000_000, ItemCap = 200_000;

    /// <summary>All files of an archive, by name.</summary>
    /// <exception cref="KitException">A rule of the format is broken.</exception>
    public static Dictionary<string, ZipItem> Read(FileStream stream, Func<string, KitException> broken)
    {
        (long start, long size, long count) = FindDirectory(stream, broken);
        if (count > ItemCap || size > DirectoryCap) throw broken($"its directory lists {count} files in {size} bytes, over the cap of {ItemCap} and {DirectoryCap}");
        byte[] directory = Bytes(stream, start, size, "the zip directory", broken);
        var items = new Dictionary<string, ZipItem>(StringComparer.Ordinal);
        long at = 0, total = 0;
        for (long i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = directory.AsSpan((int)at);
            if (entry.Length < 46 || U32(entry, 0) != 0x02014b50) throw broken($"entry {i} of the zip directory is not one");
            int name = U16(entry, 28), extra = U16(entry, 30), comment = U16(entry, 32);
            if (entry.Length < 46 + name + extra + comment) throw broken($"entry {i} of the zip directory is cut");
            string key = Encoding.UTF8.GetString(entry.Slice(46, name)), shown = Printable.Of(key);
            if ((U16(entry, 8) & 1) != 0) throw broken($"'{shown}' is encrypted");
            long packed = U32(entry, 20), full = U32(entry, 24), local = U32(entry, 42);
            Widen(entry.Slice(46 + name, extra), ref full, ref packed, ref local, shown, broken);
            bool isStored = U16(entry, 10) == 0;
            if (isStored && packed != full)
                throw broken($"'{shown}' is stored, but its two lengths {packed} and {full} differ");
            long content = Content(stream, local, entry.Slice(46, name), shown, broken);
            if (packed < 0 || content > stream.Length - packed)
                throw broken($"'{shown}' spans {packed} bytes from byte {content}, beyond the end of the file");
            if (!items.TryAdd(key, new(key, content, packed, isStored)))
                throw broken($"'{shown}' is in the zip directory twice");
            at += 46 + name + extra + comment;
            total += packed;
            if (total > stream.Length) throw broken("its files lie over each other: together they are longer than the archive");
        }
        return items;
    }

    /// <summary>A file's content.</summary>
    public static byte[] Content(FileStream stream, ZipItem item, Func<string, KitException> broken) =>
        Bytes(stream, item.Offset, item.Length, $"'{Printable.Of(item.Name)}'", broken);

    private static (long Start, long Size, long Count) FindDirectory(FileStream stream, Func<string, KitException> broken)
    {
        long tail = Math.Min(stream.Length, EndSize + CommentCap);
        byte[] end = Bytes(stream, stream.Length - tail, tail, "the end of the file", broken);
        int at = end.Length - EndSize;
        while (at >= 0 && !(U32(end, at) == 0x06054b50 && at + EndSize + U16(end, at + 20) == end.Length)) at--;
        if (at < 0) throw broken("a zip archive without its directory at the end, so it is cut");
        (long start, long size, long count) = (U32(end, at + 16), U32(end, at + 12), U16(end, at + 10));
        long position = stream.Length - tail + at;
        if (at >= 20 && U32(end, at - 20) == 0x07064b50)
        {
            long wide = I64(end, at - 12);
            if (wide < 0 || wide > position - 56) throw broken("its zip64 record lies beyond the end of the file");
            byte[] record = Bytes(stream, wide, 56, "the zip64 record", broken);
            if (U32(record, 0) != 0x06064b50) throw broken("its zip64 record is not one");
            (count, size, start) = (I64(record, 32), I64(record, 40), I64(record, 48));
        }
        if (start < 0 || size < 0 || count < 0 || size > position || start > position - size) throw broken("its directory lies beyond the end of the file");
        return (start, size, count);
    }

    /// <summary>First byte of a file's content: behind its local header, which must bear the same name.</summary>
    private static long Content(
        FileStream stream, long local, ReadOnlySpan<byte> name, string shown, Func<string, KitException> broken)
    {
        byte[] header = Bytes(stream, local, 30 + name.Length, $"the header of '{shown}'", broken);
        if (U32(header, 0) != 0x04034b50) throw broken($"'{shown}' has no header of its own at byte {local}");
        if (U16(header, 26) != name.Length || !name.SequenceEqual(header.AsSpan(30)))
            throw broken($"'{shown}' has another name in its own header");
        return local + header.Length + U16(header, 28);
    }

    /// <summary>Takes numbers over 32 bits from the zip64 field.</summary>
    private static void Widen(
        ReadOnlySpan<byte> extra, ref long full, ref long packed, ref long local, string shown,
        Func<string, KitException> broken)
    {
        while (extra.Length >= 4)
        {
            int length = U16(extra, 2);
            if (extra.Length < 4 + length) throw broken($"'{shown}' has an extra field that is cut");
            ReadOnlySpan<byte> field = extra.Slice(4, length);
            if (U16(extra, 0) == 1)
            {
                Take(ref full, ref field);
                Take(ref packed, ref field);
                Take(ref local, ref field);
            }
            extra = extra[(4 + length)..];
        }
        static void Take(ref long value, ref ReadOnlySpan<byte> field)
        {
            if (value != uint.MaxValue || field.Length < 8) return;
            value = I64(field, 0);
            field = field[8..];
        }
    }

    private static byte[] Bytes(FileStream stream, long position, long length, string what, Func<string, KitException> broken)
    {
        if (length > stream.Length || position < 0 || position > stream.Length - length) throw broken($"{what} lies beyond the end of the file");
        if (length > Array.MaxLength) throw broken($"{what} has {length} bytes, over the cap of {Array.MaxLength}");
        byte[] bytes = new byte[length];
        for (int done = 0, read; done < length; done += read)
            if ((read = RandomAccess.Read(stream.SafeFileHandle, bytes.AsSpan(done), position + done)) == 0) throw broken($"{what} was cut while it was read");
        return bytes;
    }

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
