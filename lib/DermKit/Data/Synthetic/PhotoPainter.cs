using SkiaSharp;
using static DermKit.Data.Noise;

namespace DermKit.Data;

/// <summary>Draws one image: skin, lesion, light, then what lies on it. One painter for each thread: it owns the buffers.</summary>
internal sealed class PhotoPainter(int seed) : IDisposable
{
    /// <summary>Width and height in pixels.</summary>
    public const int Size = 224;

    // Reflectance of skin types I to VI as sRGB, and absorption of melanin and haemoglobin in red, green and blue (shape after Jacques 2013, fitted by eye).
    private static readonly (float R, float G, float B)[] SkinColours =
        [(.925f, .800f, .745f), (.895f, .745f, .660f), (.835f, .665f, .550f), (.725f, .530f, .400f), (.575f, .405f, .295f), (.435f, .305f, .235f)];

    private readonly LesionMaps _maps = new(Size);
    private readonly float[] _red = new float[Size * Size], _green = new float[Size * Size], _blue = new float[Size * Size], _height = new float[Size * Size];
    private readonly SKBitmap _image = new(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque), _blurred = new(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque);

    /// <summary>Frees the native buffers.</summary>
    public void Dispose()
    {
        _maps.Dispose();
        _image.Dispose();
        _blurred.Dispose();
    }

    /// <summary>Returns the JPEG file and the lesion's share of the image.</summary>
    public (byte[] Jpeg, float LesionFraction) Draw(Photo photo)
    {
        Photo source = photo.Original ?? photo;
        var rng = new Rng(seed, source.Index);
        Lesion lesion = source.Lesion;
        float zoom = source.Dermoscopic ? rng.Range(1.1f, 1.7f) : rng.Range(1.5f, 2.8f), drift = source.Dermoscopic ? .09f : .17f;
        float field = Math.Clamp(lesion.Diameter * zoom, source.Dermoscopic ? 6.5f : 10, source.Dermoscopic ? 19 : 60);
        var view = new View(Size * (.5f + rng.Range(-drift, drift)), Size * (.5f + rng.Range(-drift, drift)), field / Size, rng.Range(0, MathF.Tau), !source.Dermoscopic);
        _maps.Paint(lesion, view);
        PaintSkin(source, view, rng);
        Light(source, view, rng);
        float fraction = _maps.Mask.Sum() / (Size * Size);
        using (var canvas = new SKCanvas(_image)) Overlay.OnSkin(canvas, source, view, rng);
        SKBitmap sharp = _image;
        if (source.Artefacts.HasFlag(Artefacts.Blur))
        {
            LesionInk.Blur(_image, _blurred, rng.Range(1.2f, 2.2f));
            sharp = _blurred;
        }
        using (var canvas = new SKCanvas(sharp)) Overlay.OnLens(canvas, source, view, rng);
        AddNoise(sharp, rng);
        if (photo.Original is not null) return (Repeat(sharp, new Rng(seed, photo.Index, 1)), fraction);
        using SKImage image = SKImage.FromPixels(sharp.PeekPixels());
        using SKData data = image.Encode(SKEncodedImageFormat.Jpeg, 92);
        return (data.ToArray(), fraction);
    }

