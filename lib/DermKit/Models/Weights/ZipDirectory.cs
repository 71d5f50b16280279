using System.Buffers.Binary;

namespace DermKit.Models;

internal sealed record ZipItem(string Name, long Offset, long Length, bool IsStored);

/// <summary>Finds where the uncompressed files of a zip archive (PKWARE's APPNOTE, zip64) begin, so that tensors are
/// read without a copy; System.IO.Compression does not tell. Checksums are not read.</summary>
internal sealed class ZipDirectory(FileStream stream, Func<string, KitException> broken)
{
    private const int EndSize = 22, CommentCap = 65_535, DirectoryCap = 100_000_000, ItemCap = 200_000;

    public Dictionary<string, ZipItem> Read()
    {
        (long start, long size, long count) = FindDirectory();
        if (count > ItemCap || size > DirectoryCap)
            throw broken($"its directory lists {count} files in {size} bytes, over the cap of {ItemCap} and "
                + $"{DirectoryCap}");
        byte[] directory = Bytes(start, size, "the zip directory");
        var items = new Dictionary<string, ZipItem>();
        long at = 0, total = 0;
        for (long i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = directory.AsSpan((int)at);
            if (entry.Length < 46 || U32(entry, 0) != 0x02014b50)
                throw broken($"entry {i} of the zip directory is not one");
            int name = U16(entry, 28), extra = U16(entry, 30), length = 46 + name + extra + U16(entry, 32);
            if (entry.Length < length) throw broken($"entry {i} of the zip directory is cut");
            ZipItem item = Item(entry, entry.Slice(46, name), entry.Slice(46 + name, extra));
            if (!items.TryAdd(item.Name, item))
                throw broken($"'{Printable.Of(item.Name)}' is in the zip directory twice");
            at += length;
            total += item.Length;
            if (total > stream.Length)
                throw broken("its files lie over each other: together they are longer than the archive");
        }
        return items;
    }

    public byte[] Content(ZipItem item) => Bytes(item.Offset, item.Length, $"'{Printable.Of(item.Name)}'");

    private ZipItem Item(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> name, ReadOnlySpan<byte> extra)
    {
        string key = Encoding.UTF8.GetString(name), shown = Printable.Of(key);
        if ((U16(entry, 8) & 1) != 0) throw broken($"'{shown}' is encrypted");
        long packed = U32(entry, 20), full = U32(entry, 24), local = U32(entry, 42);
        Widen(extra, ref full, ref packed, ref local, shown);
        bool isStored = U16(entry, 10) == 0;
        if (isStored && packed != full)
            throw broken($"'{shown}' is stored, but its two lengths {packed} and {full} differ");
        // A header with the same name precedes the content.
        byte[] header = Bytes(local, 30 + name.Length, $"the header of '{shown}'");
        if (U32(header, 0) != 0x04034b50) throw broken($"'{shown}' has no header of its own at byte {local}");
        if (U16(header, 26) != name.Length || !name.SequenceEqual(header.AsSpan(30)))
            throw broken($"'{shown}' has another name in its own header");
        long content = local + header.Length + U16(header, 28);
        if (packed < 0 || content > stream.Length - packed)
            throw broken($"'{shown}' spans {packed} bytes from byte {content}, beyond the end of the file");
        return new(key, content, packed, isStored);
    }

    private (long Start, long Size, long Count) FindDirectory()
    {
        long tail = Math.Min(stream.Length, EndSize + CommentCap);
        byte[] end = Bytes(stream.Length - tail, tail, "the end of the file");
        int at = end.Length - EndSize;
        while (at >= 0 && !(U32(end, at) == 0x06054b50 && at + EndSize + U16(end, at + 20) == end.Length)) at--;
        if (at < 0) throw broken("a zip archive without its directory at the end, so it is cut");
        long start = U32(end, at + 16), size = U32(end, at + 12), count = U16(end, at + 10),
            position = stream.Length - tail + at;
        if (at >= 20 && U32(end, at - 20) == 0x07064b50)
        {
            long wide = I64(end, at - 12);
            if (wide < 0 || wide > position - 56) throw broken("its zip64 record lies beyond the end of the file");
            byte[] record = Bytes(wide, 56, "the zip64 record");
            if (U32(record, 0) != 0x06064b50) throw broken("its zip64 record is not one");
            count = I64(record, 32);
            size = I64(record, 40);
            start = I64(record, 48);
        }
        if (start < 0 || size < 0 || count < 0 || size > position || start > position - size)
            throw broken("its directory lies beyond the end of the file");
        return (start, size, count);
    }

    // Numbers over 32 bits, from the zip64 field.
    private void Widen(ReadOnlySpan<byte> extra, ref long full, ref long packed, ref long local, string shown)
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

    private byte[] Bytes(long position, long length, string what)
    {
        if (length > stream.Length || position < 0 || position > stream.Length - length)
            throw broken($"{what} lies beyond the end of the file");
        if (length > Array.MaxLength) throw broken($"{what} has {length} bytes, over the cap of {Array.MaxLength}");
        byte[] bytes = new byte[length];
        for (int done = 0; done < length;)
        {
            int read = RandomAccess.Read(stream.SafeFileHandle, bytes.AsSpan(done), position + done);
            if (read == 0) throw broken($"{what} was cut while it was read");
            done += read;
        }
        return bytes;
    }

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
