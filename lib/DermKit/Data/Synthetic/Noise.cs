using System.Numerics;

namespace DermKit.Data;

/// <summary>A random stream for each (seed, key, salt).</summary>
internal sealed class Rng(long seed, long key, long salt = 0)
{
    private readonly SplitMix64 bits =
        new(new SplitMix64(new SplitMix64((ulong)seed).Next() ^ (ulong)key).Next() ^ (ulong)salt);

    public ulong Next() => bits.Next();

    public float Unit() => (Next() >> 40) * (1f / (1 << 24));

    public float Range(float low, float high) => low + (high - low) * Unit();

    public float Angle() => Range(0, MathF.Tau);

    // Sum of six uniform numbers: nearly Gaussian, within 4.3 sd.
    public float Normal(float mean, float sd) =>
        mean + sd * 1.41421356f * (Unit() + Unit() + Unit() + Unit() + Unit() + Unit() - 3);

    public bool Chance(double p) => Unit() < p;

    // In [low, high].
    public int Int(int low, int high) => low + (int)(Unit() * (high - low + 1));

    public int Pick(double[] weights)
    {
        double left = weights.Sum() * Unit();
        int pick = 0;
        while (pick < weights.Length - 1 && (left -= weights[pick]) >= 0) pick++;
        return pick;
    }
}

/// <summary>Periodic 512 x 512 textures: a look-up instead of octaves of hashing keeps an image near 10 ms.</summary>
internal sealed class Noise
{
    private const int Size = 512, Cells = 40;
    private readonly float[] texels = new float[Size * Size];
    private readonly float perUnit;

    private Noise(float perUnit, Func<float, float, float> value)
    {
        this.perUnit = perUnit;
        for (int i = 0; i < texels.Length; i++) texels[i] = value(i % Size / (float)Size, i / Size / (float)Size);
    }

    // Gradient noise, about -1..1; a unit is the largest wave.
    public static Noise Fractal { get; } = MakeFractal();

    // Distance to the border of irregular cells, 0..0.5 cells: skin lines and pigment network.
    public static Noise Border { get; } = MakeCells((first, second) => second - first);

    // Distance to the nearest cell centre, 0..0.9 cells: follicles and pores.
    public static Noise Centre { get; } = MakeCells((first, _) => first);

    public float At(float x, float y)
    {
        x = x * perUnit + (Size << 4);
        y = y * perUnit + (Size << 4);
        int column = (int)x, row = (int)y;
        float Texel(int down, int right) => texels[(row + down) % Size * Size + (column + right) % Size];
        float across = x - column;
        return Blend(Blend(Texel(0, 0), Texel(0, 1), across), Blend(Texel(1, 0), Texel(1, 1), across), y - row);
    }

    // Hermite step from 0 at low to 1 at high; low may be above high.
    public static float Step(float low, float high, float x)
    {
        float t = Math.Clamp((x - low) / (high - low), 0, 1);
        return t * t * (3 - 2 * t);
    }

    private static float Blend(float a, float b, float t) => a + t * (b - a);

    private static Vector2[] Points(Rng rng, int side, float low, float high) =>
        [.. Enumerable.Range(0, side * side).Select(_ => new Vector2(rng.Range(low, high), rng.Range(low, high)))];

    private static Noise MakeFractal()
    {
        Vector2[][] slopes = [.. Enumerable.Range(0, 5).Select(o => Points(new(71, o), 8 << o, -1.4f, 1.4f))];
        return new(Size / 8f, (x, y) =>
        {
            float sum = 0, weight = 1.15f;
            for (int octave = 0, period = 8; octave < slopes.Length; octave++, period *= 2, weight *= .52f)
            {
                float px = x * period, py = y * period;
                int cx = (int)px, cy = (int)py;
                float Slope(int ox, int oy)
                {
                    Vector2 slope = slopes[octave][(cy + oy) % period * period + (cx + ox) % period];
                    return slope.X * (px - cx - ox) + slope.Y * (py - cy - oy);
                }
                float u = Fade(px - cx);
                sum += weight * Blend(Blend(Slope(0, 0), Slope(1, 0), u), Blend(Slope(0, 1), Slope(1, 1), u),
                    Fade(py - cy));
            }
            return sum;
        });
    }

    private static float Fade(float t) => t * t * t * (t * (t * 6 - 15) + 10);

    // Value takes the distances to the nearest two points.
    private static Noise MakeCells(Func<float, float, float> value)
    {
        Vector2[] points = Points(new(72, 0), Cells, .08f, .92f);
        return new(Size / (float)Cells, (x, y) =>
        {
            float px = x * Cells, py = y * Cells, first = 9, second = 9;
            int cx = (int)px, cy = (int)py;
            for (int n = 0; n < 9; n++)
            {
                int nx = cx + n % 3 - 1, ny = cy + n / 3 - 1;
                Vector2 point = points[(ny + Cells) % Cells * Cells + (nx + Cells) % Cells];
                float dx = nx + point.X - px, dy = ny + point.Y - py, d = dx * dx + dy * dy;
                second = Math.Min(second, Math.Max(first, d));
                first = Math.Min(first, d);
            }
            return value(MathF.Sqrt(first), MathF.Sqrt(second));
        });
    }
}