    private void PaintSkin(Photo photo, View view, Rng rng)
    {
        Lesion lesion = photo.Lesion;
        Patient patient = lesion.Patient;
        var lesionRng = new Rng(lesion.Seed, 2);
        float ox = lesionRng.Range(0, 60), oy = lesionRng.Range(0, 60), cos = MathF.Cos(view.Angle), sin = MathF.Sin(view.Angle), age = Math.Clamp((patient.Age - 20) / 60, 0, 1);
        bool clinical = !photo.Dermoscopic, face = lesion.Site is "face" or "scalp" or "neck", coarse = lesion.Site is "hand" or "neck" or "foot";
        var skin = SkinColours[patient.SkinType - 1];
        float tan = .06f * patient.Tan, red = .09f + .035f * patient.Redness + (face ? .04f : 0), sun = (face || lesion.Site is "hand" or "arm" ? .16f : .07f) * (.4f + age);
        float line = lesionRng.Range(.38f, .6f) * (coarse ? 1.5f : 1), stretch = lesionRng.Range(.55f, .9f), lineAngle = lesionRng.Range(0, MathF.PI);
        float ac = MathF.Cos(lineAngle), asn = MathF.Sin(lineAngle), lines = Step(1.5f, 4.5f, line / view.Scale), wrinkle = coarse || face ? .10f + .22f * age : .02f + .1f * age;
        float pore = lesionRng.Range(.9f, 1.3f), pores = face ? Step(2.2f, 5, pore / view.Scale) : 0, net = photo.Dermoscopic ? .03f * Math.Max(0, patient.SkinType - 2) * Step(1.5f, 4, .3f / view.Scale) : 0;
        // Contact fluid and polarised light show what lies deep; a phone sees mostly the surface.
        float deep = clinical ? .62f : 1, surface = clinical ? 1 : .75f;
        for (int y = 0, i = 0; y < Size; y++)
            for (int x = 0; x < Size; x++, i++)
            {
                float dx = (x + .5f - view.X) * view.Scale, dy = (y + .5f - view.Y) * view.Scale, mx = cos * dx + sin * dy, my = cos * dy - sin * dx;
                float lx = ac * mx + asn * my, ly = (ac * my - asn * mx) * stretch;
                float broad = Fractal.At(mx * .05f + ox, my * .05f + oy), middle = Fractal.At(mx * .22f + oy, my * .22f + ox), grain = Fractal.At(mx * .9f + ox, my * .9f + oy);
                float border = Border.At(lx / line + ox, ly / line + oy), furrow = Step(.32f, 0, border) * lines, m = _maps.Mask[i];
                float melanin = tan + .05f * broad + sun * (.35f * middle + 1.0f * Step(.22f, 1.0f, middle + .12f * grain)) + .03f * grain + (clinical ? .035f : .02f) * furrow;
                float blood = red * (1 + .5f * broad + .45f * middle + .35f * grain);
                if (net > 0) melanin += net * (1 - m) * (Step(.42f, .05f, Border.At(mx * 3.2f + oy, my * 3.2f + ox)) - .45f);
                float hole = pores > 0 ? pores * Step(.2f, .08f, Centre.At(mx / pore + oy, my / pore + ox)) : 0;
                melanin += (clinical ? .12f : -.05f) * hole;
                float rough = 1 - .75f * m;
                float fold = wrinkle * rough * Step(.3f, 0, Math.Abs(Fractal.At(lx * .03f + oy, ly * .2f + ox) + .05f * grain)) * Step(-.3f, .4f, middle + broad);
                _height[i] = _maps.Height[i] - (.035f * furrow * (.5f + wrinkle * 2) + .03f * hole) * line * rough - fold * .45f + .018f * grain + .05f * middle;

                melanin += _maps.Melanin[i];
                blood += _maps.Blood[i];
                float r = skin.R * MathF.Exp(-.50f * melanin - .10f * blood), g = skin.G * MathF.Exp(-.92f * melanin - .80f * blood), b = skin.B * MathF.Exp(-1.15f * melanin - .66f * blood);
                float blue = _maps.Blue[i] * deep, tone = .45f + .55f * skin.G / .8f;
                (r, g, b) = (r + blue * (.40f * tone - r), g + blue * (.44f * tone - g), b + blue * (.53f * tone - b));
                float white = _maps.White[i] * (clinical ? .8f : 1);
                (r, g, b) = (r + white * (.5f * skin.R + .44f - r), g + white * (.5f * skin.G + .41f - g), b + white * (.5f * skin.B + .40f - b));
                float keratin = _maps.Keratin[i] * surface, dark = _maps.Dark[i];
                (r, g, b) = (r + keratin * (.90f - r) * .9f, g + keratin * (.82f - g) * .9f, b + keratin * (.66f - b) * .9f);
                (r, g, b) = (r * (1 - dark * .86f) + .03f * dark, g * (1 - dark * .93f) + .02f * dark, b * (1 - dark * .95f) + .015f * dark);
                (_red[i], _green[i], _blue[i]) = (r, g, b);
            }
    }

