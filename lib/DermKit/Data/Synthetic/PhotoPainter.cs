using SkiaSharp;
using System.Numerics;
using static DermKit.Data.Noise;

namespace DermKit.Data;

/// <summary>Draws images: skin, lesion, light, then artefacts. Its buffers serve one thread.</summary>
internal sealed class PhotoPainter(int seed)
{
    public const int Size = 224;

    // Skin types I to VI as sRGB; absorption of melanin and haemoglobin in red, green and blue (shape after Jacques
    // 2013, fitted by eye).
    private static readonly Vector3[] SkinColours =
        [new(.925f, .800f, .745f), new(.895f, .745f, .660f), new(.835f, .665f, .550f), new(.725f, .530f, .400f),
            new(.575f, .405f, .295f), new(.435f, .305f, .235f)];

    private readonly LesionMaps maps = new(Size);
    private readonly Vector3[] colours = new Vector3[Size * Size];
    private readonly float[] height = new float[Size * Size];

    public (byte[] Jpeg, float LesionFraction) Draw(Photo photo)
    {
        Photo source = photo.Original ?? photo;
        var rng = new Rng(seed, source.Index);
        float mm = source.Lesion.Diameter, drift = source.Dermoscopic ? .09f : .17f;
        float field = source.Dermoscopic ? Math.Clamp(mm * rng.Range(1.1f, 1.7f), 6.5f, 19)
            : Math.Clamp(mm * rng.Range(1.5f, 2.8f), 10, 60);
        var view = new View(Size * (.5f + rng.Range(-drift, drift)), Size * (.5f + rng.Range(-drift, drift)),
            field / Size, rng.Angle(), !source.Dermoscopic);
        maps.Paint(source.Lesion, view);
        PaintSkin(source, view);
        using SKBitmap image = NewBitmap(Size), blurred = NewBitmap(Size);
        Light(image, source, view, rng);
        float fraction = maps.Mask.Sum() / (Size * Size);
        Overlay.OnSkin(image, source, view, rng);
        SKBitmap seen = source.Has(Artefacts.Blur) ? blurred : image;
        if (seen == blurred) LesionInk.Blur(image, blurred, rng.Range(1.2f, 2.2f));
        Overlay.OnLens(seen, source, rng);
        AddNoise(seen, rng);
        return (photo.Original is null ? Jpeg(seen, 92) : Repeat(seen, new Rng(seed, photo.Index, 1)), fraction);
    }

