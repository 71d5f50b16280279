using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Noise;
using static DermKit.Data.Trait;

namespace DermKit.Data;

/// <summary>Maps pixels to mm around the lesion's middle (X, Y). Scale: mm per pixel; Angle: radians; Clinical: no
/// contact fluid, so light scattered in the horny layer hides deep and fine structures.</summary>
internal readonly record struct View(float X, float Y, float Scale, float Angle, bool Clinical)
{
    private readonly float cos = MathF.Cos(Angle), sin = MathF.Sin(Angle);

    public (float X, float Y) Millimetres(int column, int row)
    {
        float dx = (column + .5f - X) * Scale, dy = (row + .5f - Y) * Scale;
        return (cos * dx + sin * dy, cos * dy - sin * dx);
    }
}

/// <summary>The lesion as concentrations on a pixel grid. Colour follows by absorption, so one lesion looks right on
/// every skin type and in every light.</summary>
internal sealed class LesionMaps(int size)
{
    // Membership 0..1; optical densities of melanin and haemoglobin; shares of dermal blue (Tyndall effect), white,
    // keratin, dark plugs; height in mm.
    public readonly float[] Mask = new float[size * size], Melanin = new float[size * size],
        Blood = new float[size * size], Blue = new float[size * size], White = new float[size * size],
        Keratin = new float[size * size], Dark = new float[size * size], Height = new float[size * size];

    private static void DrawInk(Lesion lesion, LesionShape shape, View view, params SKBitmap[] layers)
    {
        var rng = new Rng(lesion.Seed, 1);
        using SKBitmap ink = PhotoPainter.NewBitmap(layers[0].Width);
        using var canvas = new SKCanvas(ink);
        canvas.Translate(view.X, view.Y);
        canvas.Scale(1 / view.Scale);
        canvas.RotateRadians(view.Angle);
        using var pen = new LesionInk(canvas, lesion, shape, rng);
        foreach (SKBitmap layer in layers)
        {
            canvas.Clear(SKColors.Black);
            if (layer == layers[0]) pen.DrawBelow();
            else pen.DrawAbove();
            LesionInk.Blur(ink, layer, Math.Clamp((view.Clinical ? .09f : .04f) / view.Scale, .6f, 1.5f));
        }
    }

