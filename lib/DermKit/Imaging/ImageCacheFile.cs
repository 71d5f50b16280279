using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

namespace DermKit.Imaging;

/// <summary>
/// Layout of a cache file: rows of bytes (planes, then width and height of the whole picture, int32 little-endian), then a JSON description, its SHA-256, its length (int64, little-endian) and a closing mark.
/// The description stands last because the quarantine list is known last; a file cut short therefore has no mark.
/// </summary>
internal sealed record ImageCacheFile(string Key, int Files, int Rows, int RowBytes, ImageCacheFile.BrokenFile[] Broken)
{
    public const string Version = "DermKit images 2";

    private const int SizeBytes = 8;

    /// <summary>Length of a row.</summary>
    public static int BytesOf(EvalTransform transform) => 3 * transform.Crop * transform.Crop + SizeBytes;

    /// <summary>Width and height of the picture that a row was made of.</summary>
    public static (int Width, int Height) SizeOf(ReadOnlySpan<byte> row) => (BinaryPrimitives.ReadInt32LittleEndian(row[^SizeBytes..]), BinaryPrimitives.ReadInt32LittleEndian(row[^4..]));

    /// <summary>Writes what <see cref="SizeOf"/> reads.</summary>
    public static void SetSize(Span<byte> row, (int Width, int Height) size)
    {
        BinaryPrimitives.WriteInt32LittleEndian(row[^SizeBytes..], size.Width);
        BinaryPrimitives.WriteInt32LittleEndian(row[^4..], size.Height);
    }

    /// <summary>A path that has no row.</summary>
    public sealed record BrokenFile(int Index, string Reason);

    /// <summary>Reads the description; null when the file is absent, cut short, damaged there, or not the one expected.</summary>
    public static ImageCacheFile? Open(string path, string key, int files, int rowBytes)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            Span<byte> tail = stackalloc byte[Version.Length + 8 + 32];
            if (stream.Length < tail.Length) return null;
            stream.Position = stream.Length - tail.Length;
            stream.ReadExactly(tail);
            long length = BinaryPrimitives.ReadInt64LittleEndian(tail[32..]);
            if (!tail[40..].SequenceEqual(Mark) || length < 0 || length > stream.Length - tail.Length || length > 1 << 30) return null;
            byte[] json = new byte[length];
            stream.Position = stream.Length - tail.Length - length;
            long data = stream.Position;
            stream.ReadExactly(json);
            if (!tail[..32].SequenceEqual(SHA256.HashData(json))) return null;
            ImageCacheFile? found = JsonSerializer.Deserialize<ImageCacheFile>(json);
            return found is not null && found.Key == key && found.Files == files && found.RowBytes == rowBytes
                && found.Rows + found.Broken.Length == files && data == (long)found.Rows * rowBytes ? found : null;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Closes a file whose rows are written.</summary>
    public void AppendTo(FileStream stream)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(this), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        stream.Position = (long)Rows * RowBytes;
        stream.Write(json);
        stream.Write(SHA256.HashData(json));
        stream.Write(length);
        stream.Write(Mark);
        stream.Flush();
        stream.SetLength(stream.Position);
    }

    private static ReadOnlySpan<byte> Mark => "DermKit images 2"u8;
}
