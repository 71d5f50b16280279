using SkiaSharp;
using System.Numerics;

namespace DermKit.Data;

/// <summary>Artefacts on the skin (hair, pen, ruler, gel) and on the lens (vignette, dark corners).</summary>
internal sealed class Overlay(SKCanvas canvas, SKPaint paint, Photo photo, View view, Rng rng)
{
    private const int Size = PhotoPainter.Size;

    // Behind a limb: gown, sheet, couch, table, shadow.
    public static readonly Vector3[] Cloths = [new(.42f, .60f, .62f), new(.86f, .86f, .85f), new(.28f, .38f, .52f),
        new(.55f, .46f, .36f), new(.16f, .16f, .18f), new(.62f, .66f, .60f)];

    public static void OnSkin(SKBitmap image, Photo photo, View view, Rng rng)
    {
        using var canvas = new SKCanvas(image);
        using var paint = new SKPaint { IsAntialias = true, StrokeCap = SKStrokeCap.Round };
        var overlay = new Overlay(canvas, paint, photo, view, rng);
        if (photo.Has(Artefacts.PenMark)) overlay.PenMark();
        if (photo.Has(Artefacts.Hair)) overlay.Hair();
        if (photo.Dermoscopic && photo.Has(Artefacts.Glare)) overlay.Gel();
        if (photo.Has(Artefacts.Ruler)) overlay.Ruler();
    }

    public static void OnLens(SKBitmap image, Photo photo, Rng rng)
    {
        using var canvas = new SKCanvas(image);
        float x = Size / 2f + rng.Range(-8, 8), y = Size / 2f + rng.Range(-8, 8);
        if (photo.Has(Artefacts.Vignette))
        {
            byte dark = (byte)rng.Int(90, 170);
            using SKPaint shade = Gradient(x, y, Size * .76f, SKBlendMode.Multiply, [0, rng.Range(.4f, .6f), 1],
                SKColors.White, SKColors.White, new(dark, dark, dark));
            canvas.DrawPaint(shade);
        }
        if (photo.Has(Artefacts.DarkCorners))
        {
            using SKPaint shade = Gradient(x, y, Size * rng.Range(.5f, .62f) * 1.04f, SKBlendMode.SrcOver, [0, .94f, 1],
                SKColors.Transparent, SKColors.Transparent, new(8, 6, 8));
            canvas.DrawPaint(shade);
        }
    }

    private static SKPaint Gradient(float x, float y, float radius, SKBlendMode blend, float[] places,
        params SKColor[] colours)
    {
        using SKShader shader =
            SKShader.CreateRadialGradient(new(x, y), radius, colours, places, SKShaderTileMode.Clamp);
        return new() { Shader = shader, BlendMode = blend, IsAntialias = true };
    }

    private void Stroke(SKColor colour, float width)
    {
        paint.Style = SKPaintStyle.Stroke;
        paint.Color = colour;
        paint.StrokeWidth = width;
    }

    private void Fill(SKColor colour)
    {
        paint.Style = SKPaintStyle.Fill;
        paint.Color = colour;
    }

    private void Hair()
    {
        Patient patient = photo.Lesion.Patient;
        bool grey = rng.Chance((patient.Age - 45) / 50), fair = !grey && patient.SkinType <= 2 && rng.Chance(.45);
        SKColor tint = grey ? new(176, 170, 164) : fair ? new(150, 112, 70) : new(44, 30, 24);
        float main = rng.Angle();
        for (int i = rng.Int(5, 26); i > 0; i--)
        {
            float angle = main + rng.Normal(0, .45f),
                length = Size * rng.Range(.35f, 1) * (photo.Dermoscopic ? 1 : .45f);
            var outwards = new Vector2(MathF.Cos(angle), MathF.Sin(angle));
            Vector2 along = outwards * length,
                bend = rng.Normal(0, .14f) * length * new Vector2(-outwards.Y, outwards.X),
                from = new(rng.Range(-30, Size + 30), rng.Range(-30, Size + 30));
            int tone = rng.Int(-14, 14);
            byte Tone(byte channel) => (byte)(channel + tone);
            float width = rng.Range(.8f, 2.1f) * (photo.Dermoscopic ? 1 : .55f);
            using var curve = new SKPathBuilder();
            curve.MoveTo(from);
            curve.CubicTo(from + along * .33f + bend,
                from + along * .66f + bend * new Vector2(rng.Range(.2f, 1.2f), 1), from + along);
            using SKPath path = curve.Snapshot();
            // Shadow on the skin, the hair, its shine.
            Stroke(new(40, 20, 15, 38), width * 1.7f);
            canvas.Translate(1.2f, 1.2f);
            canvas.DrawPath(path, paint);
            canvas.Translate(-1.2f, -1.2f);
            Stroke(new(Tone(tint.Red), Tone(tint.Green), Tone(tint.Blue), (byte)rng.Int(170, 235)), width);
            canvas.DrawPath(path, paint);
            Stroke(new(255, 245, 235, (byte)(grey ? 70 : 36)), width * .3f);
            canvas.DrawPath(path, paint);
        }
    }