    // Draws the same structures of a lesion in every view.
    public unsafe void Paint(Lesion lesion, View view)
    {
        var rng = new Rng(lesion.Seed, 0);
        var shape = new LesionShape(lesion, rng);
        using SKBitmap below = PhotoPainter.NewBitmap(size), above = PhotoPainter.NewBitmap(size);
        DrawInk(lesion, shape, view, below, above);
        float radius = lesion.Diameter / 2, px = rng.Range(0, 50), py = rng.Range(0, 50);
        float mesh = rng.Range(.17f, .26f), fine = Step(1.2f, 4f, mesh / view.Scale) * (view.Clinical ? .3f : 1);
        bool atypical = lesion.Has(AtypicalNetwork), network = atypical || lesion.Has(PigmentNetwork);
        bool fibroma = lesion.Has(CentralWhitePatch), scale = lesion.Has(Scale);
        float netPower = (atypical ? rng.Range(.8f, 1.4f) : rng.Range(.55f, .95f)) * Math.Max(.4f, lesion.Melanin);
        float follicle = rng.Range(.55f, .8f), reach = 1.7f * radius + .5f;
        Vector2 veilAt = shape.Inside(rng, .55f), scarAt = shape.Inside(rng, .8f), soreAt = shape.Inside(rng, .6f);
        float soreSize = rng.Range(.18f, .36f), veilSize = rng.Range(.35f, .6f), veilPower = rng.Range(.6f, .95f);
        float scarSize = rng.Range(.3f, .5f), whiteSize = rng.Range(.3f, .48f), whitePower = rng.Range(.55f, .85f);
        float blur = Math.Max(.03f + .32f * (1 - lesion.Sharpness), 1.2f * view.Scale / radius);
        float tilt = rng.Range(-.35f, .35f) * (.4f + lesion.Asymmetry), mottle = rng.Range(.05f, .2f);
        byte* under = (byte*)below.GetPixels(), over = (byte*)above.GetPixels();
        for (int i = 0; i < Mask.Length; i++, under += 4, over += 4)
        {
            (float mx, float my) = view.Millimetres(i % size, i / size);
            Mask[i] = 0;
            if (Math.Abs(mx) > reach || Math.Abs(my) > reach)
            {
                Melanin[i] = Blood[i] = Blue[i] = White[i] = Keratin[i] = Dark[i] = Height[i] = 0;
                continue;
            }
            var u = new Vector2(mx / radius, my / radius);
            float d = shape.Distance(u), m = Step(blur, -blur, d);
            float depth = Math.Clamp(-d * 1.3f, 0, 1), wide = Fractal.At(u.X * .55f + px, u.Y * .55f + py);
            float small = Fractal.At(mx * .5f + py, my * .5f + px), tiny = Fractal.At(mx * 2.1f + px, my * 2.1f + py);
            float melanin = lesion.Melanin * MathF.Exp(lesion.Patchiness * 1.1f * wide - .12f)
                * (.62f + .5f * depth + tilt * u.X) * (1 + mottle * (1.7f * small + 1.5f * tiny));
            float blood = lesion.Blood * (.75f + .4f * depth + .5f * small), white = 0, blue = 0;
            float keratin = lesion.Wax * (1 + .8f * small);
            if (network && fine > 0)
            {
                float w = Fractal.At(mx * .9f + px, my * .9f) * (atypical ? .55f : .22f);
                float line = Border.At((mx / mesh) + w + px, (my / mesh) + w * .7f);
                float thick = atypical ? .30f + .28f * small : .24f;
                float presence = atypical ? Step(-.35f, .15f, wide + .3f * small)
                    : fibroma ? Step(.0f, -.35f, d) * Step(-.75f, -.45f, d) + .25f
                    : .45f + .55f * Step(-.05f, -.4f, d);
                melanin += fine * netPower * presence
                    * (Step(thick + .2f, Math.Max(.02f, thick - .2f), line) * 1.15f - .42f);
            }
            if (lesion.Has(RedPseudonetwork))
            {
                float near = Centre.At(mx / follicle + px, my / follicle + py) + .12f * small;
                float hole = Step(.32f, .08f, near) * Step(.9f, 2.5f, follicle / view.Scale);
                blood += .3f * (1 - hole) * Step(.15f, .5f, near) * (1 + .5f * tiny);
                keratin += .3f * hole * (1 + small);
            }
            if (scale) keratin += .62f * Step(-.05f, .95f, small + .9f * tiny) * Step(.2f, -.1f, d);
            if (lesion.Has(BlueWhiteVeil))
            {
                float v = Step(veilSize + .3f, veilSize - .25f, Vector2.Distance(u, veilAt) + .22f * wide) * veilPower;
                blue += v * (.72f + .25f * small);
                white += .16f * v * Step(0, .6f, small);
            }
            if (lesion.Has(Regression))
            {
                float s = Step(scarSize + .14f, scarSize - .1f, Vector2.Distance(u, scarAt) + .25f * small);
                white += .55f * s;
                melanin *= 1 - .75f * s;
            }
            if (lesion.Has(Crust))
            {
                float away = Vector2.Distance(u, soreAt) + .16f * small + .06f * tiny;
                float s = Step(soreSize + .1f, soreSize - .08f, away);
                blood += s * (.75f + .5f * tiny);
                melanin += s * (.55f + .6f * small);
                keratin += s * .5f * Step(.1f, .6f, tiny - .4f * small);
            }
            if (fibroma)
            {
                float s = Step(whiteSize + .2f, whiteSize - .22f, u.Length() + .12f * small)
                    * whitePower;
                white += s * (.8f + .3f * small);
                melanin *= 1 - .8f * s;
            }
            float edge = Step(.35f, 0, d) * (.85f + .45f * tiny + .2f * small);
            Mask[i] = m;
            Melanin[i] = Math.Max(0, m * melanin) + edge * under[1] * (1.9f / 255);
            Blood[i] = Math.Max(0, m * blood) + edge * under[0] * (1.9f / 255);
            Blue[i] = Math.Min(.92f, m * blue + edge * under[2] * (.85f / 255));
            White[i] = Math.Min(.85f, m * white + edge * over[0] * (.8f / 255));
            Keratin[i] = Math.Min(.85f, m * keratin + edge * over[1] * (.85f / 255));
            Dark[i] = edge * over[2] * (.9f / 255);
            float bumps = (scale ? .07f : .015f) * (small + tiny) + (lesion.Has(Fissures) ? -.25f * Dark[i] : 0);
            Height[i] = lesion.Elevation * radius * .3f * Step(.12f, -.2f - .5f * (1 - lesion.Sharpness), d)
                * (.7f + .3f * depth) + m * bumps * (1 + lesion.Elevation);
        }
    }
}

