using SkiaSharp;
using System.Numerics;

namespace DermKit.Data;

/// <summary>Artefacts on the skin (hair, pen, ruler, gel) and on the lens (vignette, dark corners).</summary>
internal static class Overlay
{
    private const int Size = PhotoPainter.Size;

    // Behind a limb: gown, sheet, couch, table, shadow.
    public static readonly Vector3[] Cloths = [new(.42f, .60f, .62f), new(.86f, .86f, .85f), new(.28f, .38f, .52f),
        new(.55f, .46f, .36f), new(.16f, .16f, .18f), new(.62f, .66f, .60f)];

    public static void OnSkin(SKCanvas canvas, Photo photo, View view, Rng rng)
    {
        using var paint = new SKPaint { IsAntialias = true, StrokeCap = SKStrokeCap.Round };
        if (photo.Artefacts.HasFlag(Artefacts.PenMark)) PenMark(canvas, paint, photo, view, rng);
        if (photo.Artefacts.HasFlag(Artefacts.Hair)) Hair(canvas, paint, photo, rng);
        if (photo.Dermoscopic && photo.Artefacts.HasFlag(Artefacts.Glare)) Gel(canvas, paint, rng);
        if (photo.Artefacts.HasFlag(Artefacts.Ruler)) Ruler(canvas, paint, photo, view, rng);
    }

    public static void OnLens(SKCanvas canvas, Photo photo, Rng rng)
    {
        float cx = Size / 2f + rng.Range(-8, 8), cy = Size / 2f + rng.Range(-8, 8);
        if (photo.Artefacts.HasFlag(Artefacts.Vignette))
        {
            byte dark = (byte)rng.Int(90, 170);
            Shade(canvas, cx, cy, Size * .76f, SKBlendMode.Multiply, [0, rng.Range(.4f, .6f), 1],
                SKColors.White, SKColors.White, new(dark, dark, dark));
        }
        if (photo.Artefacts.HasFlag(Artefacts.DarkCorners))
            Shade(canvas, cx, cy, Size * rng.Range(.5f, .62f) * 1.04f, SKBlendMode.SrcOver, [0, .94f, 1],
                SKColors.Transparent, SKColors.Transparent, new(8, 6, 8));
    }

    private static void Shade(SKCanvas canvas, float x, float y, float radius, SKBlendMode blend, float[] places,
        params SKColor[] colours)
    {
        using SKShader shader = SKShader.CreateRadialGradient(new(x, y), radius, colours, places,
            SKShaderTileMode.Clamp);
        using var paint = new SKPaint { Shader = shader, BlendMode = blend };
        canvas.DrawRect(0, 0, Size, Size, paint);
    }

    private static void Hair(SKCanvas canvas, SKPaint paint, Photo photo, Rng rng)
    {
        Patient patient = photo.Lesion.Patient;
        bool grey = rng.Chance((patient.Age - 45) / 50), fair = !grey && patient.SkinType <= 2 && rng.Chance(.45);
        float scale = photo.Dermoscopic ? 1 : .55f, main = rng.Range(0, MathF.Tau);
        paint.Style = SKPaintStyle.Stroke;
        for (int i = rng.Int(5, 26); i > 0; i--)
        {
            float angle = main + rng.Normal(0, .45f),
                length = Size * rng.Range(.35f, 1) * (photo.Dermoscopic ? 1 : .45f),
                bend = rng.Normal(0, .14f) * length;
            float x = rng.Range(-30, Size + 30), y = rng.Range(-30, Size + 30), cos = MathF.Cos(angle),
                sin = MathF.Sin(angle);
            int tone = rng.Int(-14, 14);
            SKColor colour = grey ? Shade(176, 170, 164, tone) : fair ? Shade(150, 112, 70, tone)
                : Shade(44, 30, 24, tone);
            float width = rng.Range(.8f, 2.1f) * scale;
            using var curve = new SKPathBuilder();
            curve.MoveTo(x, y);
            curve.CubicTo(x + cos * length * .33f - sin * bend, y + sin * length * .33f + cos * bend,
                x + cos * length * .66f - sin * bend * rng.Range(.2f, 1.2f),
                y + sin * length * .66f + cos * bend, x + cos * length, y + sin * length);
            using SKPath path = curve.Snapshot();
            // Shadow on the skin, the hair, its shine.
            foreach (var (ink, share, shift) in new[]
            {
                (new SKColor(40, 20, 15, 38), 1.7f, 1.2f), (colour.WithAlpha((byte)rng.Int(170, 235)), 1, 0),
                (new(255, 245, 235, (byte)(grey ? 70 : 36)), .3f, 0)
            })
            {
                paint.Color = ink;
                paint.StrokeWidth = width * share;
                canvas.Translate(shift, shift);
                canvas.DrawPath(path, paint);
                canvas.Translate(-shift, -shift);
            }
        }
    }

