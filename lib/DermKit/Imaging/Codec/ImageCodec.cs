using SkiaSharp;
using System.Buffers;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Width and height in pixels after EXIF orientation, and the encoding found in the bytes, whatever the
/// suffix: Jpeg, Png, Webp, Bmp, Gif.</summary>
public sealed record ImageHeader(int Width, int Height, string Format);

/// <summary>Bounds checked before decoding: width times height, and length of the file in bytes.</summary>
public sealed record DecodeLimits(long MaxPixels = 100_000_000, long MaxFileBytes = 256L << 20)
{
    internal static DecodeLimits Default { get; } = new();
}

/// <summary>Image files to 8-bit RGB and back, by SkiaSharp. As Pillow's convert("RGB"): no colour profiles, alpha
/// dropped, grey repeated, CMYK multiplied out, the high byte of 16 bits. Unlike Pillow, applies EXIF
/// orientation.</summary>
public static class ImageCodec
{
    // Largest pooled buffer in bytes.
    private const int MostPooled = 1 << 25;

    // Versions of decoder and check; others may give other pixels or refuse other files.
    internal static string Version { get; } = $"{typeof(SKCodec).Assembly.GetName()}, JpegCheck 1";

    /// <summary>Size and encoding, from the head of the file.</summary>
    /// <exception cref="ImageUnreadableException">Not a readable image.</exception>
    public static ImageHeader ReadHeader(string path)
    {
        using FileStream stream = OpenFile(path, DecodeLimits.Default);
        using SKCodec codec = SKCodec.Create(stream) ?? throw NoImage(path);
        return HeaderOf(codec);
    }

    /// <summary>Reads and decodes a file.</summary>
    /// <exception cref="ImageUnreadableException">It is missing, broken, truncated or over a limit.</exception>
    public static RgbImage Decode(string path, DecodeLimits? limits = null) =>
        Decode(ReadFile(path, limits), path, limits);

    /// <summary>Decodes a whole file's bytes; <paramref name="path"/> names it in errors.</summary>
    /// <exception cref="ImageUnreadableException">The bytes are broken, truncated or over a limit.</exception>
    public static RgbImage Decode(byte[] bytes, string path = "(bytes)", DecodeLimits? limits = null) =>
        Decode(bytes, path, limits, null, null, out _);

