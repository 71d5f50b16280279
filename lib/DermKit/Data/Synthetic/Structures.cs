using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Trait;

namespace DermKit.Data;

/// <summary>Outlined structures of a lesion, with lengths in its radii.</summary>
internal static class Structures
{
    // Small to Large: radius, or width of lines; these have a Length, run inwards from Spread times the outline, and
    // fork. Soft: sd of an edge. Cluster: sd of places around one, for lines their arc in radians.
    private sealed record Structure(Trait Trait, bool Covers, int Few, int Many, float Small, float Large,
        float Spread, SKColor Colour, float Soft = 0, float Cluster = 0, float Length = 0, int Forks = 0);

    private static readonly Structure[] All =
    [
        new(RedPseudonetwork, false, 60, 90, .1f, .17f, 1, new(226, 150, 142), .03f),
        new(RedPseudonetwork, true, 60, 90, .035f, .065f, 1, new(236, 206, 172), .01f),
        new(RedLacunae, false, 9, 22, .12f, .28f, .8f, new(170, 30, 62), .01f),
        new(Globules, false, 28, 60, .025f, .045f, .95f, new(112, 72, 48)),
        new(IrregularDots, false, 8, 26, .014f, .045f, .95f, new(70, 44, 34)),
        new(IrregularDots, false, 5, 14, .016f, .06f, .8f, new(44, 32, 28), Cluster: .17f),
        new(Streaks, false, 14, 32, .018f, .034f, 1.14f, new(84, 52, 38), 0, 2.4f, .4f),
        new(ArborisingVessels, false, 2, 4, .03f, .045f, 1, new(190, 50, 60), 0, 6.3f, .8f, 3),
        new(Fissures, false, 5, 11, .025f, .05f, .9f, new(92, 66, 54), 0, 6.3f, .7f),
        new(BlueGreyNests, true, 3, 9, .07f, .18f, .85f, new(80, 90, 122), .02f),
        new(BlueWhiteVeil, true, 1, 1, .35f, .6f, .5f, new(116, 128, 160), .13f),
        new(Regression, true, 1, 2, .25f, .45f, .7f, new(232, 208, 200), .07f),
        new(Regression, true, 20, 45, .014f, .03f, .7f, new(88, 96, 120), 0, .2f),
        new(CentralWhitePatch, true, 1, 1, .32f, .5f, 0, new(236, 212, 202), .1f),
        new(Crust, true, 1, 2, .16f, .32f, .6f, new(120, 56, 36), .03f),
        new(Crust, true, 4, 9, .03f, .1f, .6f, new(206, 154, 88), .02f, .12f),
        new(Scale, true, 50, 120, .015f, .06f, .95f, new(238, 226, 206), .012f),
        new(MiliaCysts, true, 6, 20, .02f, .055f, .9f, new(250, 238, 216), .01f),
        new(ComedoOpenings, true, 5, 15, .03f, .08f, .88f, new(52, 40, 34), .006f),
    ];

    // Covers, or else stains on white.
    public static SKBitmap Draw(Lesion lesion, LesionShape shape, View view, int size, bool covers)
    {
        var bitmap = new SKBitmap(size, size, SKColorType.Rgba8888, SKAlphaType.Premul);
        using var canvas = new SKCanvas(bitmap);
        using var paint = new SKPaint { IsAntialias = true };
        if (!covers) paint.BlendMode = SKBlendMode.Darken;
        canvas.Clear(covers ? SKColors.Transparent : SKColors.White);
        canvas.Translate(view.Middle);
        canvas.RotateRadians(view.Angle);
        canvas.Scale(lesion.Diameter / 2 / view.Scale);
        foreach (Structure all in All.Where(s => s.Covers == covers && lesion.Has(s.Trait)))
        {
            // All structures of a trait take the same places.
            var rng = new Rng(lesion.Seed, 1, (long)all.Trait);
            using SKMaskFilter? soft = all.Soft > 0 ? SKMaskFilter.CreateBlur(SKBlurStyle.Normal, all.Soft) : null;
            paint.MaskFilter = soft;
            Vector2 centre = shape.Inside(rng, all.Spread);
            float side = rng.Angle();
            for (int i = rng.Int(all.Few, all.Many); i > 0; i--)
            {
                float part = rng.Range(.6f, 1), width = rng.Range(all.Small, all.Large);
                paint.Color = all.Colour.WithAlpha((byte)(255 * part));
                if (all.Length > 0)
                {
                    float angle = side + rng.Range(0, all.Cluster);
                    Line(canvas, paint, rng, shape.Rim(angle) * all.Spread, angle + MathF.PI + rng.Range(-.4f, .4f),
                        .25f, width, all.Length * part, all.Forks);
                    continue;
                }
                Vector2 at = all.Cluster == 0 ? shape.Inside(rng, all.Spread)
                    : centre + new Vector2(rng.Normal(0, all.Cluster), rng.Normal(0, all.Cluster));
                canvas.DrawCircle(at, width, paint);
            }
        }
        return bitmap;
    }

    // A tapering line that bends by an sd of bend radians at each of its steps.
    public static void Line(SKCanvas canvas, SKPaint paint, Rng rng, Vector2 from, float heading, float bend,
        float width, float length, int forks = 0)
    {
        const int Steps = 8;
        paint.StrokeCap = SKStrokeCap.Round;
        for (int i = 0; i < Steps; i++)
        {
            Vector2 to = from + Rng.Polar(length / Steps, heading += rng.Normal(0, bend));
            paint.StrokeWidth = width * (1 - .5f * i / Steps);
            canvas.DrawLine(from, to, paint);
            from = to;
            if (forks > 0 && rng.Chance(.4))
                Line(canvas, paint, rng, from, heading + (rng.Chance(.5) ? .8f : -.8f), bend, width * .6f,
                    length * rng.Range(.35f, .6f), forks - 1);
        }
    }
}
