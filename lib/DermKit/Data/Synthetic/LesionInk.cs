using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Trait;

namespace DermKit.Data;

/// <summary>Outlined structures in the lesion's mm. RGB is blood, melanin, blue in the layer below, and white, keratin,
/// dark in the layer above.</summary>
internal sealed class LesionInk(SKCanvas canvas, Lesion lesion, LesionShape shape, Rng rng) : IDisposable
{
    private readonly float radius = lesion.Diameter / 2;

    private readonly SKPaint paint = new()
    {
        IsAntialias = true,
        BlendMode = SKBlendMode.Lighten,
        StrokeCap = SKStrokeCap.Round,
        StrokeJoin = SKStrokeJoin.Round,
    };

    public void Dispose() => paint.Dispose();

    public void DrawBelow()
    {
        Blobs(BlueGreyNests, 3, 9, .07f * radius, .2f * radius, .85f, new(10, 35, 110), new(50, 90, 190), .6f);
        Blobs(RedLacunae, 9, 22, .13f * radius, .3f * radius, .8f, new(90, 0, 0), new(170, 0, 70));
        float globule = lesion.Has(Globules) ? rng.Range(.06f, .1f) : 0;
        Blobs(Globules, 28, 60, globule * .8f, globule * 1.2f, .95f, new(0, 50, 0), new(0, 105, 0));
        Blobs(IrregularDots, 8, 26, .03f, .13f, .95f, new(0, 80, 0), new(0, 210, 0));
        Blobs(IrregularDots, 5, 14, .04f, .18f, .8f, new(0, 140, 0), new(0, 250, 60), cluster: .17f);
        Blobs(Regression, 15, 40, .03f, .07f, .7f, new(0, 20, 90), new(0, 20, 170), even: 0, cluster: .2f);
        if (lesion.Has(Streaks)) DrawStreaks();
        for (int i = lesion.Has(ArborisingVessels) ? rng.Int(2, 4) : 0; i > 0; i--)
        {
            float angle = rng.Angle();
            Vessel(Polar(rng.Range(.75f, 1.05f) * radius, angle), angle + MathF.PI + rng.Range(-.5f, .5f),
                rng.Range(.06f, .11f), radius * rng.Range(.6f, .95f), 0);
        }
    }

    public void DrawAbove()
    {
        Blobs(MiliaCysts, 6, 20, .06f, .19f, .9f, new(60, 120, 0), new(110, 200, 0));
        for (int i = lesion.Has(Fissures) ? rng.Int(5, 11) : 0; i > 0; i--) Furrow();
        Blobs(ComedoOpenings, 5, 15, .1f, .28f, .88f, new(0, 0, 140), new(0, 50, 220));
    }

    // Repeats the edge pixels outwards.
    public static void Blur(SKBitmap from, SKBitmap to, float sigma)
    {
        using var canvas = new SKCanvas(to);
        using SKImageFilter filter = SKImageFilter.CreateBlur(sigma, sigma, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = filter, BlendMode = SKBlendMode.Src };
        canvas.DrawBitmap(from, 0, 0, SKSamplingOptions.Default, paint);
    }

    // Spread over the lesion, or around one place where cluster is above 0. An even of 0 draws circles.
    private void Blobs(Trait trait, int few, int many, float small, float large, float spread, SKColor low,
        SKColor high, float even = .82f, float cluster = 0)
    {
        if (!lesion.Has(trait)) return;
        Vector2 centre = cluster > 0 ? shape.Inside(rng, spread) : default;
        for (int i = rng.Int(few, many); i > 0; i--)
        {
            Vector2 at = cluster > 0 ? centre : shape.Inside(rng, spread);
            paint.Color = Colour(low, high);
            if (cluster > 0) at += new Vector2(rng.Normal(0, cluster), rng.Normal(0, cluster));
            float size = rng.Range(small, large);
            if (even > 0) Blob(at * radius, size, even);
            else canvas.DrawCircle(at * radius, size, paint);
        }
    }

    private SKColor Colour(SKColor low, SKColor high)
    {
        byte Amount(byte least, byte most) => least < most ? (byte)rng.Int(least, most) : least;
        return new(Amount(low.Red, high.Red), Amount(low.Green, high.Green), Amount(low.Blue, high.Blue));
    }

