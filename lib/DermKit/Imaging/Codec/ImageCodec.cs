using SkiaSharp;
using System.Buffers;
using System.Numerics;
using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>What an image file says of itself before it is decoded.</summary>
/// <param name="Width">Pixels in a row, after the EXIF orientation.</param>
/// <param name="Height">Rows, after the EXIF orientation.</param>
/// <param name="Format">Encoding found in the bytes, whatever the suffix says: Jpeg, Png, Webp, Bmp, Gif.</param>
public sealed record ImageHeader(int Width, int Height, string Format);

/// <summary>Bounds that a file must keep before a byte of it is decoded.</summary>
/// <param name="MaxPixels">Width times height; the default is a 100-megapixel photograph.</param>
/// <param name="MaxFileBytes">Length of the file.</param>
public sealed record DecodeLimits(long MaxPixels = 100_000_000, long MaxFileBytes = 256L << 20)
{
    internal static DecodeLimits Default { get; } = new();
}

/// <summary>
/// Image files to 8-bit RGB and back (SkiaSharp behind this one type). As Pillow's convert("RGB"): colour profiles are not applied,
/// alpha is dropped, grey is repeated, CMYK is multiplied out, 16 bits keep the high byte. Unlike Pillow, the EXIF orientation is applied.
/// </summary>
public static class ImageCodec
{
    /// <summary>Buffers up to this many bytes are kept for the next image.</summary>
    private const int MostPooled = 1 << 25;

    /// <summary>
    /// The decoder, its version and that of the check beside it; other ones may give other pixels or refuse other
    /// files.
    /// </summary>
    internal static string Version { get; } = $"{typeof(SKCodec).Assembly.GetName()}, JpegCheck 1";

    /// <summary>Size and encoding, from the head of the file only.</summary>
    /// <exception cref="ImageUnreadableException">No readable file, or no image.</exception>
    public static ImageHeader ReadHeader(string path)
    {
        using FileStream stream = OpenFile(path, DecodeLimits.Default);
        using SKCodec codec = SKCodec.Create(stream) ?? throw NoImage(path);
        return HeaderOf(codec);
    }

    /// <summary>Reads and decodes a file.</summary>
    /// <exception cref="ImageUnreadableException">The file is missing, broken, cut short or over a limit; the message has the path and the reason.</exception>
    public static RgbImage Decode(string path, DecodeLimits? limits = null) => Decode(ReadFile(path, limits), path, limits);

    /// <summary>Decodes the bytes of a file.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="path">Name for error messages.</param>
    /// <param name="limits">Bounds checked before decoding.</param>
    /// <exception cref="ImageUnreadableException">The bytes are broken, cut short or over a limit.</exception>
    public static unsafe RgbImage Decode(byte[] bytes, string path = "(bytes)", DecodeLimits? limits = null)
    {
        RgbImage? image = null;
        Pixels(bytes, path, limits ?? DecodeLimits.Default, null, null, (rgba, width, height, origin) => image = Image(rgba, width, height, origin));
        return image!;
    }

    /// <summary>Decodes, resizes and crops into planes.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="path">Name for error messages.</param>
    /// <param name="limits">Bounds checked before decoding.</param>
    /// <param name="beforePixels">Hears the size before the memory for it is taken.</param>
    /// <param name="transform">Applied to the image.</param>
    /// <param name="planes">Gives the bytes for planes of a size.</param>
    /// <returns>Width and height of the whole image, after the EXIF orientation.</returns>
    /// <exception cref="ImageUnreadableException">The bytes are broken, cut short or over a limit.</exception>
    internal static unsafe (int Width, int Height) DecodePlanes(byte[] bytes, string path, DecodeLimits limits, Action<int, int> beforePixels, EvalTransform transform, PlanesRoom planes) =>
        Pixels(bytes, path, limits, beforePixels, transform, (rgba, width, height, origin) =>
        {
            if (origin == SKEncodedOrigin.TopLeft && EvalPass.Fits(transform, width, height)) EvalPass.Planes(rgba, width, height, transform, planes(transform.ResultSize(width, height)));
            else
            {
                RgbImage result = transform.Apply(Image(rgba, width, height, origin));
                result.ToPlanes(planes((result.Width, result.Height)));
            }
        });

    /// <summary>3 x W x H bytes for planes of this size.</summary>
    internal delegate Span<byte> PlanesRoom((int Width, int Height) size);

    /// <summary>Pixels of four bytes, valid during the call, with <see cref="EvalPass.Slack"/> bytes behind them.</summary>
    private unsafe delegate void UsePixels(byte* rgba, int width, int height, SKEncodedOrigin origin);

