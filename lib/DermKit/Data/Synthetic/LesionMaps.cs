using SkiaSharp;
using static DermKit.Data.Noise;

namespace DermKit.Data;

/// <summary>From pixels to mm around the middle of the lesion.</summary>
/// <param name="X">Column of the lesion's middle.</param>
/// <param name="Y">Row of the lesion's middle.</param>
/// <param name="Scale">mm per pixel.</param>
/// <param name="Angle">Rotation in radians.</param>
/// <param name="Clinical">Seen without contact fluid: light scattered in the horny layer washes out what lies deep or is fine.</param>
internal readonly record struct View(float X, float Y, float Scale, float Angle, bool Clinical);

/// <summary>
/// The lesion as concentrations on a pixel grid: how much melanin, blood, dermal (blue) melanin, scar white, keratin and dark crust lie under each pixel.
/// Colour comes later, by absorption, so one lesion looks right on every skin type and in every light.
/// </summary>
internal sealed class LesionMaps(int size) : IDisposable
{
    private readonly SKBitmap[] _ink = [Layer(size), Layer(size)], _soft = [Layer(size), Layer(size)];

    // Membership 0..1; optical densities of melanin and haemoglobin; shares of dermal blue (Tyndall effect), white, keratin, dark plugs; height in mm.
    public readonly float[] Mask = new float[size * size], Melanin = new float[size * size], Blood = new float[size * size], Blue = new float[size * size],
        White = new float[size * size], Keratin = new float[size * size], Dark = new float[size * size], Height = new float[size * size];

    public void Dispose()
    {
        foreach (SKBitmap bitmap in _ink.Concat(_soft)) bitmap.Dispose();
    }

    private static SKBitmap Layer(int size) => new(size, size, SKColorType.Rgba8888, SKAlphaType.Premul);

