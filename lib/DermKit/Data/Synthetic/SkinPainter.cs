using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Noise;

namespace DermKit.Data;

/// <summary>Places mm around the lesion's middle on an image. Scale: mm per pixel; Angle: radians; Clinical: no contact
/// fluid, so light scattered in the horny layer hides fine structures.</summary>
internal readonly record struct View(Vector2 Middle, float Scale, float Angle, bool Clinical)
{
    private readonly Vector2 axis = Rng.Polar(Scale, Angle);

    public Vector2 Millimetres(int column, int row)
    {
        Vector2 at = new Vector2(column + .5f, row + .5f) - Middle;
        return new(axis.X * at.X + axis.Y * at.Y, axis.X * at.Y - axis.Y * at.X);
    }
}

/// <summary>The outline in radii of the lesion: an ellipse along the axes, bent and frayed by noise.</summary>
internal sealed class LesionShape(Lesion lesion, Rng rng)
{
    private readonly Vector2 shift = rng.Point(0, 90), axes = new(1, rng.Range(1.05f, 1.4f));
    private readonly float bend = .1f + .55f * lesion.Disorder, fray = .5f * lesion.Disorder * rng.Range(.3f, 1);

    // Approximate distance to the outline in radii, below 0 inside.
    public float Distance(Vector2 at) => (at * axes).Length() - .9f + bend * Fractal(at * .4f + shift)
        + fray * Fractal(at * 1.7f + shift);

    public Vector2 Rim(float angle)
    {
        Vector2 outwards = Rng.Polar(1, angle), rim = (1 - Distance(outwards)) * outwards;
        return rim - Distance(rim) * outwards;
    }

    public Vector2 Inside(Rng rng, float spread) => spread * MathF.Sqrt(rng.Unit()) * Rim(rng.Angle());
}

/// <summary>Skin with a lesion on a pixel grid: membership in the lesion, 0 to 1; sRGB colour; height in mm. Colour
/// follows by absorption, so a lesion looks right on every skin type and in every light.</summary>
internal sealed class SkinPainter(int size)
{
    // Types I to VI as sRGB.
    private static readonly Vector3[] Types =
        [new(.925f, .800f, .745f), new(.895f, .745f, .660f), new(.835f, .665f, .550f), new(.725f, .530f, .400f),
            new(.575f, .405f, .295f), new(.435f, .305f, .235f)];

    public readonly float[] Mask = new float[size * size], Height = new float[size * size];
    public readonly Vector3[] Colours = new Vector3[size * size];

