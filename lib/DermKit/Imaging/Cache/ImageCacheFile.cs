using System.Buffers.Binary;

namespace DermKit.Imaging;

/// <summary>A cache file: rows in any order, place of each row (int64, little-endian), JSON description, SHA-256 of
/// both, the description's length (int64), a closing mark. A row is width and height of the whole image and of its
/// planes (int32), then the planes. The description is last because the quarantine list is known last; a truncated file
/// thus has no mark.</summary>
internal sealed record ImageCacheFile(string Key, int Files, int Rows, long Bytes, ImageCacheFile.BrokenFile[] Broken)
{
    public const string Version = "DermKit images 3";

    public const int HeadBytes = 16;

    private static ReadOnlySpan<byte> Mark => "DermKit images 3"u8;

    public static ((int Width, int Height) Original, (int Width, int Height) Stored) SizesOf(ReadOnlySpan<byte> row)
    {
        static (int, int) Pair(ReadOnlySpan<byte> from) => (BinaryPrimitives.ReadInt32LittleEndian(from),
            BinaryPrimitives.ReadInt32LittleEndian(from[4..]));
        return (Pair(row), Pair(row[8..]));
    }

    public static void SetSizes(Span<byte> row, (int Width, int Height) original, (int Width, int Height) stored)
    {
        BinaryPrimitives.WriteInt32LittleEndian(row, original.Width);
        BinaryPrimitives.WriteInt32LittleEndian(row[4..], original.Height);
        BinaryPrimitives.WriteInt32LittleEndian(row[8..], stored.Width);
        BinaryPrimitives.WriteInt32LittleEndian(row[12..], stored.Height);
    }

    public sealed record BrokenFile(int Index, string Reason);

    // Reads the description; null if absent, truncated, damaged there or of other inputs.
    public static ImageCacheFile? Open(string path, string key, int files)
    {
        try
        {
            using FileStream stream = Stream(path);
            long end = stream.Length - (Version.Length + 8 + 32);
            if (end < 0) return null;
            byte[] Read(long from, long length)
            {
                stream.Position = from;
                byte[] bytes = new byte[length];
                stream.ReadExactly(bytes);
                return bytes;
            }
            byte[] tail = Read(end, stream.Length - end);
            long length = BinaryPrimitives.ReadInt64LittleEndian(tail.AsSpan(32));
            if (!tail.AsSpan(40).SequenceEqual(Mark) || length < 0 || length > Math.Min(end, 1 << 30)) return null;
            byte[] json = Read(end - length, length);
            ImageCacheFile? found = JsonSerializer.Deserialize<ImageCacheFile>(json);
            if (found is null || found.Key != key || found.Files != files || found.Rows < 0
                || found.Rows + found.Broken.Length != files
                || found.Bytes != end - length - 8L * found.Rows) return null;
            return tail.AsSpan(0, 32).SequenceEqual(Hash(Read(found.Bytes, 8 * found.Rows), json)) ? found : null;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // A new cache may replace the file meanwhile.
    public static FileStream Stream(string path) =>
        new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    // Closes a file whose rows are written at these places.
    public void AppendTo(FileStream stream, IReadOnlyList<long> rows)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(this), places = [.. rows.SelectMany(Little)];
        stream.Position = Bytes;
        stream.Write(places);
        stream.Write(json);
        stream.Write(Hash(places, json));
        stream.Write(Little(json.Length));
        stream.Write(Mark);
        stream.Flush();
        stream.SetLength(stream.Position);
    }

    private static byte[] Little(long number)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes;
    }

    private static byte[] Hash(byte[] places, byte[] json) => SHA256.HashData([.. places, .. json]);
}
