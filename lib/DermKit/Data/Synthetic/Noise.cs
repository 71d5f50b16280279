namespace DermKit.Data;

/// <summary>A random stream for each (seed, key, salt).</summary>
internal sealed class Rng(long seed, long key, long salt = 0)
{
    private readonly SplitMix64 bits =
        new(new SplitMix64(new SplitMix64((ulong)seed).Next() ^ (ulong)key).Next() ^ (ulong)salt);

    public ulong Next() => bits.Next();

    public float Unit() => (Next() >> 40) * (1f / (1 << 24));

    public float Range(float low, float high) => low + (high - low) * Unit();

    // Sum of six uniform numbers: nearly Gaussian, within 4.3 sd.
    public float Normal(float mean, float sd) =>
        mean + sd * 1.41421356f * (Unit() + Unit() + Unit() + Unit() + Unit() + Unit() - 3);

    public bool Chance(double p) => Unit() < p;

    // In [low, high].
    public int Int(int low, int high) => low + (int)(Unit() * (high - low + 1));

    public int Pick(ReadOnlySpan<double> weights)
    {
        double left = 0;
        foreach (double w in weights) left += w;
        left *= Unit();
        for (int i = 0; i < weights.Length - 1; i++)
            if ((left -= weights[i]) < 0) return i;
        return weights.Length - 1;
    }
}

/// <summary>Periodic 512 x 512 textures: a look-up instead of octaves of hashing keeps an image near 10 ms.</summary>
internal sealed class Noise(float[] texels, float perUnit)
{
    private const int Size = 512, Cells = 40;
    // Gradient noise, about -1..1; a unit is the largest wave.
    public static Noise Fractal { get; } = new(MakeFractal(), Size / 8f);

    // Distance to the border of irregular cells, 0..0.5 cells: skin lines and pigment network.
    public static Noise Border { get; } = new(MakeCells(border: true), Size / (float)Cells);

    // Distance to the nearest cell centre, 0..0.9 cells: follicles and pores.
    public static Noise Centre { get; } = new(MakeCells(border: false), Size / (float)Cells);

    public float At(float x, float y)
    {
        x = x * perUnit + (Size << 4);
        y = y * perUnit + (Size << 4);
        int x0 = (int)x, y0 = (int)y;
        float fx = x - x0, fy = y - y0;
        int row0 = (y0 & (Size - 1)) * Size, row1 = ((y0 + 1) & (Size - 1)) * Size, left = x0 & (Size - 1),
            right = (x0 + 1) & (Size - 1);
        float top = texels[row0 + left] + fx * (texels[row0 + right] - texels[row0 + left]);
        float bottom = texels[row1 + left] + fx * (texels[row1 + right] - texels[row1 + left]);
        return top + fy * (bottom - top);
    }

    // Hermite step from 0 at low to 1 at high; low may be above high.
    public static float Step(float low, float high, float x)
    {
        float t = Math.Clamp((x - low) / (high - low), 0, 1);
        return t * t * (3 - 2 * t);
    }

    private static float[] MakeFractal()
    {
        var sum = new float[Size * Size];
        float weight = 1.15f;
        for (int period = 8, octave = 0; octave < 5; octave++, period *= 2, weight *= 0.52f)
        {
            var rng = new Rng(71, octave);
            var slopes = new (float X, float Y)[period * period];
            for (int i = 0; i < slopes.Length; i++) slopes[i] = (rng.Range(-1.4f, 1.4f), rng.Range(-1.4f, 1.4f));
            for (int y = 0; y < Size; y++)
                for (int x = 0; x < Size; x++)
                {
                    float px = x * (float)period / Size, py = y * (float)period / Size;
                    int cx = (int)px, cy = (int)py;
                    float fx = px - cx, fy = py - cy, u = fx * fx * fx * (fx * (fx * 6 - 15) + 10),
                        v = fy * fy * fy * (fy * (fy * 6 - 15) + 10);
                    float Slope(int ox, int oy)
                    {
                        var (sx, sy) = slopes[(cy + oy) % period * period + (cx + ox) % period];
                        return sx * (fx - ox) + sy * (fy - oy);
                    }
                    float top = Slope(0, 0) + u * (Slope(1, 0) - Slope(0, 0)),
                        bottom = Slope(0, 1) + u * (Slope(1, 1) - Slope(0, 1));
                    sum[y * Size + x] += weight * (top + v * (bottom - top));
                }
        }
        return sum;
    }

    private static float[] MakeCells(bool border)
    {
        var rng = new Rng(72, 0);
        var points = new (float X, float Y)[Cells * Cells];
        for (int i = 0; i < points.Length; i++) points[i] = (rng.Range(0.08f, 0.92f), rng.Range(0.08f, 0.92f));
        var result = new float[Size * Size];
        for (int y = 0; y < Size; y++)
            for (int x = 0; x < Size; x++)
            {
                float px = x * (float)Cells / Size, py = y * (float)Cells / Size, first = 9, second = 9;
                int cx = (int)px, cy = (int)py;
                for (int oy = -1; oy <= 1; oy++)
                    for (int ox = -1; ox <= 1; ox++)
                    {
                        var (jx, jy) = points[(cy + oy + Cells) % Cells * Cells + (cx + ox + Cells) % Cells];
                        float dx = cx + ox + jx - px, dy = cy + oy + jy - py, d = dx * dx + dy * dy;
                        if (d < first) (first, second) = (d, first);
                        else if (d < second) second = d;
                    }
                result[y * Size + x] = border ? MathF.Sqrt(second) - MathF.Sqrt(first) : MathF.Sqrt(first);
            }
        return result;
    }
}
