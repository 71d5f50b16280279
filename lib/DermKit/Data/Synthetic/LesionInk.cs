using SkiaSharp;

namespace DermKit.Data;

/// <summary>Outlined structures; RGB is blood, melanin, blue in layer 0, white, keratin, dark in layer 1.</summary>
internal static class LesionInk
{
    // Draws in the lesion's mm; soft is a blurred copy of ink.
    public static void Draw(Lesion lesion, LesionShape shape, View view, SKBitmap[] ink, SKBitmap[] soft, Rng rng)
    {
        using var under = new SKCanvas(ink[0]);
        using var over = new SKCanvas(ink[1]);
        foreach (SKCanvas canvas in new[] { under, over })
        {
            canvas.Clear(SKColors.Black);
            canvas.Translate(view.X, view.Y);
            canvas.Scale(1 / view.Scale);
            canvas.RotateRadians(view.Angle);
        }
        using var paint = new SKPaint
        {
            IsAntialias = true,
            BlendMode = SKBlendMode.Lighten,
            StrokeCap = SKStrokeCap.Round,
            StrokeJoin = SKStrokeJoin.Round
        };
        float radius = lesion.Diameter / 2;
        void Blobs(SKCanvas canvas, int count, float small, float large, float spread, Func<SKColor> colour,
            float even = .82f)
        {
            for (int i = 0; i < count; i++)
            {
                var (x, y) = shape.Inside(rng, spread);
                paint.Color = colour();
                Blob(canvas, paint, rng, x * radius, y * radius, rng.Range(small, large), even);
            }
        }
        byte Amount(int low, int high) => (byte)rng.Int(low, high);

        if (lesion.Has(Trait.BlueGreyNests))
            Blobs(under, rng.Int(3, 9), .07f * radius, .2f * radius, .85f,
                () => new(Amount(10, 50), Amount(35, 90), Amount(110, 190)), .6f);
        if (lesion.Has(Trait.RedLacunae))
            Blobs(under, rng.Int(9, 22), .13f * radius, .3f * radius, .8f,
                () => new(Amount(90, 170), 0, Amount(0, 70)));
        if (lesion.Has(Trait.Globules))
        {
            float even = rng.Range(.06f, .1f);
            Blobs(under, rng.Int(28, 60), even * .8f, even * 1.2f, .95f, () => new(0, Amount(50, 105), 0));
        }
        if (lesion.Has(Trait.IrregularDots))
        {
            Blobs(under, rng.Int(8, 26), .03f, .13f, .95f, () => new(0, Amount(80, 210), 0));
            var (cx, cy) = shape.Inside(rng, .8f);
            for (int i = rng.Int(5, 14); i > 0; i--)
            {
                paint.Color = new(0, Amount(140, 250), Amount(0, 60));
                Blob(under, paint, rng, (cx + rng.Normal(0, .17f)) * radius, (cy + rng.Normal(0, .17f)) * radius,
                    rng.Range(.04f, .18f));
            }
        }
        if (lesion.Has(Trait.Regression))
        {
            var (cx, cy) = shape.Inside(rng, .7f);
            for (int i = rng.Int(15, 40); i > 0; i--)
            {
                paint.Color = new(0, 20, Amount(90, 170));
                under.DrawCircle((cx + rng.Normal(0, .2f)) * radius, (cy + rng.Normal(0, .2f)) * radius,
                    rng.Range(.03f, .07f), paint);
            }
        }
        if (lesion.Has(Trait.Streaks)) Streaks(under, paint, shape, rng, radius);
        if (lesion.Has(Trait.ArborisingVessels))
            for (int i = rng.Int(2, 4); i > 0; i--)
            {
                float turn = rng.Range(0, MathF.Tau), out0 = rng.Range(.75f, 1.05f) * radius;
                Vessel(under, paint, rng, out0 * MathF.Cos(turn), out0 * MathF.Sin(turn),
                    turn + MathF.PI + rng.Range(-.5f, .5f), rng.Range(.06f, .11f), radius * rng.Range(.6f, .95f), 0);
            }
        if (lesion.Has(Trait.MiliaCysts))
            Blobs(over, rng.Int(6, 20), .06f, .19f, .9f, () => new(Amount(60, 110), Amount(120, 200), 0));
        if (lesion.Has(Trait.Fissures))
            for (int i = rng.Int(5, 11); i > 0; i--) Wiggle(over, paint, shape, rng, radius);
        if (lesion.Has(Trait.ComedoOpenings))
            Blobs(over, rng.Int(5, 15), .1f, .28f, .88f, () => new(0, Amount(0, 50), Amount(140, 220)));
        float sigma = Math.Clamp((view.Clinical ? .09f : .04f) / view.Scale, .6f, 1.5f);
        for (int i = 0; i < 2; i++) Blur(ink[i], soft[i], sigma);
    }

    // Edges repeat.
    public static void Blur(SKBitmap from, SKBitmap to, float sigma)
    {
        using var canvas = new SKCanvas(to);
        using SKImageFilter filter = SKImageFilter.CreateBlur(sigma, sigma, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = filter, BlendMode = SKBlendMode.Src };
        using SKImage image = SKImage.FromPixels(from.PeekPixels());
        canvas.DrawImage(image, 0, 0, SKSamplingOptions.Default, paint);
    }