    /// <summary>Fills the maps; the same lesion gives the same structures in every view.</summary>
    public unsafe void Paint(Lesion lesion, View view)
    {
        var rng = new Rng(lesion.Seed, 0);
        var shape = new LesionShape(lesion, rng);
        LesionInk.Draw(lesion, shape, view, _ink, _soft, new Rng(lesion.Seed, 1));
        float radius = lesion.Diameter / 2, px = rng.Range(0, 50), py = rng.Range(0, 50), cos = MathF.Cos(view.Angle), sin = MathF.Sin(view.Angle);
        float mesh = rng.Range(.17f, .26f), fine = Step(1.2f, 4f, mesh / view.Scale) * (view.Clinical ? .3f : 1);
        bool atypical = lesion.Has(Trait.AtypicalNetwork), typical = lesion.Has(Trait.PigmentNetwork), fibroma = lesion.Has(Trait.CentralWhitePatch);
        bool pseudo = lesion.Has(Trait.RedPseudonetwork), scale = lesion.Has(Trait.Scale), crust = lesion.Has(Trait.Crust), veil = lesion.Has(Trait.BlueWhiteVeil), regression = lesion.Has(Trait.Regression);
        float netPower = (atypical ? rng.Range(.8f, 1.4f) : rng.Range(.55f, .95f)) * Math.Max(.4f, lesion.Melanin);
        float follicle = rng.Range(.55f, .8f), reach = 1.7f * radius + .5f;
        var (veilX, veilY) = shape.Inside(rng, .55f);
        var (scarX, scarY) = shape.Inside(rng, .8f);
        var (soreX, soreY) = shape.Inside(rng, .6f);
        float soreSize = rng.Range(.18f, .36f);
        float veilSize = rng.Range(.35f, .6f), veilPower = rng.Range(.6f, .95f), scarSize = rng.Range(.3f, .5f), whiteSize = rng.Range(.3f, .48f), whitePower = rng.Range(.55f, .85f);
        float soft = Math.Max(.03f + .32f * (1 - lesion.Sharpness), 1.2f * view.Scale / radius), tilt = rng.Range(-.35f, .35f) * (.4f + lesion.Asymmetry), mottle = rng.Range(.05f, .2f);
        byte*[] inks = [(byte*)_soft[0].GetPixels(), (byte*)_soft[1].GetPixels()];
        for (int y = 0, i = 0; y < size; y++)
            for (int x = 0; x < size; x++, i++)
            {
                float dx = (x + .5f - view.X) * view.Scale, dy = (y + .5f - view.Y) * view.Scale, mx = cos * dx + sin * dy, my = cos * dy - sin * dx;
                Mask[i] = 0;
                if (Math.Abs(mx) > reach || Math.Abs(my) > reach)
                {
                    Melanin[i] = Blood[i] = Blue[i] = White[i] = Keratin[i] = Dark[i] = Height[i] = 0;
                    continue;
                }
                float ux = mx / radius, uy = my / radius, d = shape.Distance(ux, uy), m = Step(soft, -soft, d), depth = Math.Clamp(-d * 1.3f, 0, 1);
                float wide = Fractal.At(ux * .55f + px, uy * .55f + py), small = Fractal.At(mx * .5f + py, my * .5f + px), tiny = Fractal.At(mx * 2.1f + px, my * 2.1f + py);
                float melanin = lesion.Melanin * MathF.Exp(lesion.Patchiness * 1.1f * wide - .12f) * (.62f + .5f * depth + tilt * ux) * (1 + mottle * (1.7f * small + 1.5f * tiny));
                float blood = lesion.Blood * (.75f + .4f * depth + .5f * small), white = 0, blue = 0, keratin = lesion.Wax * (1 + .8f * small);
                if ((typical || atypical) && fine > 0)
                {
                    float warp = atypical ? .55f : .22f, w = Fractal.At(mx * .9f + px, my * .9f) * warp;
                    float line = Border.At((mx / mesh) + w + px, (my / mesh) + w * .7f), thick = atypical ? .30f + .28f * small : .24f;
                    float presence = atypical ? Step(-.35f, .15f, wide + .3f * small) : fibroma ? Step(.0f, -.35f, d) * Step(-.75f, -.45f, d) + .25f : .45f + .55f * Step(-.05f, -.4f, d);
                    melanin += fine * netPower * presence * (Step(thick + .2f, Math.Max(.02f, thick - .2f), line) * 1.15f - .42f);
                }
                if (pseudo)
                {
                    float near = Centre.At(mx / follicle + px, my / follicle + py) + .12f * small, hole = Step(.32f, .08f, near) * Step(.9f, 2.5f, follicle / view.Scale);
                    blood += .3f * (1 - hole) * Step(.15f, .5f, near) * (1 + .5f * tiny);
                    keratin += .3f * hole * (1 + small);
                }
                if (scale) keratin += .62f * Step(-.05f, .95f, small + .9f * tiny) * Step(.2f, -.1f, d);
                if (veil)
                {
                    float v = Step(veilSize + .3f, veilSize - .25f, MathF.Sqrt((ux - veilX) * (ux - veilX) + (uy - veilY) * (uy - veilY)) + .22f * wide) * veilPower;
                    blue += v * (.72f + .25f * small);
                    white += .16f * v * Step(0, .6f, small);
                }
                if (regression)
                {
                    float s = Step(scarSize + .14f, scarSize - .1f, MathF.Sqrt((ux - scarX) * (ux - scarX) + (uy - scarY) * (uy - scarY)) + .25f * small);
                    white += .55f * s;
                    melanin *= 1 - .75f * s;
                }
                if (crust)
                {
                    float s = Step(soreSize + .1f, soreSize - .08f, MathF.Sqrt((ux - soreX) * (ux - soreX) + (uy - soreY) * (uy - soreY)) + .16f * small + .06f * tiny);
                    blood += s * (.75f + .5f * tiny);
                    melanin += s * (.55f + .6f * small);
                    keratin += s * .5f * Step(.1f, .6f, tiny - .4f * small);
                }
                if (fibroma)
                {
                    float s = Step(whiteSize + .2f, whiteSize - .22f, MathF.Sqrt(ux * ux + uy * uy) + .12f * small) * whitePower;
                    white += s * (.8f + .3f * small);
                    melanin *= 1 - .8f * s;
                }
                int ink = i * 4;
                float edge = Step(.35f, 0, d) * (.85f + .45f * tiny + .2f * small);
                Mask[i] = m;
                Melanin[i] = Math.Max(0, m * melanin) + edge * inks[0][ink + 1] * (1.9f / 255);
                Blood[i] = Math.Max(0, m * blood) + edge * inks[0][ink] * (1.9f / 255);
                Blue[i] = Math.Min(.92f, m * blue + edge * inks[0][ink + 2] * (.85f / 255));
                White[i] = Math.Min(.85f, m * white + edge * inks[1][ink] * (.8f / 255));
                Keratin[i] = Math.Min(.85f, m * keratin + edge * inks[1][ink + 1] * (.85f / 255));
                Dark[i] = edge * inks[1][ink + 2] * (.9f / 255);
                float bumps = (scale ? .07f : .015f) * (small + tiny) + (lesion.Has(Trait.Fissures) ? -.25f * Dark[i] : 0);
                Height[i] = lesion.Elevation * radius * .3f * Step(.12f, -.2f - .5f * (1 - lesion.Sharpness), d) * (.7f + .3f * depth) + m * bumps * (1 + lesion.Elevation);
            }
    }
}

