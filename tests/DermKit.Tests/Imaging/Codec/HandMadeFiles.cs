using System.Buffers.Binary;
using System.IO.Compression;

namespace DermKit.Tests.Imaging;

/// <summary>Image files of the kinds that no encoder at hand writes, byte by byte.</summary>
internal static class HandMadeFiles
{
    /// <summary>A PNG of any colour type (0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA) and
    /// depth from its raw rows.</summary>
    public static byte[] Png(int width, int height, int depth, int colorType, byte[] rows, byte[]? palette = null,
        byte[]? transparency = null)
    {
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = (byte)depth;
        header[9] = (byte)colorType;
        int rowBytes = rows.Length / Math.Max(height, 1);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            for (int at = 0; at + rowBytes <= rows.Length && rowBytes > 0; at += rowBytes)
            {
                zlib.WriteByte(0);
                zlib.Write(rows, at, rowBytes);
            }
        return
        [
            0x89, .. "PNG\r\n"u8, 0x1A, 0x0A, .. Chunk("IHDR"u8, header),
            .. palette is null ? [] : Chunk("PLTE"u8, palette),
            .. transparency is null ? [] : Chunk("tRNS"u8, transparency),
            .. Chunk("IDAT"u8, packed.ToArray()), .. Chunk("IEND"u8, []),
        ];
    }

    /// <summary>An 8 x 8 baseline JPEG of one flat colour with one to four components, whose decoded samples are
    /// exactly the given values.</summary>
    public static byte[] FlatJpeg(byte[] samples, bool adobe)
    {
        int n = samples.Length;
        byte[] components = [.. Enumerable.Range(1, n).Select(i => (byte)i)];
        // Twelve DC codes of 4 bits, code = category; one AC code of 1 bit, the end of the block.
        byte[] tables = [0x00, 0, 0, 0, 12, .. new byte[12], .. Enumerable.Range(0, 12).Select(i => (byte)i), 0x10, 1,
            .. new byte[15], 0x00];
        string bits = string.Concat(samples.Select(sample =>
        {
            int value = 8 * (sample - 128), category = 32 - int.LeadingZeroCount(Math.Abs(value));
            int magnitude = value < 0 ? value + (1 << category) - 1 : value;
            return $"{category:b4}{(category == 0 ? "" : Convert.ToString(magnitude, 2).PadLeft(category, '0'))}0";
        }));
        bits = bits.PadRight((bits.Length + 7) / 8 * 8, '1');
        byte[] scan = [.. Enumerable.Range(0, bits.Length / 8).Select(i => Convert.ToByte(bits.Substring(8 * i, 8), 2))
            .SelectMany(b => b == 0xFF ? new byte[] { 0xFF, 0 } : [b])];
        return
        [
            0xFF, 0xD8, .. adobe ? Segment(0xEE, [.. "Adobe"u8, 0, 100, 0, 0, 0, 0, 0]) : [],
            .. Segment(0xDB, [0, .. Enumerable.Repeat((byte)1, 64)]),
            .. Segment(0xC0, [8, 0, 8, 0, 8, (byte)n, .. components.SelectMany(c => new byte[] { c, 0x11, 0 })]),
            .. Segment(0xC4, tables),
            .. Segment(0xDA, [(byte)n, .. components.SelectMany(c => new byte[] { c, 0 }), 0, 63, 0]),
            .. scan, 0xFF, 0xD9,
        ];
    }

    /// <summary>Puts an EXIF orientation into a JPEG.</summary>
    public static byte[] WithOrientation(byte[] jpeg, int orientation) =>
    [
        .. jpeg[..2],
    .. Segment(0xE1,
        [.. "Exif\0\0MM\0*\0\0\0\b"u8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0]),
    .. jpeg[2..],
    ];

    /// <summary>Overwrites the size that a JPEG declares.</summary>
    public static byte[] WithDeclaredSize(byte[] jpeg, ushort width, ushort height)
    {
        byte[] copy = [.. jpeg];
        int at = 2;
        while (copy[at + 1] is not (0xC0 or 0xC2)) at += 2 + BinaryPrimitives.ReadUInt16BigEndian(copy.AsSpan(at + 2));
        BinaryPrimitives.WriteUInt16BigEndian(copy.AsSpan(at + 5), height);
        BinaryPrimitives.WriteUInt16BigEndian(copy.AsSpan(at + 7), width);
        return copy;
    }

    private static byte[] Segment(byte marker, byte[] content) => [0xFF, marker, (byte)((content.Length + 2) >> 8),
        (byte)(content.Length + 2), .. content];

    private static byte[] Chunk(ReadOnlySpan<byte> type, byte[] content)
    {
        byte[] chunk = [0, 0, 0, 0, .. type, .. content, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        uint crc = uint.MaxValue;
        foreach (byte b in chunk.AsSpan(4, content.Length + 4))
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), ~crc);
        return chunk;
    }
}