    private static void Blob(SKCanvas canvas, SKPaint paint, Rng rng, float x, float y, float r, float even = .82f)
    {
        const int Corners = 7;
        Span<SKPoint> p = stackalloc SKPoint[Corners];
        float turn = rng.Range(0, MathF.Tau), flat = rng.Range(.7f, 1), cos = MathF.Cos(turn), sin = MathF.Sin(turn);
        for (int i = 0; i < Corners; i++)
        {
            float angle = i * MathF.Tau / Corners, reach = r * rng.Range(even, 2 - even), qx = reach * MathF.Cos(angle),
                qy = reach * flat * MathF.Sin(angle);
            p[i] = new(x + cos * qx - sin * qy, y + sin * qx + cos * qy);
        }
        using var outline = new SKPathBuilder();
        outline.MoveTo((p[0].X + p[^1].X) / 2, (p[0].Y + p[^1].Y) / 2);
        for (int i = 0; i < Corners; i++)
        {
            SKPoint next = p[(i + 1) % Corners];
            outline.QuadTo(p[i].X, p[i].Y, (p[i].X + next.X) / 2, (p[i].Y + next.Y) / 2);
        }
        paint.Style = SKPaintStyle.Fill;
        using SKPath path = outline.Snapshot();
        canvas.DrawPath(path, paint);
    }

    private static void Curve(SKCanvas canvas, SKPaint paint, SKColor colour, float width, (float X, float Y) from,
        (float X, float Y) over, (float X, float Y) to)
    {
        paint.Style = SKPaintStyle.Stroke;
        paint.Color = colour;
        paint.StrokeWidth = width;
        using var line = new SKPathBuilder();
        line.MoveTo(from.X, from.Y);
        line.QuadTo(over.X, over.Y, to.X, to.Y);
        using SKPath path = line.Snapshot();
        canvas.DrawPath(path, paint);
    }

    // Lines across the outline on one side; some end in a bulb.
    private static void Streaks(SKCanvas canvas, SKPaint paint, LesionShape shape, Rng rng, float radius)
    {
        float from = rng.Range(0, MathF.Tau), span = rng.Range(1.2f, 3.2f);
        for (int i = rng.Int(14, 32); i > 0; i--)
        {
            float angle = from + rng.Range(0, span), cos = MathF.Cos(angle), sin = MathF.Sin(angle), edge = 1.4f,
                bend = rng.Range(-.12f, .12f) * radius;
            while (edge > .2f && shape.Distance(edge * cos, edge * sin) > 0) edge -= .04f;
            float inner = (edge - rng.Range(.2f, .35f)) * radius, outer = (edge + rng.Range(.02f, .16f)) * radius,
                middle = (inner + outer) / 2;
            Curve(canvas, paint, new(0, (byte)rng.Int(70, 170), 0), rng.Range(.035f, .08f), (inner * cos, inner * sin),
                (middle * cos - bend * sin, middle * sin + bend * cos), (outer * cos, outer * sin));
            if (rng.Chance(.3)) Blob(canvas, paint, rng, outer * cos, outer * sin, rng.Range(.05f, .1f));
        }
    }

    private static void Vessel(SKCanvas canvas, SKPaint paint, Rng rng, float x, float y, float heading, float width,
        float length, int level)
    {
        const int Steps = 6;
        float step = length / Steps;
        for (int i = 0; i < Steps; i++)
        {
            float turn = heading + rng.Normal(0, .3f);
            (float X, float Y) next = (x + step * MathF.Cos(turn), y + step * MathF.Sin(turn));
            Curve(canvas, paint, new((byte)(level == 0 ? 190 : 150), 0, 0), width * (1 - .55f * i / Steps), (x, y),
                (x + step * .5f * MathF.Cos(heading), y + step * .5f * MathF.Sin(heading)), next);
            x = next.X;
            y = next.Y;
            heading = turn;
            if (level < 3 && i > 0 && rng.Chance(.6))
                Vessel(canvas, paint, rng, x, y, heading + (rng.Chance(.5) ? 1 : -1) * rng.Range(.5f, 1.1f),
                    width * .62f, length * rng.Range(.35f, .6f), level + 1);
        }
    }

    // Furrows of a brain-like surface.
    private static void Wiggle(SKCanvas canvas, SKPaint paint, LesionShape shape, Rng rng, float radius)
    {
        var (x, y) = shape.Inside(rng, .8f);
        float heading = rng.Range(0, MathF.Tau), width = rng.Range(.09f, .2f);
        SKColor colour = new(0, 0, (byte)rng.Int(60, 120));
        for (int i = rng.Int(3, 6); i > 0; i--)
        {
            heading += rng.Normal(0, .7f);
            float cx = x + .1f * MathF.Cos(heading), cy = y + .1f * MathF.Sin(heading),
                turn = heading + rng.Normal(0, .5f), nx = cx + .1f * MathF.Cos(turn), ny = cy + .1f * MathF.Sin(turn);
            if (shape.Distance(nx, ny) > -.06f) return;
            Curve(canvas, paint, colour, width, (x * radius, y * radius), (cx * radius, cy * radius),
                (nx * radius, ny * radius));
            x = nx;
            y = ny;
            heading = turn;
        }
    }
}