    private static Vector2 Polar(float length, float angle) =>
        new(length * MathF.Cos(angle), length * MathF.Sin(angle));

    private void Blob(Vector2 centre, float r, float even = .82f)
    {
        const int Corners = 7;
        Span<Vector2> p = stackalloc Vector2[Corners];
        float turn = rng.Angle(), flat = rng.Range(.7f, 1);
        Vector2 along = Polar(1, turn), across = new(-along.Y, along.X);
        for (int i = 0; i < Corners; i++)
        {
            float angle = i * MathF.Tau / Corners, reach = r * rng.Range(even, 2 - even);
            p[i] = centre + along * (reach * MathF.Cos(angle)) + across * (reach * flat * MathF.Sin(angle));
        }
        using var outline = new SKPathBuilder();
        outline.MoveTo((p[0] + p[^1]) / 2);
        for (int i = 0; i < Corners; i++) outline.QuadTo(p[i], (p[i] + p[(i + 1) % Corners]) / 2);
        Draw(outline, SKPaintStyle.Fill);
    }

    private void Draw(SKPathBuilder outline, SKPaintStyle style)
    {
        paint.Style = style;
        using SKPath path = outline.Snapshot();
        canvas.DrawPath(path, paint);
    }

    private void Curve(SKColor colour, float width, Vector2 from, Vector2 over, Vector2 to)
    {
        paint.Color = colour;
        paint.StrokeWidth = width;
        using var line = new SKPathBuilder();
        line.MoveTo(from);
        line.QuadTo(over, to);
        Draw(line, SKPaintStyle.Stroke);
    }

    // Lines across the outline on one side; some end in a bulb.
    private void DrawStreaks()
    {
        float from = rng.Angle(), span = rng.Range(1.2f, 3.2f);
        for (int i = rng.Int(14, 32); i > 0; i--)
        {
            float edge = 1.4f;
            Vector2 outwards = Polar(1, from + rng.Range(0, span));
            Vector2 bend = rng.Range(-.12f, .12f) * radius * new Vector2(-outwards.Y, outwards.X);
            while (edge > .2f && shape.Distance(edge * outwards) > 0) edge -= .04f;
            float inner = (edge - rng.Range(.2f, .35f)) * radius, outer = (edge + rng.Range(.02f, .16f)) * radius;
            Curve(Colour(new(0, 70, 0), new(0, 170, 0)), rng.Range(.035f, .08f), inner * outwards,
                (inner + outer) / 2 * outwards + bend, outer * outwards);
            if (rng.Chance(.3)) Blob(outer * outwards, rng.Range(.05f, .1f));
        }
    }

    private void Vessel(Vector2 from, float heading, float width, float length, int level)
    {
        const int Steps = 6;
        float step = length / Steps;
        for (int i = 0; i < Steps; i++)
        {
            float turn = heading + rng.Normal(0, .3f);
            Vector2 to = from + Polar(step, turn);
            Curve(new((byte)(level == 0 ? 190 : 150), 0, 0), width * (1 - .55f * i / Steps), from,
                from + Polar(step * .5f, heading), to);
            from = to;
            heading = turn;
            if (level < 3 && i > 0 && rng.Chance(.6))
                Vessel(from, heading + (rng.Chance(.5) ? 1 : -1) * rng.Range(.5f, 1.1f), width * .62f,
                    length * rng.Range(.35f, .6f), level + 1);
        }
    }

    // One line of a brain-like surface.
    private void Furrow()
    {
        Vector2 from = shape.Inside(rng, .8f);
        float heading = rng.Angle(), width = rng.Range(.09f, .2f);
        SKColor colour = Colour(new(0, 0, 60), new(0, 0, 120));
        for (int i = rng.Int(3, 6); i > 0; i--)
        {
            Vector2 over = from + Polar(.1f, heading += rng.Normal(0, .7f));
            Vector2 to = over + Polar(.1f, heading += rng.Normal(0, .5f));
            if (shape.Distance(to) > -.06f) return;
            Curve(colour, width, from * radius, over * radius, to * radius);
            from = to;
        }
    }
}