/// <summary>The outline in radii of the lesion: ellipses melted together, then bent and frayed by noise.</summary>
internal sealed class LesionShape
{
    private readonly (Vector2 Centre, float A, float B, float Cos, float Sin)[] lobes;
    private readonly float bend, fray, ox, oy;

    public LesionShape(Lesion lesion, Rng rng)
    {
        float a = lesion.Asymmetry;
        lobes = new (Vector2, float, float, float, float)[
            1 + (a > .3f ? 1 : 0) + (a > .5f && rng.Chance(.7) ? 1 : 0) + (a > .7f ? 1 : 0)];
        for (int i = 0; i < lobes.Length; i++)
        {
            float turn = rng.Angle(), away = i == 0 ? 0 : rng.Range(.4f, .75f);
            float radius = i == 0 ? rng.Range(.82f, .95f) - .22f * a : rng.Range(.3f, .55f);
            lobes[i] = (new(away * MathF.Cos(turn), away * MathF.Sin(turn)), radius, radius * rng.Range(.74f, .97f),
                MathF.Cos(turn + 1), MathF.Sin(turn + 1));
        }
        bend = .07f + .22f * a;
        fray = .02f + .16f * lesion.Irregularity;
        ox = rng.Range(0, 90);
        oy = rng.Range(0, 90);
    }

    // Approximate distance to the outline in radii, below 0 inside.
    public float Distance(Vector2 at)
    {
        float x = at.X, y = at.Y, d = 9;
        at += bend * new Vector2(Fractal.At(x * .6f + ox, y * .6f + oy), Fractal.At(x * .6f + oy, y * .6f + ox + 40));
        foreach (var (centre, a, b, cos, sin) in lobes)
        {
            Vector2 p = at - centre;
            float qx = (cos * p.X + sin * p.Y) / a, qy = (cos * p.Y - sin * p.X) / b;
            float e = (MathF.Sqrt(qx * qx + qy * qy) - 1) * b, h = Math.Max(.22f - Math.Abs(d - e), 0) / .22f;
            d = Math.Min(d, e) - h * h * .055f;
        }
        return d + fray * Fractal.At(x * 1.7f + oy, y * 1.7f + ox);
    }

    // A place at most spread radii from the middle.
    public Vector2 Inside(Rng rng, float spread)
    {
        for (int attempt = 0; attempt < 12; attempt++)
        {
            var at = new Vector2(rng.Range(-spread, spread), rng.Range(-spread, spread));
            if (at.LengthSquared() < spread * spread && Distance(at) < -.08f) return at;
        }
        return default;
    }
}