    private void PaintSkin(Photo photo, View view)
    {
        Lesion lesion = photo.Lesion;
        Patient patient = lesion.Patient;
        var rng = new Rng(lesion.Seed, 2);
        float ox = rng.Range(0, 60), oy = rng.Range(0, 60), age = Math.Clamp((patient.Age - 20) / 60, 0, 1);
        bool clinical = !photo.Dermoscopic, face = lesion.Site is "face" or "scalp" or "neck";
        bool coarse = lesion.Site is "hand" or "neck" or "foot";
        Vector3 skin = SkinColours[patient.SkinType - 1];
        float tan = .06f * patient.Tan, red = .09f + .035f * patient.Redness + (face ? .04f : 0);
        float sun = (face || lesion.Site is "hand" or "arm" ? .16f : .07f) * (.4f + age);
        float line = rng.Range(.38f, .6f) * (coarse ? 1.5f : 1), stretch = rng.Range(.55f, .9f);
        float lineAngle = rng.Range(0, MathF.PI), ac = MathF.Cos(lineAngle), asn = MathF.Sin(lineAngle);
        float lines = Step(1.5f, 4.5f, line / view.Scale);
        float wrinkle = coarse || face ? .10f + .22f * age : .02f + .1f * age;
        float pore = rng.Range(.9f, 1.3f), pores = face ? Step(2.2f, 5, pore / view.Scale) : 0;
        float net = clinical ? 0 : .03f * Math.Max(0, patient.SkinType - 2) * Step(1.5f, 4, .3f / view.Scale);
        // Contact fluid and polarised light show deep structures; a phone sees mostly the surface.
        float deep = clinical ? .62f : 1, surface = clinical ? 1 : .75f;
        for (int i = 0; i < Size * Size; i++)
        {
            (float mx, float my) = view.Millimetres(i % Size, i / Size);
            float lx = ac * mx + asn * my, ly = (ac * my - asn * mx) * stretch, m = maps.Mask[i];
            float broad = Fractal.At(mx * .05f + ox, my * .05f + oy);
            float middle = Fractal.At(mx * .22f + oy, my * .22f + ox);
            float grain = Fractal.At(mx * .9f + ox, my * .9f + oy);
            float furrow = Step(.32f, 0, Border.At(lx / line + ox, ly / line + oy)) * lines;
            float melanin = tan + .05f * broad
                + sun * (.35f * middle + 1.0f * Step(.22f, 1.0f, middle + .12f * grain)) + .03f * grain
                + (clinical ? .035f : .02f) * furrow;
            float blood = red * (1 + .5f * broad + .45f * middle + .35f * grain);
            if (net > 0)
                melanin += net * (1 - m) * (Step(.42f, .05f, Border.At(mx * 3.2f + oy, my * 3.2f + ox)) - .45f);
            float hole = pores > 0 ? pores * Step(.2f, .08f, Centre.At(mx / pore + oy, my / pore + ox)) : 0;
            melanin += (clinical ? .12f : -.05f) * hole;
            float rough = 1 - .75f * m;
            float fold = wrinkle * rough
                * Step(.3f, 0, Math.Abs(Fractal.At(lx * .03f + oy, ly * .2f + ox) + .05f * grain))
                * Step(-.3f, .4f, middle + broad);
            height[i] = maps.Height[i] - (.035f * furrow * (.5f + wrinkle * 2) + .03f * hole) * line * rough
                - fold * .45f + .018f * grain + .05f * middle;

            melanin += maps.Melanin[i];
            blood += maps.Blood[i];
            Vector3 c = skin * new Vector3(MathF.Exp(-.50f * melanin - .10f * blood),
                MathF.Exp(-.92f * melanin - .80f * blood), MathF.Exp(-1.15f * melanin - .66f * blood));
            float blue = maps.Blue[i] * deep, white = maps.White[i] * (clinical ? .8f : 1);
            c += blue * (new Vector3(.40f, .44f, .53f) * (.45f + .55f * skin.Y / .8f) - c);
            c += white * (.5f * skin + new Vector3(.44f, .41f, .40f) - c);
            float keratin = maps.Keratin[i] * surface, dark = maps.Dark[i];
            c += keratin * (new Vector3(.90f, .82f, .66f) - c) * .9f;
            colours[i] = c * (Vector3.One - dark * new Vector3(.86f, .93f, .95f))
                + new Vector3(.03f, .02f, .015f) * dark;
        }
    }

