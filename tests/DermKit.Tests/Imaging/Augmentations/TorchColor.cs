using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

/// <summary>torchvision's float-tensor operations on images [B, 3, H, W] in 0 to 1, written as tensor expressions: the
/// reference of the augmentations.</summary>
internal static class TorchColor
{
    public static Tensor Brightness(Tensor images, double factor) => (images * Kept(factor)).clamp(Kept(0), Kept(1));

    public static Tensor Contrast(Tensor images, double factor) =>
        Blend(images, Luma(images).mean([1, 2, 3], keepdim: true), factor);

    public static Tensor Saturation(Tensor images, double factor) => Blend(images, Luma(images), factor);

    public static Tensor Grayscale(Tensor images) => Luma(images).expand(images.shape).contiguous();

    public static Tensor Solarize(Tensor images) => where(images >= Kept(128 / 255.0), Kept(1) - images, images);

    /// <summary>By HSV's six sectors; the shift is in turns.</summary>
    public static Tensor Hue(Tensor images, double shift)
    {
        Tensor r = images[.., 0], g = images[.., 1], b = images[.., 2];
        Tensor value = images.amax([1]), range = value - images.amin([1]);
        Tensor safe = range.masked_fill(range.eq(Kept(0)), Kept(1));
        Tensor sector = where(value.eq(r), (g - b) / safe,
            where(value.eq(g), ((b - r) / safe) + Kept(2), ((r - g) / safe) + Kept(4))) + Kept(shift * 6);
        Tensor Channel(int n)
        {
            Tensor k = (sector + Kept(n)).remainder(Kept(6));
            return value - (minimum(k, Kept(4) - k).clamp(Kept(0), Kept(1)) * range);
        }
        return stack([Channel(5), Channel(3), Channel(1)], 1);
    }

    /// <summary>A sampled Gaussian of 2 half + 1 taps, borders reflected.</summary>
    public static Tensor GaussianBlur(Tensor images, double sigma, int half)
    {
        Tensor position = arange(Kept(-half), Kept(half + 1), float32) / Kept(sigma);
        Tensor taps = (position * position * Kept(-0.5)).exp();
        taps = (taps / taps.sum()).expand(3, 1, 1, -1).contiguous();
        Tensor padded = nn.functional.pad(images, [half, half, half, half], PaddingModes.Reflect);
        return nn.functional.conv2d(nn.functional.conv2d(padded, taps, groups: 3),
            taps.transpose(2, 3).contiguous(), groups: 3);
    }

    /// <summary>resized_crop(antialias=True), then a mirror image where asked.</summary>
    public static Tensor ResizedCrop(Tensor images, DermKit.Imaging.CropBox box, int size,
        DermKit.Imaging.ResizeFilter filter, bool flip)
    {
        InterpolationMode mode = filter == DermKit.Imaging.ResizeFilter.Bilinear ? InterpolationMode.Bilinear
            : InterpolationMode.Bicubic;
        Tensor part = images.narrow(2, box.Top, box.Height).narrow(3, box.Left, box.Width);
        Tensor scaled = nn.functional.interpolate(part, [size, size], mode: mode, align_corners: false,
            antialias: true);
        return flip ? scaled.flip(3) : scaled;
    }

    private static Tensor Luma(Tensor images) =>
        (images[.., 0..1] * Kept(0.2989)).Plus(images[.., 1..2] * Kept(0.587)).Plus(images[.., 2..3] * Kept(0.114));

    private static Tensor Blend(Tensor images, Tensor other, double factor) =>
        (images * Kept(factor)).Plus(other * Kept(1 - factor)).clamp(Kept(0), Kept(1));
}