    private static SKColor Shade(int r, int g, int b, int by) => new((byte)(r + by), (byte)(g + by), (byte)(b + by));

    // Engraved in the contact plate, or a paper strip in a clinical image.
    private static void Ruler(SKCanvas canvas, SKPaint paint, Photo photo, View view, Rng rng)
    {
        int side = rng.Int(0, 3);
        float step = 1 / view.Scale, start = rng.Range(0, step), depth = photo.Dermoscopic ? 0 : rng.Range(20, 30);
        canvas.Save();
        canvas.RotateDegrees(90 * side, Size / 2f, Size / 2f);
        if (!photo.Dermoscopic)
        {
            canvas.RotateDegrees(rng.Range(-3, 3), Size / 2f, Size);
            paint.Style = SKPaintStyle.Fill;
            paint.Color = new(30, 20, 15, 70);
            canvas.DrawRect(-20, Size - depth - 2, Size + 40, depth + 30, paint);
            paint.Color = new(236, 234, 226);
            canvas.DrawRect(-20, Size - depth, Size + 40, depth + 30, paint);
        }
        paint.Style = SKPaintStyle.Stroke;
        paint.Color = photo.Dermoscopic ? new(20, 18, 22, 215) : new(30, 30, 34, 230);
        paint.StrokeWidth = photo.Dermoscopic ? 1.5f : 1.0f;
        float line = Size - depth, sign = photo.Dermoscopic ? -1 : 1;
        if (photo.Dermoscopic) canvas.DrawLine(0, line -= 5, Size, line, paint);
        for (int i = 0; start + i * step < Size; i++)
            canvas.DrawLine(start + i * step, line, start + i * step,
                line + sign * (i % 10 == 0 ? 13 : i % 5 == 0 ? 9 : 6), paint);
        canvas.Restore();
    }

    private static void PenMark(SKCanvas canvas, SKPaint paint, Photo photo, View view, Rng rng)
    {
        float reach = photo.Lesion.Diameter / 2 / view.Scale * rng.Range(1.25f, 1.6f) + 6;
        paint.Style = SKPaintStyle.Stroke;
        paint.Color = new(86, 62, 150, (byte)rng.Int(120, 180));
        paint.BlendMode = SKBlendMode.Multiply;
        paint.StrokeWidth = rng.Range(2.2f, 4);
        canvas.DrawArc(new(view.X - reach, view.Y - reach * .93f, view.X + reach, view.Y + reach * .93f),
            rng.Range(0, 360), rng.Range(190, 330), false, paint);
        paint.BlendMode = SKBlendMode.SrcOver;
    }

    // Bubbles and a soft sheen where the plate does not touch.
    private static void Gel(SKCanvas canvas, SKPaint paint, Rng rng)
    {
        float x0 = rng.Range(0, Size), y0 = rng.Range(0, Size), reach = rng.Range(50, 120);
        using (SKShader sheen = SKShader.CreateRadialGradient(new(x0, y0), reach,
            [new(255, 255, 255, (byte)rng.Int(50, 105)), new(255, 255, 255, 0)], SKShaderTileMode.Clamp))
        using (var glow = new SKPaint { Shader = sheen, BlendMode = SKBlendMode.Screen })
        {
            canvas.Save();
            canvas.RotateDegrees(rng.Range(0, 180), x0, y0);
            canvas.Scale(1, rng.Range(.25f, .7f), x0, y0);
            canvas.DrawRect(x0 - reach, y0 - reach, 2 * reach, 2 * reach, glow);
            canvas.Restore();
        }
        for (int i = rng.Int(0, 7); i > 0; i--)
        {
            float x = rng.Range(0, Size), y = rng.Range(0, Size), r = rng.Range(2.5f, 9);
            using SKShader rim = SKShader.CreateRadialGradient(new(x, y), r,
                [new(255, 255, 255, 10), new(255, 255, 255, 16), new(255, 255, 255, 105), new(60, 35, 30, 60),
                    new(60, 35, 30, 0)], [0, .66f, .84f, .95f, 1], SKShaderTileMode.Clamp);
            using var bubble = new SKPaint { Shader = rim, IsAntialias = true };
            canvas.DrawCircle(x, y, r, bubble);
            paint.Style = SKPaintStyle.Fill;
            paint.Color = new(255, 255, 255, 190);
            canvas.DrawOval(x - r * .35f, y - r * .4f, r * .2f, r * .14f, paint);
        }
    }
}
