using System.Runtime.Intrinsics;
using DermKit.Imaging;

namespace DermKit.Tests.Imaging;

/// <summary>
/// Pillow's GaussianBlur, exact: three extended box blurs along each row and then along each column, in
/// 24-bit fixed point, edge pixels
/// repeated (Gwosdek et al., SSVM 2011; src/libImaging/BoxBlur.c).
/// </summary>
internal static class PillowBlur
{
    private const int Passes = 3;

    /// <summary>ImageFilter.GaussianBlur(radius).</summary>
    /// <param name="image">The image.</param>
    /// <param name="radius">Standard deviation in pixels, at least 0; 0 copies.</param>
    public static RgbImage Gaussian(RgbImage image, float radius)
    {
        if (!(radius >= 0))
            throw new ArgumentOutOfRangeException(nameof(radius), radius, "Expected a radius of at least 0.");
        byte[] pixels = [.. image.Pixels];
        float box = BoxRadius(radius);
        if (box == 0) return new(image.Width, image.Height, pixels);
        // Rows are blurred as columns of the transposed image, where neighbouring lanes are independent.
        byte[] other = new byte[pixels.Length];
        Transpose(pixels, other, image.Width, image.Height);
        BlurColumns(ref other, ref pixels, 3 * image.Height, image.Width, box);
        Transpose(other, pixels, image.Height, image.Width);
        BlurColumns(ref pixels, ref other, 3 * image.Width, image.Height, box);
        return new(image.Width, image.Height, pixels);
    }

    private static float BoxRadius(float radius)
    {
        float variance = radius * radius / Passes;
        float length = (float)Math.Sqrt(12.0 * variance + 1.0);
        float whole = (float)Math.Floor((length - 1.0) / 2.0);
        float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
        return whole + part / (6 * (variance - (whole + 1) * (whole + 1)));
    }

    private static void BlurColumns(ref byte[] pixels, ref byte[] other, int rowBytes, int rows, float box)
    {
        uint[] sums = new uint[rowBytes];
        for (int pass = 0; pass < Passes; pass++)
        {
            BlurColumnsOnce(pixels, other, sums, rowBytes, rows, box);
            (pixels, other) = (other, pixels);
        }
    }

    /// <summary>out[y] = weight * (in[y - r] + ... + in[y + r]) + edge * (in[y - r - 1] + in[y + r + 1]), rows
    /// clamped to the image.</summary>
    private static void BlurColumnsOnce(byte[] source, byte[] target, uint[] sums, int rowBytes, int rows, float box)
    {
        int radius = (int)box;
        uint weight = (uint)((1 << 24) / (box * 2 + 1)), edge = ((1u << 24) - (uint)(radius * 2 + 1) * weight) / 2;
        int Row(int y) => Math.Clamp(y, 0, rows - 1) * rowBytes;
        Array.Clear(sums);
        for (int y = -radius - 1; y < radius; y++)
            for (int x = 0, from = Row(y); x < rowBytes; x++) sums[x] += source[from + x];
        for (int y = 0; y < rows; y++)
        {
            int before = Row(y - radius - 1), last = Row(y + radius), after = Row(y + radius + 1),
                to = y * rowBytes, x = 0;
            for (; x + Vector256<byte>.Count <= rowBytes; x += Vector256<byte>.Count)
            {
                (Vector256<ushort> beforeLow,
                    Vector256<ushort> beforeHigh) = Vector256.Widen(Vector256.Create(source, before + x));
                (Vector256<ushort> lastLow,
                    Vector256<ushort> lastHigh) = Vector256.Widen(Vector256.Create(source, last + x));
                (Vector256<ushort> afterLow,
                    Vector256<ushort> afterHigh) = Vector256.Widen(Vector256.Create(source, after + x));
                Vector256.Narrow(Half(beforeLow, lastLow, afterLow, x), Half(beforeHigh, lastHigh, afterHigh, x + 16))
                    .CopyTo(target, to + x);
            }
            for (; x < rowBytes; x++)
            {
                sums[x] += (uint)(source[last + x] - source[before + x]);
                target[to + x] =
                    (byte)((sums[x] * weight + (uint)(source[before + x] + source[after + x]) * edge + (1 << 23))
                        >> 24);
            }
        }

        Vector256<ushort> Half(Vector256<ushort> before, Vector256<ushort> last, Vector256<ushort> after, int x) =>
            Vector256.Narrow(
                Quarter(Vector256.WidenLower(before), Vector256.WidenLower(last), Vector256.WidenLower(after), x),
                Quarter(Vector256.WidenUpper(before), Vector256.WidenUpper(last), Vector256.WidenUpper(after), x + 8));

        Vector256<uint> Quarter(Vector256<uint> before, Vector256<uint> last, Vector256<uint> after, int x)
        {
            Vector256<uint> sum = Vector256.Create(sums, x) + last - before;
            sum.CopyTo(sums, x);
            return (sum * weight + (before + after) * edge + Vector256.Create(1u << 23)) >>> 24;
        }
    }

    private static void Transpose(byte[] source, byte[] target, int width, int height)
    {
        for (int y = 0, from = 0; y < height; y++)
            for (int x = 0, to = 3 * y; x < width; x++, from += 3, to += 3 * height)
                (target[to], target[to + 1], target[to + 2]) = (source[from], source[from + 1], source[from + 2]);
    }
}