    /// <summary>Relief lit from one side, shading of the body part, white balance, exposure, and shine on clinical images.</summary>
    private unsafe void Light(Photo photo, View view, Rng rng)
    {
        bool clinical = !photo.Dermoscopic, limb = photo.Lesion.Site is "arm" or "leg" or "hand" or "neck" or "foot";
        float from = rng.Range(0, MathF.Tau), lx = MathF.Cos(from), ly = MathF.Sin(from), relief = clinical ? rng.Range(.45f, .85f) : .1f;
        float exposure = rng.Range(.76f, 1.14f), warm = rng.Range(-.05f, .08f), green = rng.Range(-.02f, .02f), fall = clinical ? rng.Range(.05f, .28f) : rng.Range(0, .08f);
        float axis = rng.Range(0, MathF.Tau), ax = MathF.Cos(axis), ay = MathF.Sin(axis), round = clinical ? (limb ? rng.Range(.25f, .6f) : rng.Range(0, .16f)) : 0, ridge = rng.Range(-.3f, .3f);
        bool shine = clinical && photo.Artefacts.HasFlag(Artefacts.Glare);
        float sx = rng.Range(.2f, .8f), sy = rng.Range(.2f, .8f), gloss = shine ? rng.Range(.55f, 1.0f) : clinical ? .12f : 0, wet = rng.Range(.2f, .4f);
        bool background = photo.Artefacts.HasFlag(Artefacts.Background);
        var (cr, cg, cb) = Overlay.Cloths[rng.Int(0, Overlay.Cloths.Length - 1)];
        float side = rng.Chance(.5) ? 1 : -1, edge = rng.Range(.34f, .46f), wave = rng.Range(0, 40);
        byte* pixel = (byte*)_image.GetPixels();
        for (int y = 0, i = 0; y < Size; y++)
            for (int x = 0; x < Size; x++, i++, pixel += 4)
            {
                float u = (x + .5f) / Size, v = (y + .5f) / Size;
                float gx = (_height[i + (x < Size - 1 ? 1 : 0)] - _height[i - (x > 0 ? 1 : 0)]) / view.Scale * .5f, gy = (_height[i + (y < Size - 1 ? Size : 0)] - _height[i - (y > 0 ? Size : 0)]) / view.Scale * .5f;
                float slope = gx * lx + gy * ly, across = (u - .5f) * ax + (v - .5f) * ay, t = across - ridge * round;
                float shade = exposure * (1 + Math.Clamp(relief * slope, -.38f, .26f)) * (1 - fall * ((u - .5f) * lx + (v - .5f) * ly)) * (1 - round * t * t * 1.8f);
                float near = (u - sx) * (u - sx) + (v - sy) * (v - sy);
                float spark = gloss * Step(.62f, 1.15f, .9f * MathF.Exp(-near / (wet * wet)) + slope * .9f - .25f * (gx * gx + gy * gy)) * .55f;
                float r = _red[i] * shade * (1 + warm), g = _green[i] * shade * (1 + green), b = _blue[i] * shade * (1 - warm);
                (r, g, b) = (r + spark * (1 - r), g + spark * (1 - g), b + spark * (1 - b));
                if (background)
                {
                    float rim = across * side - edge - .03f * Fractal.At(v * .8f + wave, u * .8f), behind = Step(-.008f, .02f, rim), dusk = 1 - .45f * Step(-.16f, .01f, rim);
                    float cloth = exposure * (.86f + .1f * Fractal.At(u * 2 + wave, v * 2));
                    (r, g, b) = (r * dusk + behind * (cr * cloth - r * dusk), g * dusk + behind * (cg * cloth - g * dusk), b * dusk + behind * (cb * cloth - b * dusk));
                }
                pixel[0] = Byte(r);
                pixel[1] = Byte(g);
                pixel[2] = Byte(b);
                pixel[3] = 255;
            }
    }

    /// <summary>Bright parts roll off as on a camera instead of burning out.</summary>
    private static byte Byte(float value) => (byte)(255 * (value < .72f ? Math.Max(0, value) : .72f + .36f * (value - .72f) / (value - .72f + .36f)) + .5f);

    /// <summary>Sensor noise of about one to three levels.</summary>
    private static unsafe void AddNoise(SKBitmap image, Rng rng)
    {
        byte* pixel = (byte*)image.GetPixels();
        int strength = rng.Int(2, 6);
        for (int i = 0; i < Size * Size; i++, pixel += 4)
        {
            ulong bits = rng.Next();
            int grey = (int)(bits & 0xFF) + (int)(bits >> 8 & 0xFF) - 255;
            for (int c = 0; c < 3; c++)
                pixel[c] = (byte)Math.Clamp(pixel[c] + (grey * strength + ((int)(bits >> (16 + 8 * c) & 0xFF) - 128) * 2) / 256, 0, 255);
        }
    }

    /// <summary>What a second upload of the same photo looks like: a little cropped, turned, brighter or darker, encoded again.</summary>
    private static byte[] Repeat(SKBitmap photo, Rng rng)
    {
        using var surface = new SKBitmap(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque);
        float zoom = rng.Range(1.03f, 1.13f), light = rng.Range(.9f, 1.1f), turn = rng.Chance(.4) ? rng.Range(-4, 4) : 0;
        using (var canvas = new SKCanvas(surface))
        using (SKColorFilter filter = SKColorFilter.CreateColorMatrix([light, 0, 0, 0, 0, 0, light, 0, 0, 0, 0, 0, light, 0, 0, 0, 0, 0, 1, 0]))
        using (var paint = new SKPaint { ColorFilter = filter })
        using (SKImage image = SKImage.FromPixels(photo.PeekPixels()))
        {
            canvas.Clear(SKColors.Black);
            canvas.Translate(Size / 2f, Size / 2f);
            canvas.Scale(zoom + Math.Abs(turn) * .018f);
            canvas.RotateDegrees(turn);
            canvas.Translate(-Size / 2f + rng.Range(-5, 5), -Size / 2f + rng.Range(-5, 5));
            canvas.DrawImage(image, 0, 0, new SKSamplingOptions(SKCubicResampler.Mitchell), paint);
        }
        using SKImage result = SKImage.FromPixels(surface.PeekPixels());
        using SKData data = result.Encode(SKEncodedImageFormat.Jpeg, rng.Int(70, 88));
        return data.ToArray();
    }
}