    // Engraved in the contact plate, or a paper strip in a clinical image.
    private void Ruler()
    {
        bool engraved = photo.Dermoscopic;
        int side = rng.Int(0, 3);
        float step = 1 / view.Scale, start = rng.Range(0, step), line = Size - (engraved ? 5 : rng.Range(20, 30));
        canvas.Save();
        canvas.RotateDegrees(90 * side, Size / 2f, Size / 2f);
        if (!engraved)
        {
            canvas.RotateDegrees(rng.Range(-3, 3), Size / 2f, Size);
            Fill(new(30, 20, 15, 70));
            canvas.DrawRect(-20, line - 2, Size + 40, 80, paint);
            Fill(new(236, 234, 226));
            canvas.DrawRect(-20, line, Size + 40, 80, paint);
        }
        Stroke(engraved ? new(20, 18, 22, 215) : new(30, 30, 34, 230), engraved ? 1.5f : 1);
        if (engraved) canvas.DrawLine(0, line, Size, line, paint);
        for (int i = 0; start + i * step < Size; i++)
        {
            int length = i % 10 == 0 ? 13 : i % 5 == 0 ? 9 : 6;
            canvas.DrawLine(start + i * step, line, start + i * step, line + (engraved ? -length : length), paint);
        }
        canvas.Restore();
    }

    private void PenMark()
    {
        float reach = photo.Lesion.Diameter / 2 / view.Scale * rng.Range(1.25f, 1.6f) + 6;
        Stroke(new(86, 62, 150, (byte)rng.Int(120, 180)), rng.Range(2.2f, 4));
        paint.BlendMode = SKBlendMode.Multiply;
        canvas.DrawArc(new(view.X - reach, view.Y - reach * .93f, view.X + reach, view.Y + reach * .93f),
            rng.Range(0, 360), rng.Range(190, 330), false, paint);
        paint.BlendMode = SKBlendMode.SrcOver;
    }

    // Bubbles and a soft sheen where the plate does not touch.
    private void Gel()
    {
        static SKColor White(int alpha) => SKColors.White.WithAlpha((byte)alpha);
        float x = rng.Range(0, Size), y = rng.Range(0, Size), radius = rng.Range(50, 120);
        using (SKPaint glow = Gradient(x, y, radius, SKBlendMode.Screen, [0, 1], White(rng.Int(50, 105)), White(0)))
        {
            canvas.Save();
            canvas.RotateDegrees(rng.Range(0, 180), x, y);
            canvas.Scale(1, rng.Range(.25f, .7f), x, y);
            canvas.DrawPaint(glow);
            canvas.Restore();
        }
        Fill(White(190));
        for (int i = rng.Int(0, 7); i > 0; i--)
        {
            x = rng.Range(0, Size);
            y = rng.Range(0, Size);
            radius = rng.Range(2.5f, 9);
            using SKPaint bubble = Gradient(x, y, radius, SKBlendMode.SrcOver, [0, .66f, .84f, .95f, 1], White(10),
                White(16), White(105), new(60, 35, 30, 60), new(60, 35, 30, 0));
            canvas.DrawCircle(x, y, radius, bubble);
            canvas.DrawOval(x - radius * .35f, y - radius * .4f, radius * .2f, radius * .14f, paint);
        }
    }
}
