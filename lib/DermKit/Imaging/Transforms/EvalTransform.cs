namespace DermKit.Imaging;

/// <summary>Values for red, green and blue.</summary>
public readonly record struct ChannelValues(float R, float G, float B)
{
    internal float this[int channel] => channel == 0 ? R : channel == 1 ? G : B;
}

/// <summary>The fixed transform before a frozen model. Defaults are the paper's protocol: Resize((256, 256)) bilinear,
/// which squashes the aspect ratio, CenterCrop(224), ImageNet mean and standard deviation.</summary>
public sealed record EvalTransform
{
    /// <summary>Target of the resize in pixels: both sides, or the short one with <see cref="ShortSide"/>.</summary>
    public int Resize { get; init; } = 256;

    /// <summary>Keeps the aspect ratio; the long side is truncated, as torchvision's Resize(int).</summary>
    public bool ShortSide { get; init; }

    /// <summary>Filter of the resize.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bilinear;

    /// <summary>Side of the centre crop in pixels; 0 keeps the whole resized image.</summary>
    public int Crop { get; init; } = 224;

    /// <summary>With <see cref="ShortSide"/>, the longest side, as torchvision's max_size; 0 sets no bound.</summary>
    public int MaxSide { get; init; }

    /// <summary>Decodes a JPEG at the smallest of libjpeg's eighths not below the resize, as Pillow's draft mode: twice
    /// as fast for photographs, but with other pixels than the protocols', so only for pre-training.</summary>
    public bool ScaledDecode { get; init; }

    /// <summary>Channel means on the scale 0 to 1.</summary>
    public ChannelValues Mean { get; init; } = new(0.485f, 0.456f, 0.406f);

    /// <summary>Channel standard deviations on the scale 0 to 1.</summary>
    public ChannelValues Std { get; init; } = new(0.229f, 0.224f, 0.225f);

    /// <summary>DINO's eval_knn / eval_linear: short side 256 bicubic, crop 224, ImageNet statistics.</summary>
    public static EvalTransform Dino { get; } = new() { ShortSide = true, Filter = ResizeFilter.Bicubic };

    /// <summary>openai/CLIP: short side 224 bicubic, crop 224, CLIP statistics.</summary>
    public static EvalTransform Clip { get; } = new()
    {
        Resize = 224,
        ShortSide = true,
        Filter = ResizeFilter.Bicubic,
        Mean = new(0.48145466f, 0.4578275f, 0.40821073f),
        Std = new(0.26862954f, 0.26130258f, 0.27577711f),
    };

    /// <summary>MONET's own: as <see cref="Clip"/>, with ImageNet statistics.</summary>
    public static EvalTransform Monet { get; } =
        new() { Resize = 224, ShortSide = true, Filter = ResizeFilter.Bicubic };

    /// <summary>All settings that decide the 8-bit pixels.</summary>
    public string PixelKey => string.Create(CultureInfo.InvariantCulture,
        $"{(ShortSide ? "short" : "square")}{Resize}{(MaxSide > 0 ? $"max{MaxSide}" : "")}-{Filter}-crop{Crop}"
        + $"{(ScaledDecode ? "-scaled" : "")}");

    /// <summary>All settings that decide <see cref="Apply"/> and <see cref="Normalise"/>.</summary>
    public string Key => string.Create(CultureInfo.InvariantCulture,
        $"{PixelKey}-mean{Mean.R},{Mean.G},{Mean.B}-std{Std.R},{Std.G},{Std.B}");

    /// <summary>Resize and centre crop on 8 bits, exact with torchvision over Pillow 11.</summary>
    public RgbImage Apply(RgbImage image) => Crop > 0 ? Scale(image).CenterCrop(Crop) : Scale(image);

    /// <summary>The resize alone.</summary>
    public RgbImage Scale(RgbImage image)
    {
        (int Width, int Height) size = ScaledSize(image.Width, image.Height);
        return size == (image.Width, image.Height) ? image
            : PillowResize.Resize(image, size.Width, size.Height, Filter);
    }

    internal (int Width, int Height) ScaledSize(int width, int height)
    {
        if (!ShortSide) return (Resize, Resize);
        long shorter = Resize;
        long longer = (long)Resize * Math.Max(width, height) / Math.Min(width, height);
        if (MaxSide > 0 && longer > MaxSide) (shorter, longer) = (Math.Max(1, MaxSide * shorter / longer), MaxSide);
        return width <= height ? ((int)shorter, (int)longer) : ((int)longer, (int)shorter);
    }

    /// <summary>ToTensor and Normalize: uint8 [B, 3, H, W] or [B, H, W, 3] to float32 [B, 3, H, W].</summary>
    /// <exception cref="ArgumentException">Neither layout fits.</exception>
    public Tensor Normalise(Tensor pixels)
    {
        if (pixels.dtype != ScalarType.Byte || pixels.dim() != 4 || (pixels.shape[1] != 3 && pixels.shape[3] != 3))
            throw new ArgumentException($"Expected uint8 [B, 3, H, W] or [B, H, W, 3], found {pixels.dtype} "
                + $"{pixels.Shape()}.", nameof(pixels));
        return Scoped(() =>
        {
            Tensor planar = pixels.shape[1] == 3 ? pixels : pixels.permute(0, 3, 1, 2).contiguous();
            Tensor unit = planar.to(float32).div_(Kept(255));
            return unit.sub_(Channels(Mean, pixels.device)).div_(Channels(Std, pixels.device));
        });
    }

    private static Tensor Channels(ChannelValues values, Device device) =>
        tensor(new[] { values.R, values.G, values.B }, device: device).view(1, 3, 1, 1);

    /// <summary>Images of one size, after <see cref="Apply"/>, as a normalised float32 [B, 3, H, W].</summary>
    /// <exception cref="ArgumentException">There is no image, or sizes differ.</exception>
    public Tensor Batch(IReadOnlyList<RgbImage> images, Device device)
    {
        if (images.Count == 0 || images.Any(p => (p.Width, p.Height) != (images[0].Width, images[0].Height)))
            throw new ArgumentException("Expected images of one size, "
                + $"found {string.Join(", ", images.Select(p => $"{p.Width} x {p.Height}").Distinct())}.",
                nameof(images));
        using Tensor pixels = tensor(images.SelectMany(p => p.Pixels).ToArray(),
            [images.Count, images[0].Height, images[0].Width, 3], device: device);
        return Normalise(pixels);
    }

    /// <summary>Undoes <see cref="Normalise"/> of float [B, 3, H, W]: clips to 0..1 and rounds to 8 bits.</summary>
    public RgbImage[] Images(Tensor batch)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor unit = batch.detach().cpu().to(float32).mul(Channels(Std, CPU))
            .PlusInPlace(Channels(Mean, CPU)).clamp_(Kept(0), Kept(1));
        Tensor pixels = unit.mul_(Kept(255)).round_().to(ScalarType.Byte).permute(0, 2, 3, 1).contiguous();
        int height = (int)batch.shape[2], width = (int)batch.shape[3];
        return [.. pixels.data<byte>().ToArray().Chunk(3 * height * width).Select(p => new RgbImage(width, height, p))];
    }
}
