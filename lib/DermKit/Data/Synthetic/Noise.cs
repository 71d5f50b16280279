using SkiaSharp;
using System.Numerics;
using System.Runtime.InteropServices;

namespace DermKit.Data;

/// <summary>A random stream for each (seed, key, salt).</summary>
internal sealed class Rng(long seed, long key, long salt = 0)
{
    private readonly SplitMix64 bits = SplitMix64.Stream((ulong)seed, (ulong)key, (ulong)salt);

    public ulong Next() => bits.Next();

    public float Unit() => (Next() >> 40) * (1f / (1 << 24));

    public float Range(float low, float high) => low + (high - low) * Unit();

    public Vector2 Point(float low, float high) => new(Range(low, high), Range(low, high));

    public float Angle() => Range(0, MathF.Tau);

    // Sum of six uniform numbers: nearly Gaussian, within 4.3 sd.
    public float Normal(float mean, float sd) =>
        mean + sd * 1.41421356f * (Unit() + Unit() + Unit() + Unit() + Unit() + Unit() - 3);

    public bool Chance(double p) => Unit() < p;

    // In [low, high].
    public int Int(int low, int high) => low + (int)(Unit() * (high - low + 1));

    public int Pick(params double[] weights)
    {
        double left = weights.Sum() * Unit();
        int pick = 0;
        while (pick < weights.Length - 1 && (left -= weights[pick]) >= 0) pick++;
        return pick;
    }

    public static Vector2 Polar(float length, float angle) => length * new Vector2(MathF.Cos(angle), MathF.Sin(angle));
}

/// <summary>Periodic textures: a look-up instead of octaves of hashing keeps an image near 10 ms.</summary>
internal static class Noise
{
    private const int Size = 512, Cells = 40;
    private static readonly float[] Waves = MakeWaves(), Borders = MakeBorders();

    // Gradient noise, about -1..1; a unit is the largest wave.
    public static float Fractal(Vector2 at) => At(Waves, at * (Size / 8f));

    // Distance to the border of irregular cells of width 1, 0 to about 1: skin lines, pigment network, pores.
    public static float Border(Vector2 at) => At(Borders, at * (Size / (float)Cells));

    // Hermite step from 0 at low to 1 at high; low may be above high.
    public static float Step(float low, float high, float x)
    {
        float t = Math.Clamp((x - low) / (high - low), 0, 1);
        return t * t * (3 - 2 * t);
    }

    private static float At(float[] texels, Vector2 at)
    {
        at += new Vector2(Size << 4);
        int column = (int)at.X, row = (int)at.Y;
        float Row(int y)
        {
            float left = texels[y % Size * Size + column % Size];
            return left + (at.X - column) * (texels[y % Size * Size + (column + 1) % Size] - left);
        }
        float top = Row(row);
        return top + (at.Y - row) * (Row(row + 1) - top);
    }

    private static float[] MakeWaves()
    {
        // 16 bits round away most differences between processors.
        using var bitmap = new SKBitmap(Size, Size, SKColorType.Alpha16, SKAlphaType.Premul);
        using var canvas = new SKCanvas(bitmap);
        using SKShader shader = SKShader.CreatePerlinNoiseFractalNoise(8f / Size, 8f / Size, 5, 71,
            new SKSizeI(Size, Size));
        using var paint = new SKPaint { Shader = shader };
        canvas.DrawPaint(paint);
        ushort[] texels = MemoryMarshal.Cast<byte, ushort>(bitmap.GetPixelSpan()).ToArray();
        return Array.ConvertAll(texels, texel => (texel - 32768) / 24000f);
    }

    private static float[] MakeBorders()
    {
        var rng = new Rng(72, 0);
        Vector2[] points = [.. Enumerable.Range(0, Cells * Cells).Select(_ => rng.Point(.08f, .92f))];
        var texels = new float[Size * Size];
        for (int i = 0; i < texels.Length; i++)
        {
            Vector2 at = new Vector2(i % Size, i / Size) * Cells / Size;
            float first = 9, second = 9;
            for (int n = 0; n < 9; n++)
            {
                int x = (int)at.X + n % 3 - 1, y = (int)at.Y + n / 3 - 1;
                Vector2 point = points[(y + Cells) % Cells * Cells + (x + Cells) % Cells] + new Vector2(x, y);
                float d = Vector2.Distance(at, point);
                second = Math.Min(second, Math.Max(first, d));
                first = Math.Min(first, d);
            }
            texels[i] = second - first;
        }
        return texels;
    }
}