    private static unsafe (int Width, int Height) Pixels(byte[] bytes, string path, DecodeLimits limits, Action<int, int>? beforePixels, EvalTransform? transform, UsePixels use)
    {
        if (bytes.Length == 0) throw new ImageUnreadableException(path, "the file is empty");
        fixed (byte* data = bytes)
        {
            using SKData encoded = SKData.Create((nint)data, bytes.Length);
            using SKCodec codec = SKCodec.Create(encoded) ?? throw NoImage(path);
            SKImageInfo stored = codec.Info;
            if ((long)stored.Width * stored.Height > Math.Min(limits.MaxPixels, (Array.MaxLength - EvalPass.Slack) / 4))
                throw new ImageUnreadableException(path, $"declares {stored.Width} x {stored.Height} pixels, over the limit of {limits.MaxPixels}");
            beforePixels?.Invoke(stored.Width, stored.Height);
            // Without a colour space in the target no profile is applied; unpremultiplied keeps the colour under the alpha that is dropped.
            SKSizeI size = transform is { ScaledDecode: true } && codec.EncodedOrigin == SKEncodedOrigin.TopLeft ? Enough(codec, transform) : stored.Size;
            var target = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, stored.AlphaType == SKAlphaType.Opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul);
            int length = size.Width * size.Height * 4 + EvalPass.Slack;
            // Pages of fresh memory cost as much as a tenth of the decoding, so all but huge images share buffers.
            byte[] pixels = length <= MostPooled ? ArrayPool<byte>.Shared.Rent(length) : GC.AllocateUninitializedArray<byte>(length);
            try
            {
                fixed (byte* rgba = pixels)
                {
                    SKCodecResult result = codec.GetPixels(target, (nint)rgba, target.RowBytes, SKCodecOptions.Default);
                    if (result != SKCodecResult.Success)
                        throw new ImageUnreadableException(path, result == SKCodecResult.IncompleteInput ? "the data is cut short or broken" : $"cannot be decoded ({result})");
                    if (codec.EncodedFormat == SKEncodedImageFormat.Jpeg && JpegCheck.Fault(bytes) is { } fault)
                        throw new ImageUnreadableException(path, fault);
                    use(rgba, size.Width, size.Height, codec.EncodedOrigin);
                    return codec.EncodedOrigin >= SKEncodedOrigin.LeftTop ? (stored.Height, stored.Width) : (stored.Width, stored.Height);
                }
            }
            finally
            {
                if (length <= MostPooled) ArrayPool<byte>.Shared.Return(pixels);
            }
        }
    }

    /// <summary>The smallest size that a JPEG can be decoded at and that still has to shrink; the size of the image for other formats.</summary>
    private static SKSizeI Enough(SKCodec codec, EvalTransform transform)
    {
        (int width, int height) = transform.ScaledSize(codec.Info.Width, codec.Info.Height);
        for (int eighths = 1; codec.EncodedFormat == SKEncodedImageFormat.Jpeg && eighths < 8; eighths++)
            if (codec.GetScaledDimensions(eighths / 8f) is var size && size.Width >= width && size.Height >= height) return size;
        return codec.Info.Size;
    }

    private static unsafe RgbImage Image(byte* rgba, int width, int height, SKEncodedOrigin origin)
    {
        byte[] rgb = GC.AllocateUninitializedArray<byte>(3 * width * height);
        DropAlpha(rgba, rgb, width * height);
        return Orient(new RgbImage(width, height, rgb), origin);
    }

    /// <summary>Lossless PNG bytes.</summary>
    public static byte[] EncodePng(RgbImage image) => Encode(image, SKEncodedImageFormat.Png, 100);

    /// <summary>Baseline JPEG bytes, 4:2:0.</summary>
    /// <param name="image">The image.</param>
    /// <param name="quality">1 to 100.</param>
    public static byte[] EncodeJpeg(RgbImage image, int quality = 92) => Encode(image, SKEncodedImageFormat.Jpeg, quality);

    /// <summary>All bytes of a file within the limits.</summary>
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

    /// <summary>Opens a regular file whose length is within the limits.</summary>
    internal static FileStream OpenFile(string path, DecodeLimits limits)
    {
        try
        {
            if (Directory.Exists(path)) throw new ImageUnreadableException(path, "is a folder, not a file");
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            string? wrong = stream.Length == 0 ? "the file is empty"
                : stream.Length > Math.Min(limits.MaxFileBytes, Array.MaxLength) ? $"has {stream.Length} bytes, over the limit of {limits.MaxFileBytes}" : null;
            if (wrong is null) return stream;
            stream.Dispose();
            throw new ImageUnreadableException(path, wrong);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ImageUnreadableException(path, e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : "cannot be opened: " + e.Message, e);
        }
    }

    private static ImageUnreadableException NoImage(string path) => new(path, "holds no image that can be read (expected JPEG, PNG, WebP, BMP or GIF)");

    private static ImageHeader HeaderOf(SKCodec codec) => codec.EncodedOrigin >= SKEncodedOrigin.LeftTop
        ? new(codec.Info.Height, codec.Info.Width, codec.EncodedFormat.ToString())
        : new(codec.Info.Width, codec.Info.Height, codec.EncodedFormat.ToString());

    private static unsafe void DropAlpha(byte* rgba, byte[] rgb, int count)
    {
        int i = 0;
        fixed (byte* target = rgb)
        {
            if (Vector128.IsHardwareAccelerated)
            {
                Vector128<byte> order = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0x80, 0x80, 0x80, 0x80);
                // 16 bytes are stored for 12 that count, so the last pixels are left to the loop below.
                for (; i + 6 <= count; i += 4) Vector128.Shuffle(Vector128.Load(rgba + 4 * i), order).Store(target + 3 * i);
            }
            for (; i < count; i++) (target[3 * i], target[3 * i + 1], target[3 * i + 2]) = (rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
        }
    }

    /// <summary>Turns and mirrors as EXIF orientation 1 to 8 asks: where the target's first pixel lies in the source, and the steps for x and y.</summary>
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
                (rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + 3]) = (image.Pixels[from], image.Pixels[from + 1], image.Pixels[from + 2], 255);
            fixed (byte* pixels = rgba)
            {
                using var map = new SKPixmap(info, (nint)pixels, info.RowBytes);
                using SKData data = map.Encode(format, quality) ?? throw new InvalidOperationException($"{format} cannot encode {image.Width} x {image.Height} pixels.");
                return data.ToArray();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rgba);
        }
    }
}
