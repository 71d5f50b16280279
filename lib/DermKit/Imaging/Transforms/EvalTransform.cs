using System.Globalization;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>One number for each of red, green and blue.</summary>
public readonly record struct ChannelValues(float R, float G, float B);

/// <summary>
/// The fixed transform before a frozen model. The defaults are the paper's evaluation protocol: Resize((256, 256)) bilinear,
/// which squashes the aspect ratio, CenterCrop(224), ImageNet mean and standard deviation.
/// </summary>
public sealed record EvalTransform
{
    /// <summary>Target of the resize in pixels: both sides, or the short side when <see cref="ShortSide"/>.</summary>
    public int Resize { get; init; } = 256;

    /// <summary>Keep the aspect ratio: the short side becomes <see cref="Resize"/>, the long side is truncated, as torchvision's Resize(int).</summary>
    public bool ShortSide { get; init; }

    /// <summary>Filter of the resize.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bilinear;

    /// <summary>Side of the centre crop in pixels; 0 keeps the whole resized image, whatever its shape.</summary>
    public int Crop { get; init; } = 224;

    /// <summary>With <see cref="ShortSide"/>: no side becomes longer than this, as torchvision's max_size; 0 sets no bound.</summary>
    public int MaxSide { get; init; }

    /// <summary>
    /// Decodes a JPEG at the smallest of libjpeg's eighths that is not below the resize, as Pillow's draft mode: twice as fast for a
    /// photograph, but not the pixels of the protocols, so for the crops of pre-training and not for evaluation.
    /// </summary>
    public bool ScaledDecode { get; init; }

    /// <summary>Mean of each channel on the scale 0 to 1.</summary>
    public ChannelValues Mean { get; init; } = new(0.485f, 0.456f, 0.406f);

    /// <summary>Standard deviation of each channel on the scale 0 to 1.</summary>
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
    public static EvalTransform Monet { get; } = new() { Resize = 224, ShortSide = true, Filter = ResizeFilter.Bicubic };

    /// <summary>Everything that decides the 8-bit pixels, as text; two transforms with one key give the same bytes.</summary>
    public string PixelKey => string.Create(CultureInfo.InvariantCulture, $"{(ShortSide ? "short" : "square")}{Resize}{(MaxSide > 0 ? $"max{MaxSide}" : "")}-{Filter}-crop{Crop}{(ScaledDecode ? "-scaled" : "")}");

    /// <summary>Everything that decides the result of <see cref="Apply"/> and <see cref="Normalise"/>, as text.</summary>
    public string Key => string.Create(CultureInfo.InvariantCulture, $"{PixelKey}-mean{Mean.R},{Mean.G},{Mean.B}-std{Std.R},{Std.G},{Std.B}");

    /// <summary>Resize and centre crop on 8 bits, exact with torchvision over Pillow 11.</summary>
    /// <returns>An image of <see cref="Crop"/> x <see cref="Crop"/> pixels, or the whole where there is no crop.</returns>
    public RgbImage Apply(RgbImage image) => Crop > 0 ? Scale(image).CenterCrop(Crop) : Scale(image);

    /// <summary>The resize alone.</summary>
    public RgbImage Scale(RgbImage image)
    {
        (int Width, int Height) size = ScaledSize(image.Width, image.Height);
        return size == (image.Width, image.Height) ? image : PillowResize.Resize(image, size.Width, size.Height, Filter);
    }

    /// <summary>Size after the resize of an image of this size.</summary>
    internal (int Width, int Height) ScaledSize(int width, int height)
    {
        if (!ShortSide) return (Resize, Resize);
        (long shorter, long longer) = (Resize, (long)Resize * Math.Max(width, height) / Math.Min(width, height));
        if (MaxSide > 0 && longer > MaxSide) (shorter, longer) = (Math.Max(1, MaxSide * shorter / longer), MaxSide);
        return width <= height ? ((int)shorter, (int)longer) : ((int)longer, (int)shorter);
    }

    /// <summary>Size of what <see cref="Apply"/> makes of an image of this size.</summary>
    internal (int Width, int Height) ResultSize(int width, int height) => Crop > 0 ? (Crop, Crop) : ScaledSize(width, height);

    /// <summary>ToTensor and Normalize: divides by 255, subtracts the mean, divides by the standard deviation.</summary>
    /// <param name="pixels">uint8 [B, 3, H, W] or [B, H, W, 3], on any device.</param>
    /// <returns>float32 [B, 3, H, W] on the same device.</returns>
    /// <exception cref="ArgumentException">Neither layout fits.</exception>
    public Tensor Normalise(Tensor pixels)
    {
        if (pixels.dtype != ScalarType.Byte || pixels.dim() != 4 || (pixels.shape[1] != 3 && pixels.shape[3] != 3))
            throw new ArgumentException($"Expected uint8 [B, 3, H, W] or [B, H, W, 3], found {pixels.dtype} [{string.Join(", ", pixels.shape)}].", nameof(pixels));
        using var scope = NewDisposeScope();
        Tensor planar = pixels.shape[1] == 3 ? pixels : pixels.permute(0, 3, 1, 2).contiguous();
        Tensor mean = tensor(new[] { Mean.R, Mean.G, Mean.B }, device: pixels.device).view(1, 3, 1, 1);
        Tensor std = tensor(new[] { Std.R, Std.G, Std.B }, device: pixels.device).view(1, 3, 1, 1);
        return planar.to(ScalarType.Float32).div_(Kept(255)).sub_(mean).div_(std).MoveToOuterDisposeScope();
    }

    /// <summary>Images that went through <see cref="Apply"/> as one normalised batch.</summary>
    /// <param name="images">At least one, all of one size.</param>
    /// <param name="device">Where the batch shall lie.</param>
    /// <returns>float32 [B, 3, H, W].</returns>
    /// <exception cref="ArgumentException">There is no image, or sizes differ.</exception>
    public Tensor Batch(IReadOnlyList<RgbImage> images, Device device)
    {
        if (images.Count == 0 || images.Any(p => (p.Width, p.Height) != (images[0].Width, images[0].Height)))
            throw new ArgumentException($"Expected images of one size, found {string.Join(", ", images.Select(p => $"{p.Width} x {p.Height}").Distinct())}.", nameof(images));
        using Tensor pixels = tensor(images.SelectMany(p => p.Pixels).ToArray(), [images.Count, images[0].Height, images[0].Width, 3], device: device);
        return Normalise(pixels);
    }

    /// <summary>What <see cref="Normalise"/> was given: multiplies by the standard deviation, adds the mean, rounds to 8 bits.</summary>
    /// <param name="batch">float [B, 3, H, W] on any device; values outside 0 to 1 are cut off.</param>
    public RgbImage[] Images(Tensor batch)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor mean = tensor([Mean.R, Mean.G, Mean.B]).view(1, 3, 1, 1), std = tensor([Std.R, Std.G, Std.B]).view(1, 3, 1, 1);
        Tensor pixels = batch.detach().cpu().to(ScalarType.Float32).mul(std).PlusInPlace(mean).clamp_(Kept(0), Kept(1)).mul_(Kept(255)).round_().to(ScalarType.Byte).permute(0, 2, 3, 1).contiguous();
        int height = (int)batch.shape[2], width = (int)batch.shape[3];
        return [.. pixels.data<byte>().ToArray().Chunk(3 * height * width).Select(p => new RgbImage(width, height, p))];
    }
}
