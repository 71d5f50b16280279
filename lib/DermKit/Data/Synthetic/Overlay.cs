using SkiaSharp;
using System.Numerics;
using static SkiaSharp.SKBlendMode;

namespace DermKit.Data;

/// <summary>Artefacts on the skin (cloth behind it, pen, hair, shine, ruler), then of the camera.</summary>
internal sealed class Overlay(SKCanvas canvas, SKPaint paint, Photo photo, View view, Rng rng)
{
    private const int Size = PhotoPainter.Size;
    private static readonly SKColor Shadow = new(20, 12, 10), Clear = new(255, 255, 255, 0);

    // Behind a limb: gown, sheet, couch, table, shadow.
    private static readonly SKColor[] Cloths =
        [new(107, 153, 158), new(219, 219, 217), new(71, 97, 133), new(140, 117, 92), new(41, 41, 46)];

    private readonly Vector2 middle = new(Size / 2f);

    public static void Draw(SKBitmap image, Photo photo, View view, Rng rng)
    {
        using var canvas = new SKCanvas(image);
        using var paint = new SKPaint { IsAntialias = true, IsStroke = true };
        new Overlay(canvas, paint, photo, view, rng).Draw(image);
    }

    private void Draw(SKBitmap image)
    {
        // Cloth lies beyond a slightly round edge.
        if (photo.Has(Artefacts.Background))
            Disc(middle + Rng.Polar((rng.Range(.34f, .46f) - 2) * Size, rng.Angle()), 2 * Size, 1, SrcOver,
                (.93f, Shadow.WithAlpha(0)), (.99f, Shadow.WithAlpha(140)), (1, Cloths[rng.Int(0, 4)]));
        if (photo.Has(Artefacts.PenMark)) PenMark();
        if (photo.Has(Artefacts.Hair)) Hair();
        if (photo.Has(Artefacts.Glare))
            Disc(rng.Point(0, Size), rng.Range(50, 120), rng.Range(.25f, .7f), Screen, (0, White(50, 105)), (1, Clear));
        // Bubbles in contact gel.
        for (int i = photo.Dermoscopic && photo.Has(Artefacts.Glare) ? rng.Int(0, 7) : 0; i > 0; i--)
        {
            Vector2 at = rng.Point(0, Size);
            float radius = rng.Range(2.5f, 9);
            Disc(at, radius, 1, SrcOver, (.66f, White(10, 20)), (.84f, White(90, 120)), (.95f, Shadow.WithAlpha(60)),
                (1, Shadow.WithAlpha(0)));
            Disc(at - new Vector2(.35f * radius), .25f * radius, 1, SrcOver, (.6f, White(180, 200)), (1, Clear));
        }
        if (photo.Has(Artefacts.Ruler)) Ruler();
        if (photo.Has(Artefacts.Blur)) Blur(image, rng.Range(1.2f, 2.2f));
        Vector2 lens = middle + rng.Point(-8, 8);
        if (photo.Has(Artefacts.Vignette))
            Disc(lens, Size * .76f, 1, SrcOver, (rng.Range(.4f, .6f), Shadow.WithAlpha(0)),
                (1, Shadow.WithAlpha((byte)rng.Int(90, 165))));
        if (photo.Has(Artefacts.DarkCorners))
            Disc(lens, Size * rng.Range(.52f, .64f), 1, SrcOver, (.96f, Shadow.WithAlpha(0)), (1, new(8, 6, 8)));
    }

    private SKColor White(int low, int high) => SKColors.White.WithAlpha((byte)rng.Int(low, high));

    private void Blur(SKBitmap image, float sigma)
    {
        using SKBitmap sharp = image.Copy();
        using SKImageFilter filter = SKImageFilter.CreateBlur(sigma, sigma, SKShaderTileMode.Clamp);
        using var blur = new SKPaint { ImageFilter = filter, BlendMode = Src };
        canvas.DrawBitmap(sharp, 0, 0, SKSamplingOptions.Default, blur);
    }

    // A radial gradient that continues beyond its radius; flat squeezes it at a random angle.
    private void Disc(Vector2 at, float radius, float flat, SKBlendMode blend,
        params (float Place, SKColor Colour)[] stops)
    {
        using SKShader shader = SKShader.CreateRadialGradient(default, radius, [.. stops.Select(s => s.Colour)],
            [.. stops.Select(s => s.Place)], SKShaderTileMode.Clamp);
        using var gradient = new SKPaint { Shader = shader, BlendMode = blend };
        canvas.Save();
        canvas.Translate(at);
        canvas.RotateRadians(rng.Angle());
        canvas.Scale(1, flat);
        canvas.DrawCircle(0, 0, 4 * radius, gradient);
        canvas.Restore();
    }

    private void Pen(SKColor colour, float width, SKBlendMode blend = SrcOver)
    {
        paint.Color = colour;
        paint.StrokeWidth = width;
        paint.BlendMode = blend;
    }

    private void PenMark()
    {
        float reach = photo.Lesion.Diameter / 2 / view.Scale * rng.Range(1.25f, 1.6f) + 6;
        Pen(new(86, 62, 150, (byte)rng.Int(120, 180)), rng.Range(2.2f, 4), Multiply);
        canvas.DrawArc(SKRect.Create(view.Middle.X - reach, view.Middle.Y - reach, 2 * reach, 1.86f * reach),
            rng.Range(0, 360), rng.Range(190, 330), false, paint);
    }

    private void Hair()
    {
        Patient patient = photo.Lesion.Patient;
        float main = rng.Angle(), near = photo.Dermoscopic ? 1 : .5f;
        using SKImageFilter shadow = SKImageFilter.CreateDropShadow(1.2f, 1.2f, .5f, .5f, Shadow.WithAlpha(60));
        using var layer = new SKPaint { ImageFilter = shadow, Color = White(190, 240) };
        Pen(rng.Chance((patient.Age - 45) / 50) ? new(176, 170, 164)
            : rng.Chance(patient.SkinType <= 2 ? .45 : 0) ? new(150, 112, 70) : new(44, 30, 24), 1);
        canvas.SaveLayer(layer);
        for (int i = rng.Int(5, 26); i > 0; i--)
            Structures.Line(canvas, paint, rng, rng.Point(-30, Size + 30), main + rng.Normal(0, .45f), .1f,
                near * rng.Range(1, 2.4f), near * Size * rng.Range(.35f, 1));
        canvas.Restore();
    }

    // Engraved in the contact plate, or a paper strip in a clinical image, with a mark a millimetre.
    private void Ruler()
    {
        float step = 1 / view.Scale, x = rng.Range(0, step), edge = Size - (view.Clinical ? rng.Range(20, 30) : 5);
        canvas.Save();
        canvas.RotateDegrees(90 * rng.Int(0, 3) + (view.Clinical ? rng.Range(-3, 3) : 0), middle.X, middle.Y);
        Pen(new(236, 234, 226), 80);
        if (view.Clinical) canvas.DrawLine(-40, edge + 40, Size + 40, edge + 40, paint);
        Pen(new(24, 22, 26, 220), view.Clinical ? 1 : 1.5f);
        canvas.DrawLine(0, edge, Size, edge, paint);
        for (int i = 0; x < Size; i++, x += step)
        {
            int length = i % 10 == 0 ? 13 : i % 5 == 0 ? 9 : 6;
            canvas.DrawLine(x, edge, x, edge + (view.Clinical ? length : -length), paint);
        }
        canvas.Restore();
    }
}