    // Draws the same structures of a lesion in every view.
    public void Paint(Lesion lesion, View view)
    {
        Patient patient = lesion.Patient;
        var rng = new Rng(lesion.Seed, 0);
        var shape = new LesionShape(lesion, rng);
        using SKBitmap stains = Structures.Draw(lesion, shape, view, size, false);
        using SKBitmap covers = Structures.Draw(lesion, shape, view, size, true);
        ReadOnlySpan<byte> stain = stains.GetPixelSpan(), cover = covers.GetPixelSpan();
        Vector2 shift = rng.Point(0, 50), stretch = new(1, rng.Range(.55f, .9f));
        float radius = lesion.Diameter / 2, blur = Math.Max(.03f + .32f * (1 - lesion.Sharpness), view.Scale / radius);
        bool atypical = lesion.Has(Trait.AtypicalNetwork);
        float mesh = rng.Range(.17f, .26f), net = (atypical ? 1.1f : lesion.Has(Trait.PigmentNetwork) ? .75f : 0)
            * Math.Max(.4f, lesion.Melanin) * Visible(mesh) * (view.Clinical ? .3f : 1);
        float tilt = rng.Range(-.35f, .35f) * (.4f + lesion.Disorder), mottle = rng.Range(.05f, .2f);

        Vector3 skin = Types[patient.SkinType - 1];
        bool face = lesion.Site is "face" or "scalp" or "neck", coarse = lesion.Site is "hand" or "neck" or "foot";
        float age = Math.Clamp((patient.Age - 20) / 60, 0, 1), red = .09f + .035f * patient.Redness + (face ? .04f : 0);
        float sun = (face || lesion.Site is "hand" or "arm" ? .16f : .07f) * (.4f + age);
        float line = rng.Range(.38f, .6f) * (coarse ? 1.5f : 1), lines = Visible(line);
        float wrinkle = coarse || face ? .10f + .22f * age : .02f + .1f * age;
        for (int i = 0; i < Colours.Length; i++)
        {
            int x = i % size, y = i / size;
            Vector2 mm = view.Millimetres(x, y), along = mm * stretch, u = mm / radius;
            float broad = Fractal(mm * .05f + shift), middle = Fractal(mm * .22f - shift);
            float grain = Fractal(mm * .9f + shift), tiny = Fractal(mm * 2.1f + shift);
            float d = shape.Distance(u), mask = Step(blur, -blur, d), rough = 1 - .75f * mask;
            float furrow = lines * Step(.32f, 0, Border(along / line + shift));
            float melanin = .06f * patient.Tan + .05f * broad + .03f * grain + .03f * furrow
                + sun * (.35f * middle + Step(.22f, 1, middle + .12f * grain));
            float blood = red * (1 + .5f * broad + .45f * middle + .35f * grain);
            float fold = wrinkle * Step(.3f, 0, Math.Abs(Fractal(along * new Vector2(.03f, .25f) + shift)))
                * Step(-.3f, .4f, middle + broad);
            Mask[i] = mask;
            Height[i] = .018f * grain + .05f * middle - rough * (.035f * furrow * line + .45f * fold);
            if (d > .4f)
            {
                Colours[i] = skin * Light(melanin, blood);
                continue;
            }
            float depth = Math.Clamp(-d * 1.3f, 0, 1), wide = Fractal(u * .55f + shift);
            float pigment = lesion.Melanin * MathF.Exp(1.2f * lesion.Disorder * wide - .12f)
                * (.62f + .5f * depth + tilt * u.X) * (1 + mottle * (1.7f * grain + 1.5f * tiny));
            blood += mask * lesion.Blood * (.75f + .4f * depth + .5f * grain);
            if (net > 0)
            {
                float thick = atypical ? .3f + .28f * grain : .24f;
                pigment += net * (atypical ? Step(-.35f, .15f, wide + .3f * grain) : Step(.1f, -.3f, d))
                    * (Step(thick + .2f, Math.Max(.02f, thick - .2f), Border(mm / mesh + shift
                        + (atypical ? .55f : .22f) * new Vector2(grain, tiny))) * 1.15f - .42f);
            }
            // Noise moves the structures, so that circles get uneven outlines.
            float fade = Step(.35f, 0, d) * Math.Min(1, .9f + .4f * tiny), warp = .1f * radius / view.Scale;
            int at = 4 * (Math.Clamp(y + (int)(warp * grain), 0, size - 1) * size
                + Math.Clamp(x + (int)(warp * Fractal(mm * .9f - shift)), 0, size - 1));
            Vector3 Read(ReadOnlySpan<byte> layer) => new Vector3(layer[at], layer[at + 1], layer[at + 2]) / 255;
            float hidden = fade * cover[at + 3] / 255;
            Vector3 c = skin * Light(melanin + mask * Math.Max(0, pigment), blood);
            c *= Vector3.One + fade * (Read(stain) - Vector3.One);
            c += mask * lesion.Wax * (1 + .8f * grain) * (new Vector3(.90f, .82f, .66f) - c);
            Colours[i] = c * (1 - hidden) + fade * Read(cover) * (new Vector3(.4f) + .65f * skin);
            Height[i] += lesion.Elevation * radius * .3f * Step(.12f, -.2f - .5f * (1 - lesion.Sharpness), d)
                * (.7f + .3f * depth) + mask * (.02f * (grain + tiny) + .04f * hidden) * (1 + lesion.Elevation);
        }

        float Visible(float width) => Step(1.2f, 4.5f, width / view.Scale);
    }

    // Through melanin and haemoglobin of optical densities: shape after Jacques 2013, fitted by eye.
    private static Vector3 Light(float melanin, float blood) => new(MathF.Exp(-.50f * melanin - .10f * blood),
        MathF.Exp(-.92f * melanin - .80f * blood), MathF.Exp(-1.15f * melanin - .66f * blood));
}