    // A transform, applied by the caller, may ask for a scaled decode (null: full size). beforePixels gets the size
    // before pixels are allocated.
    internal static unsafe RgbImage Decode(byte[] bytes, string path, DecodeLimits? limits, EvalTransform? transform,
        Action<int, int>? beforePixels, out (int Width, int Height) whole)
    {
        limits ??= DecodeLimits.Default;
        if (bytes.Length == 0) throw new ImageUnreadableException(path, "the file is empty");
        fixed (byte* data = bytes)
        {
            using SKData encoded = SKData.Create((nint)data, bytes.Length);
            using SKCodec codec = SKCodec.Create(encoded) ?? throw NoImage(path);
            SKImageInfo stored = codec.Info;
            ImageHeader header = HeaderOf(codec);
            whole = (header.Width, header.Height);
            if ((long)stored.Width * stored.Height > Math.Min(limits.MaxPixels, Array.MaxLength / 4))
                throw new ImageUnreadableException(path,
                    $"declares {stored.Width} x {stored.Height} pixels, over the limit of {limits.MaxPixels}");
            beforePixels?.Invoke(stored.Width, stored.Height);
            SKSizeI size = transform is { ScaledDecode: true } && codec.EncodedOrigin == SKEncodedOrigin.TopLeft
                ? Enough(codec, transform) : stored.Size;
            // No colour space in the target: no profile is applied. Unpremultiplied keeps colour under dropped alpha.
            var target = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888,
                stored.AlphaType == SKAlphaType.Opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul);
            // Fresh pages cost up to a tenth of the decoding, so all but huge images share buffers.
            byte[] pixels = target.BytesSize <= MostPooled ? ArrayPool<byte>.Shared.Rent(target.BytesSize)
                : GC.AllocateUninitializedArray<byte>(target.BytesSize);
            try
            {
                fixed (byte* rgba = pixels)
                {
                    SKCodecResult result = codec.GetPixels(target, (nint)rgba, target.RowBytes, SKCodecOptions.Default);
                    if (result != SKCodecResult.Success)
                        throw new ImageUnreadableException(path,
                            result == SKCodecResult.IncompleteInput ? "the data is cut short or broken"
                                : $"cannot be decoded ({result})");
                    if (codec.EncodedFormat == SKEncodedImageFormat.Jpeg && JpegCheck.Fault(bytes) is { } fault)
                        throw new ImageUnreadableException(path, fault);
                    byte[] rgb = GC.AllocateUninitializedArray<byte>(3 * size.Width * size.Height);
                    DropAlpha(rgba, rgb, size.Width * size.Height);
                    return Orient(new RgbImage(size.Width, size.Height, rgb), codec.EncodedOrigin);
                }
            }
            finally
            {
                if (target.BytesSize <= MostPooled) ArrayPool<byte>.Shared.Return(pixels);
            }
        }
    }

    // The smallest decodable JPEG size not below the resize; full size for other formats.
    private static SKSizeI Enough(SKCodec codec, EvalTransform transform)
    {
        (int width, int height) = transform.ScaledSize(codec.Info.Width, codec.Info.Height);
        for (int eighths = 1; codec.EncodedFormat == SKEncodedImageFormat.Jpeg && eighths < 8; eighths++)
            if (codec.GetScaledDimensions(eighths / 8f) is var size && size.Width >= width && size.Height >= height)
                return size;
        return codec.Info.Size;
    }

    /// <summary>PNG bytes.</summary>
    public static byte[] EncodePng(RgbImage image) => Encode(image, SKEncodedImageFormat.Png, 100);

    /// <summary>Baseline JPEG bytes, 4:2:0; quality 1 to 100.</summary>
    public static byte[] EncodeJpeg(RgbImage image, int quality = 92) =>
        Encode(image, SKEncodedImageFormat.Jpeg, quality);

    internal static byte[] ReadFile(string path, DecodeLimits? limits)
    {
        using FileStream stream = OpenFile(path, limits ?? DecodeLimits.Default);
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)stream.Length);
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (IOException e)
        {
            throw new ImageUnreadableException(path, "cannot be read: " + e.Message, e);
        }
        return bytes;
    }

    internal static FileStream OpenFile(string path, DecodeLimits limits)
    {
        try
        {
            if (Directory.Exists(path)) throw new ImageUnreadableException(path, "is a folder, not a file");
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            string? wrong = stream.Length == 0 ? "the file is empty"
                : stream.Length > Math.Min(limits.MaxFileBytes, Array.MaxLength)
                ? $"has {stream.Length} bytes, over the limit of {limits.MaxFileBytes}" : null;
            if (wrong is null) return stream;
            stream.Dispose();
            throw new ImageUnreadableException(path, wrong);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ImageUnreadableException(path,
                e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file"
                    : "cannot be opened: " + e.Message, e);
        }
    }

    private static ImageUnreadableException NoImage(string path) =>
        new(path, "holds no image that can be read (expected JPEG, PNG, WebP, BMP or GIF)");

    private static ImageHeader HeaderOf(SKCodec codec) => codec.EncodedOrigin >= SKEncodedOrigin.LeftTop
        ? new(codec.Info.Height, codec.Info.Width, codec.EncodedFormat.ToString())
        : new(codec.Info.Width, codec.Info.Height, codec.EncodedFormat.ToString());

    private static unsafe void DropAlpha(byte* rgba, byte[] rgb, int count)
    {
        int i = 0;
        fixed (byte* target = rgb)
        {
            Vector128<byte> order = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
            // 16 bytes are stored for 12 that count; the loop below takes the last pixels.
            for (; i + 6 <= count; i += 4)
                Vector128.Shuffle(Vector128.Load(rgba + 4 * i), order).Store(target + 3 * i);
            for (; i < count; i++)
                (target[3 * i], target[3 * i + 1], target[3 * i + 2]) = (rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
        }
    }

    // EXIF orientation 1 to 8 as the source index of the first target pixel and steps for x and y.
    private static RgbImage Orient(RgbImage image, SKEncodedOrigin origin)
    {
        int w = image.Width, h = image.Height;
        (int start, int dx, int dy) = origin switch
        {
            SKEncodedOrigin.TopRight => (w - 1, -1, w),
            SKEncodedOrigin.BottomRight => (w * h - 1, -1, -w),
            SKEncodedOrigin.BottomLeft => (w * (h - 1), 1, -w),
            SKEncodedOrigin.LeftTop => (0, w, 1),
            SKEncodedOrigin.RightTop => (w * (h - 1), -w, 1),
            SKEncodedOrigin.RightBottom => (w * h - 1, -w, -1),
            SKEncodedOrigin.LeftBottom => (w - 1, w, -1),
            _ => (0, 1, w),
        };
        if ((start, dx, dy) == (0, 1, w)) return image;
        (int width, int height) = origin >= SKEncodedOrigin.LeftTop ? (h, w) : (w, h);
        byte[] source = image.Pixels, target = GC.AllocateUninitializedArray<byte>(source.Length);
        for (int y = 0, to = 0; y < height; y++)
            for (int x = 0, from = 3 * (start + y * dy); x < width; x++, from += 3 * dx, to += 3)
                (target[to], target[to + 1], target[to + 2]) = (source[from], source[from + 1], source[from + 2]);
        return new(width, height, target);
    }

    private static unsafe byte[] Encode(RgbImage image, SKEncodedImageFormat format, int quality)
    {
        var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        byte[] rgba = ArrayPool<byte>.Shared.Rent(info.BytesSize);
        try
        {
            for (int i = 0, from = 0; from < image.Pixels.Length; i += 4, from += 3)
                (rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + 3]) = (image.Pixels[from], image.Pixels[from + 1],
                    image.Pixels[from + 2], 255);
            fixed (byte* pixels = rgba)
            {
                using var map = new SKPixmap(info, (nint)pixels, info.RowBytes);
                using SKData data = map.Encode(format, quality)
                    ?? throw new InvalidOperationException(
                        $"{format} cannot encode {image.Width} x {image.Height} pixels.");
                return data.ToArray();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rgba);
        }
    }
}
