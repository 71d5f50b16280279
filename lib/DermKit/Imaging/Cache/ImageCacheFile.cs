using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

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
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete);
            Span<byte> tail = stackalloc byte[Version.Length + 8 + 32];
            if (stream.Length < tail.Length) return null;
            stream.Position = stream.Length - tail.Length;
            stream.ReadExactly(tail);
            long length = BinaryPrimitives.ReadInt64LittleEndian(tail[32..]);
            if (!tail[40..].SequenceEqual(Mark) || length < 0 || length > stream.Length - tail.Length
                || length > 1 << 30) return null;
            byte[] json = new byte[length];
            stream.Position = stream.Length - tail.Length - length;
            stream.ReadExactly(json);
            ImageCacheFile? found = JsonSerializer.Deserialize<ImageCacheFile>(json);
            if (found is null || found.Key != key || found.Files != files || found.Rows < 0
                || found.Rows + found.Broken.Length != files
                || found.Bytes != stream.Length - tail.Length - length - 8L * found.Rows) return null;
            byte[] places = new byte[8 * found.Rows];
            stream.Position = found.Bytes;
            stream.ReadExactly(places);
            return tail[..32].SequenceEqual(Hash(places, json)) ? found : null;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Closes a file whose rows are written at these places.
    public void AppendTo(FileStream stream, IReadOnlyList<long> rows)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(this), places = new byte[8 * rows.Count],
            length = new byte[8];
        for (int i = 0; i < rows.Count; i++) BinaryPrimitives.WriteInt64LittleEndian(places.AsSpan(8 * i), rows[i]);
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        stream.Position = Bytes;
        stream.Write(places);
        stream.Write(json);
        stream.Write(Hash(places, json));
        stream.Write(length);
        stream.Write(Mark);
        stream.Flush();
        stream.SetLength(stream.Position);
    }

    private static byte[] Hash(byte[] places, byte[] json)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(places);
        hash.AppendData(json);
        return hash.GetHashAndReset();
    }
}