    // Lights the relief, shades the body part, sets white balance and exposure, adds shine to clinical images.
    private unsafe void Light(SKBitmap image, Photo photo, View view, Rng rng)
    {
        bool clinical = !photo.Dermoscopic, limb = photo.Lesion.Site is "arm" or "leg" or "hand" or "neck" or "foot";
        float from = rng.Angle(), lx = MathF.Cos(from), ly = MathF.Sin(from);
        float relief = clinical ? rng.Range(.45f, .85f) : .1f, exposure = rng.Range(.76f, 1.14f);
        float warm = rng.Range(-.05f, .08f), green = rng.Range(-.02f, .02f);
        float fall = clinical ? rng.Range(.05f, .28f) : rng.Range(0, .08f);
        float axis = rng.Angle(), ax = MathF.Cos(axis), ay = MathF.Sin(axis);
        float round = !clinical ? 0 : limb ? rng.Range(.25f, .6f) : rng.Range(0, .16f), ridge = rng.Range(-.3f, .3f);
        float sx = rng.Range(.2f, .8f), sy = rng.Range(.2f, .8f);
        float gloss = !clinical ? 0 : photo.Has(Artefacts.Glare) ? rng.Range(.55f, 1.0f) : .12f;
        float wet = rng.Range(.2f, .4f);
        Vector3 cloth = Overlay.Cloths[rng.Int(0, Overlay.Cloths.Length - 1)];
        float side = rng.Chance(.5) ? 1 : -1, edge = rng.Range(.34f, .46f), wave = rng.Range(0, 40);
        byte* pixel = (byte*)image.GetPixels();
        for (int i = 0; i < Size * Size; i++, pixel += 4)
        {
            int x = i % Size, y = i / Size;
            float u = (x + .5f) / Size, v = (y + .5f) / Size;
            int left = x > 0 ? 1 : 0, right = x < Size - 1 ? 1 : 0;
            int up = y > 0 ? Size : 0, down = y < Size - 1 ? Size : 0;
            float gx = (height[i + right] - height[i - left]) / view.Scale * .5f;
            float gy = (height[i + down] - height[i - up]) / view.Scale * .5f;
            float slope = gx * lx + gy * ly, across = (u - .5f) * ax + (v - .5f) * ay, t = across - ridge * round;
            float shade = exposure * (1 + Math.Clamp(relief * slope, -.38f, .26f))
                * (1 - fall * ((u - .5f) * lx + (v - .5f) * ly)) * (1 - round * t * t * 1.8f);
            float near = (u - sx) * (u - sx) + (v - sy) * (v - sy);
            float spark = gloss
                * Step(.62f, 1.15f, .9f * MathF.Exp(-near / (wet * wet)) + slope * .9f - .25f * (gx * gx + gy * gy))
                * .55f;
            Vector3 c = colours[i] * shade * new Vector3(1 + warm, 1 + green, 1 - warm);
            c += spark * (Vector3.One - c);
            if (photo.Has(Artefacts.Background))
            {
                float rim = across * side - edge - .03f * Fractal.At(v * .8f + wave, u * .8f);
                float behind = Step(-.008f, .02f, rim), dusk = 1 - .45f * Step(-.16f, .01f, rim);
                Vector3 lit = cloth * (exposure * (.86f + .1f * Fractal.At(u * 2 + wave, v * 2)));
                c = c * dusk + behind * (lit - c * dusk);
            }
            for (int k = 0; k < 3; k++) pixel[k] = Byte(c[k]);
            pixel[3] = 255;
        }
    }

    // Bright parts roll off as on a camera.
    private static byte Byte(float value) =>
        (byte)(255 * (value < .72f ? Math.Max(0, value) : .72f + .36f * (value - .72f) / (value - .72f + .36f)) + .5f);

    private static unsafe void AddNoise(SKBitmap image, Rng rng)
    {
        byte* pixel = (byte*)image.GetPixels();
        int strength = rng.Int(2, 6);
        for (int i = 0; i < Size * Size; i++, pixel += 4)
        {
            ulong bits = rng.Next();
            int grey = (int)(bits & 0xFF) + (int)(bits >> 8 & 0xFF) - 255;
            for (int c = 0; c < 3; c++)
            {
                int own = ((int)(bits >> (16 + 8 * c) & 0xFF) - 128) * 2;
                pixel[c] = (byte)Math.Clamp(pixel[c] + (grey * strength + own) / 256, 0, 255);
            }
        }
    }

    // A second upload: slightly cropped, turned, brighter or darker, and encoded again.
    private static byte[] Repeat(SKBitmap photo, Rng rng)
    {
        using SKBitmap surface = NewBitmap(Size);
        float zoom = rng.Range(1.03f, 1.13f), light = rng.Range(.9f, 1.1f);
        float turn = rng.Chance(.4) ? rng.Range(-4, 4) : 0;
        using (var canvas = new SKCanvas(surface))
        using (SKColorFilter filter =
            SKColorFilter.CreateColorMatrix([light, 0, 0, 0, 0, 0, light, 0, 0, 0, 0, 0, light, 0, 0, 0, 0, 0, 1, 0]))
        using (var paint = new SKPaint { ColorFilter = filter })
        {
            canvas.Clear(SKColors.Black);
            canvas.Translate(Size / 2f, Size / 2f);
            canvas.Scale(zoom + Math.Abs(turn) * .018f);
            canvas.RotateDegrees(turn);
            canvas.Translate(-Size / 2f + rng.Range(-5, 5), -Size / 2f + rng.Range(-5, 5));
            canvas.DrawBitmap(photo, 0, 0, new SKSamplingOptions(SKCubicResampler.Mitchell), paint);
        }
        return Jpeg(surface, rng.Int(70, 88));
    }

    private static byte[] Jpeg(SKBitmap bitmap, int quality)
    {
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Jpeg, quality);
        return data.ToArray();
    }

    public static SKBitmap NewBitmap(int size) => new(size, size, SKColorType.Rgba8888, SKAlphaType.Opaque);
}