/// <summary>The outline in units of the lesion's radius: ellipses melted together, then bent and frayed by noise.</summary>
internal sealed class LesionShape
{
    private readonly (float X, float Y, float A, float B, float Cos, float Sin)[] _lobes;
    private readonly float _bend, _fray, _ox, _oy;

    public LesionShape(Lesion lesion, Rng rng)
    {
        float a = lesion.Asymmetry;
        int lobes = 1 + (a > .3f ? 1 : 0) + (a > .5f && rng.Chance(.7) ? 1 : 0) + (a > .7f ? 1 : 0);
        _lobes = new (float, float, float, float, float, float)[lobes];
        for (int i = 0; i < lobes; i++)
        {
            float turn = rng.Range(0, MathF.Tau), away = i == 0 ? 0 : rng.Range(.4f, .75f), size = i == 0 ? rng.Range(.82f, .95f) - .22f * a : rng.Range(.3f, .55f), narrow = rng.Range(.74f, .97f);
            _lobes[i] = (away * MathF.Cos(turn), away * MathF.Sin(turn), size, size * narrow, MathF.Cos(turn + 1), MathF.Sin(turn + 1));
        }
        (_bend, _fray, _ox, _oy) = (.07f + .22f * a, .02f + .16f * lesion.Irregularity, rng.Range(0, 90), rng.Range(0, 90));
    }

    /// <summary>Below 0 inside; about the distance to the outline in radii.</summary>
    public float Distance(float x, float y)
    {
        float bentX = x + _bend * Fractal.At(x * .6f + _ox, y * .6f + _oy), bentY = y + _bend * Fractal.At(x * .6f + _oy, y * .6f + _ox + 40), d = 9;
        foreach (var (cx, cy, a, b, cos, sin) in _lobes)
        {
            float dx = bentX - cx, dy = bentY - cy, qx = (cos * dx + sin * dy) / a, qy = (cos * dy - sin * dx) / b, e = (MathF.Sqrt(qx * qx + qy * qy) - 1) * b;
            float h = Math.Max(.22f - Math.Abs(d - e), 0) / .22f;
            d = Math.Min(d, e) - h * h * .055f;
        }
        return d + _fray * Fractal.At(x * 1.7f + _oy, y * 1.7f + _ox);
    }

    /// <summary>A random point of the lesion, at most <paramref name="spread"/> radii out.</summary>
    public (float X, float Y) Inside(Rng rng, float spread)
    {
        for (int attempt = 0; attempt < 12; attempt++)
        {
            float x = rng.Range(-spread, spread), y = rng.Range(-spread, spread);
            if (x * x + y * y < spread * spread && Distance(x, y) < -.08f) return (x, y);
        }
        return (0, 0);
    }
}
