using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Noise;

namespace DermKit.Data;

/// <summary>Draws images: skin with its lesion, light, then artefacts. Its buffers serve one thread.</summary>
internal sealed class PhotoPainter(int seed)
{
    public const int Size = 224;

    private readonly SkinPainter skin = new(Size);

    public (byte[] Jpeg, float LesionFraction) Draw(Photo photo)
    {
        Photo source = photo.Original ?? photo;
        var rng = new Rng(seed, source.Index);
        float mm = source.Lesion.Diameter, field = source.Dermoscopic ? Math.Clamp(mm * rng.Range(1.1f, 1.7f), 6.5f, 19)
            : Math.Clamp(mm * rng.Range(1.5f, 2.8f), 10, 60);
        var view = new View(rng.Point(.38f, .62f) * Size, field / Size, rng.Angle(), !source.Dermoscopic);
        skin.Paint(source.Lesion, view);
        using var image = new SKBitmap(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque);
        Light(image, source, view, rng);
        Overlay.Draw(image, source, view, rng);
        if (photo.Original is not null) Repeat(image, rng = new Rng(seed, photo.Index, 1));
        using SKData data = image.Encode(SKEncodedImageFormat.Jpeg, photo.Original is null ? 92 : rng.Int(70, 88));
        return (data.ToArray(), skin.Mask.Average());
    }

    // Lights the relief, rounds the body part, sets white balance and exposure, adds noise.
    private void Light(SKBitmap image, Photo photo, View view, Rng rng)
    {
        bool clinical = view.Clinical, limb = photo.Lesion.Site is "arm" or "leg" or "hand" or "neck" or "foot";
        Vector2 light = Rng.Polar(1, rng.Angle()), axis = Rng.Polar(1, rng.Angle()), spot = rng.Point(-.3f, .3f);
        float relief = (clinical ? rng.Range(.45f, .85f) : .1f) / (2 * view.Scale), warm = rng.Range(-.05f, .08f);
        float fall = clinical ? rng.Range(.05f, .28f) : rng.Range(0, .08f), ridge = rng.Range(-.2f, .2f);
        float round = !clinical ? 0 : limb ? rng.Range(.4f, 1) : rng.Range(0, .3f);
        float gloss = !clinical ? 0 : photo.Has(Artefacts.Glare) ? rng.Range(.3f, .55f) : .06f;
        float grain = rng.Range(.5f, 1.6f) / 255 / 64;
        Vector3 tint = rng.Range(.76f, 1.14f) * new Vector3(1 + warm, 1 + rng.Range(-.02f, .02f), 1 - warm);
        Span<byte> bytes = image.GetPixelSpan();
        for (int i = 0; i < Size * Size; i++)
        {
            int right = i % Size < Size - 1 ? i + 1 : i, down = i < Size * (Size - 1) ? i + Size : i;
            Vector2 at = new Vector2(i % Size, i / Size) / Size - new Vector2(.5f);
            var gradient = new Vector2(skin.Height[right] - skin.Height[i], skin.Height[down] - skin.Height[i]);
            float slope = relief * 2 * Vector2.Dot(gradient, light), across = Vector2.Dot(at, axis) - ridge;
            float shade = (1 + Math.Clamp(slope, -.38f, .26f)) * (1 - fall * Vector2.Dot(at, light))
                * (1 - round * across * across);
            float spark = gloss
                * Step(.6f, 1.15f, .9f * MathF.Exp(-12 * Vector2.DistanceSquared(at, spot)) + 1.4f * slope);
            Vector3 c = skin.Colours[i] * tint * shade;
            c += spark * (Vector3.One - c);
            ulong bits = rng.Next();
            for (int k = 0; k < 3; k++)
                bytes[4 * i + k] = Byte(c[k] + grain * ((byte)(bits >> 8 * k) + 2 * (byte)(bits >> 24) - 383));
            bytes[4 * i + 3] = 255;
        }
    }

    // Bright parts roll off as on a camera.
    private static byte Byte(float value) =>
        (byte)(255 * (value < .72f ? Math.Max(0, value) : 1.08f - .1296f / (value - .36f)) + .5f);

    // A second upload: slightly cropped, turned, brighter or darker, and encoded again.
    private static void Repeat(SKBitmap image, Rng rng)
    {
        using SKBitmap copy = image.Copy();
        using var canvas = new SKCanvas(image);
        using var paint = new SKPaint { Color = SKColors.Black.WithAlpha((byte)rng.Int(246, 255)) };
        float zoom = rng.Range(1.07f, 1.13f);
        canvas.Clear(rng.Chance(.5) ? SKColors.White : SKColors.Black);
        canvas.RotateDegrees(rng.Chance(.4) ? rng.Range(-3, 3) : 0, Size / 2, Size / 2);
        canvas.Scale(zoom, zoom, Size / 2, Size / 2);
        canvas.DrawBitmap(copy, rng.Range(-3, 3), rng.Range(-3, 3), new SKSamplingOptions(SKCubicResampler.Mitchell),
            paint);
    }
}
