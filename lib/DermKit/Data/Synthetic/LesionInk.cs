using SkiaSharp;

namespace DermKit.Data.Synthetic;

/// <summary>
/// The structures with an outline of their own, drawn by Skia as concentrations: layer 0 holds blood, melanin and blue in its red, green and blue,
/// layer 1 white, keratin and dark.
/// </summary>
internal static class LesionInk
{
    /// <summary>Draws into <paramref name="ink"/> in the lesion's mm and leaves a slightly blurred copy in <paramref name="soft"/>: nothing in skin has a knife edge.</summary>
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
        using var paint = new SKPaint { IsAntialias = true, BlendMode = SKBlendMode.Lighten, StrokeCap = SKStrokeCap.Round, StrokeJoin = SKStrokeJoin.Round };
        float radius = lesion.Diameter / 2;
        void Blobs(SKCanvas canvas, int count, float small, float large, float spread, Func<SKColor> colour, float even = .82f)
        {
            for (int i = 0; i < count; i++)
            {
                var (x, y) = shape.Inside(rng, spread);
                paint.Color = colour();
                Blob(canvas, paint, rng, x * radius, y * radius, rng.Range(small, large), even);
            }
        }
        byte Amount(int low, int high) => (byte)rng.Int(low, high);

        if (lesion.Has(Trait.BlueGreyNests)) Blobs(under, rng.Int(3, 9), .07f * radius, .2f * radius, .85f, () => new(Amount(10, 50), Amount(35, 90), Amount(110, 190)), .6f);
        if (lesion.Has(Trait.RedLacunae)) Blobs(under, rng.Int(9, 22), .13f * radius, .3f * radius, .8f, () => new(Amount(90, 170), 0, Amount(0, 70)));
        if (lesion.Has(Trait.Globules))
        {
            bool rim = rng.Chance(.4);
            float even = rng.Range(.06f, .1f);
            Blobs(under, rng.Int(28, 60), even * .8f, even * 1.2f, .95f, () => new(0, Amount(50, 105), 0));
            if (rim) Ring(shape, rng, (x, y) => { paint.Color = new(0, Amount(60, 110), 0); Blob(under, paint, rng, x * radius, y * radius, even); });
        }
        if (lesion.Has(Trait.IrregularDots))
        {
            Blobs(under, rng.Int(8, 26), .03f, .13f, .95f, () => new(0, Amount(80, 210), 0));
            var (cx, cy) = shape.Inside(rng, .8f);
            for (int i = rng.Int(5, 14); i > 0; i--)
            {
                paint.Color = new(0, Amount(140, 250), Amount(0, 60));
                Blob(under, paint, rng, (cx + rng.Normal(0, .17f)) * radius, (cy + rng.Normal(0, .17f)) * radius, rng.Range(.04f, .18f));
            }
        }
        if (lesion.Has(Trait.Regression))
        {
            var (cx, cy) = shape.Inside(rng, .7f);
            for (int i = rng.Int(15, 40); i > 0; i--)
            {
                paint.Color = new(0, 20, Amount(90, 170));
                under.DrawCircle((cx + rng.Normal(0, .2f)) * radius, (cy + rng.Normal(0, .2f)) * radius, rng.Range(.03f, .07f), paint);
            }
        }
        if (lesion.Has(Trait.Streaks)) Streaks(under, paint, shape, rng, radius);
        if (lesion.Has(Trait.ArborisingVessels))
            for (int i = rng.Int(2, 4); i > 0; i--)
            {
                float turn = rng.Range(0, MathF.Tau), out0 = rng.Range(.75f, 1.05f) * radius;
                Vessel(under, paint, rng, out0 * MathF.Cos(turn), out0 * MathF.Sin(turn), turn + MathF.PI + rng.Range(-.5f, .5f), rng.Range(.06f, .11f), radius * rng.Range(.6f, .95f), 0);
            }
        if (lesion.Has(Trait.MiliaCysts)) Blobs(over, rng.Int(6, 20), .06f, .19f, .9f, () => new(Amount(60, 110), Amount(120, 200), 0));
        if (lesion.Has(Trait.Fissures)) Wiggles(over, paint, shape, rng, radius, rng.Int(5, 11));
        if (lesion.Has(Trait.ComedoOpenings)) Blobs(over, rng.Int(5, 15), .1f, .28f, .88f, () => new(0, Amount(0, 50), Amount(140, 220)));
        float sigma = Math.Clamp((view.Clinical ? .09f : .04f) / view.Scale, .6f, 1.5f);
        for (int i = 0; i < 2; i++) Blur(ink[i], soft[i], sigma);
    }

    /// <summary>Gaussian blur with edges repeated.</summary>
    public static void Blur(SKBitmap from, SKBitmap to, float sigma)
    {
        using var canvas = new SKCanvas(to);
        using SKImageFilter filter = SKImageFilter.CreateBlur(sigma, sigma, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = filter, BlendMode = SKBlendMode.Src };
        using SKImage image = SKImage.FromPixels(from.PeekPixels());
        canvas.DrawImage(image, 0, 0, SKSamplingOptions.Default, paint);
    }

    /// <summary>A rounded closed outline that is no circle.</summary>
    private static void Blob(SKCanvas canvas, SKPaint paint, Rng rng, float x, float y, float r, float even = .82f)
    {
        const int Corners = 7;
        Span<SKPoint> p = stackalloc SKPoint[Corners];
        float turn = rng.Range(0, MathF.Tau), flat = rng.Range(.7f, 1), cos = MathF.Cos(turn), sin = MathF.Sin(turn);
        for (int i = 0; i < Corners; i++)
        {
            float angle = i * MathF.Tau / Corners, reach = r * rng.Range(even, 2 - even), qx = reach * MathF.Cos(angle), qy = reach * flat * MathF.Sin(angle);
            p[i] = new(x + cos * qx - sin * qy, y + sin * qx + cos * qy);
        }
        using var path = new SKPathBuilder();
        path.MoveTo((p[0].X + p[^1].X) / 2, (p[0].Y + p[^1].Y) / 2);
        for (int i = 0; i < Corners; i++)
        {
            SKPoint next = p[(i + 1) % Corners];
            path.QuadTo(p[i].X, p[i].Y, (p[i].X + next.X) / 2, (p[i].Y + next.Y) / 2);
        }
        paint.Style = SKPaintStyle.Fill;
        Outline(canvas, path, paint);
    }

    /// <summary>Draws what the builder holds.</summary>
    public static void Outline(SKCanvas canvas, SKPathBuilder builder, SKPaint paint)
    {
        using SKPath path = builder.Snapshot();
        canvas.DrawPath(path, paint);
    }

    /// <summary>Calls back along the outline, a little inside it.</summary>
    private static void Ring(LesionShape shape, Rng rng, Action<float, float> at)
    {
        for (int i = 0; i < 26; i++)
        {
            float angle = i * MathF.Tau / 26 + rng.Range(-.05f, .05f), cos = MathF.Cos(angle), sin = MathF.Sin(angle), out0 = Edge(shape, cos, sin) - .1f;
            if (out0 > .2f) at(out0 * cos, out0 * sin);
        }
    }

    private static float Edge(LesionShape shape, float cos, float sin)
    {
        float reach = 1.4f;
        while (reach > .2f && shape.Distance(reach * cos, reach * sin) > 0) reach -= .04f;
        return reach;
    }

    private static void Streaks(SKCanvas canvas, SKPaint paint, LesionShape shape, Rng rng, float radius)
    {
        float from = rng.Range(0, MathF.Tau), span = rng.Range(1.2f, 3.2f);
        paint.Style = SKPaintStyle.Stroke;
        for (int i = rng.Int(14, 32); i > 0; i--)
        {
            float angle = from + rng.Range(0, span), cos = MathF.Cos(angle), sin = MathF.Sin(angle), edge = Edge(shape, cos, sin) * radius, bend = rng.Range(-.12f, .12f) * radius;
            float inner = edge - rng.Range(.2f, .35f) * radius, outer = edge + rng.Range(.02f, .16f) * radius, middle = (inner + outer) / 2;
            paint.Color = new(0, (byte)rng.Int(70, 170), 0);
            paint.StrokeWidth = rng.Range(.035f, .08f);
            using var path = new SKPathBuilder();
            path.MoveTo(inner * cos, inner * sin);
            path.QuadTo(middle * cos - bend * sin, middle * sin + bend * cos, outer * cos, outer * sin);
            Outline(canvas, path, paint);
            if (rng.Chance(.3)) Blob(canvas, paint, rng, outer * cos, outer * sin, rng.Range(.05f, .1f));
            paint.Style = SKPaintStyle.Stroke;
        }
    }

    private static void Vessel(SKCanvas canvas, SKPaint paint, Rng rng, float x, float y, float heading, float width, float length, int level)
    {
        paint.Style = SKPaintStyle.Stroke;
        int steps = 6;
        for (int i = 0; i < steps; i++)
        {
            float turn = rng.Normal(0, .3f), step = length / steps, nx = x + step * MathF.Cos(heading + turn), ny = y + step * MathF.Sin(heading + turn);
            paint.Color = new((byte)(level == 0 ? 190 : 150), 0, 0);
            paint.StrokeWidth = width * (1 - .55f * i / steps);
            using (var path = new SKPathBuilder())
            {
                path.MoveTo(x, y);
                path.QuadTo(x + step * .5f * MathF.Cos(heading), y + step * .5f * MathF.Sin(heading), nx, ny);
                Outline(canvas, path, paint);
            }
            (x, y, heading) = (nx, ny, heading + turn);
            if (level < 3 && i > 0 && rng.Chance(.6)) Vessel(canvas, paint, rng, x, y, heading + (rng.Chance(.5) ? 1 : -1) * rng.Range(.5f, 1.1f), width * .62f, length * rng.Range(.35f, .6f), level + 1);
        }
    }

    private static void Wiggles(SKCanvas canvas, SKPaint paint, LesionShape shape, Rng rng, float radius, int count)
    {
        paint.Style = SKPaintStyle.Stroke;
        for (int n = 0; n < count; n++)
        {
            var (x, y) = shape.Inside(rng, .8f);
            float heading = rng.Range(0, MathF.Tau);
            paint.Color = new(0, 0, (byte)rng.Int(60, 120));
            paint.StrokeWidth = rng.Range(.09f, .2f);
            using var path = new SKPathBuilder();
            path.MoveTo(x * radius, y * radius);
            for (int i = rng.Int(3, 6); i > 0; i--)
            {
                heading += rng.Normal(0, .7f);
                (float cx, float cy) = (x + .1f * MathF.Cos(heading), y + .1f * MathF.Sin(heading));
                heading += rng.Normal(0, .5f);
                (x, y) = (cx + .1f * MathF.Cos(heading), cy + .1f * MathF.Sin(heading));
                if (shape.Distance(x, y) > -.06f) break;
                path.QuadTo(cx * radius, cy * radius, x * radius, y * radius);
            }
            Outline(canvas, path, paint);
        }
    }
}
