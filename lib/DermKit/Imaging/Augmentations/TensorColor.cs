using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>
/// torchvision's float-tensor colour operations on a batch, with one factor for each image. Images are float [B, 3, H, W] in 0 to 1;
/// factors are float [B] on the same device. Results are new tensors, clipped to 0 to 1 where torchvision clips. Runs on any device.
/// </summary>
public static class TensorColor
{
    /// <summary>Blend with black: factor 0 black, 1 unchanged.</summary>
    public static Tensor Brightness(Tensor images, Tensor factors)
    {
        using var scope = NewDisposeScope();
        return images.mul(PerImage(factors)).clamp_(Kept(0), Kept(1)).MoveToOuterDisposeScope();
    }

    /// <summary>Blend with the mean luma of each image: factor 0 flat grey, 1 unchanged.</summary>
    public static Tensor Contrast(Tensor images, Tensor factors)
    {
        using var scope = NewDisposeScope();
        return Blend(images, Luma(images).mean([1, 2, 3], keepdim: true), factors).MoveToOuterDisposeScope();
    }

    /// <summary>Blend of each pixel with its luma: factor 0 grey, 1 unchanged.</summary>
    public static Tensor Saturation(Tensor images, Tensor factors)
    {
        using var scope = NewDisposeScope();
        return Blend(images, Luma(images), factors).MoveToOuterDisposeScope();
    }

    /// <summary>Luma (0.2989 R + 0.587 G + 0.114 B) in all three channels.</summary>
    public static Tensor Grayscale(Tensor images)
    {
        using var scope = NewDisposeScope();
        return Luma(images).expand(images.shape).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Shifts the hue in HSV.</summary>
    /// <param name="images">Float [B, 3, H, W] in 0 to 1.</param>
    /// <param name="shifts">Float [B], -0.5 to 0.5, in turns.</param>
    public static Tensor Hue(Tensor images, Tensor shifts)
    {
        using var scope = NewDisposeScope();
        Tensor r = images[.., 0], g = images[.., 1], b = images[.., 2];
        Tensor value = images.amax([1]), range = value - images.amin([1]);
        Tensor safe = range.masked_fill(range.eq(Kept(0)), Kept(1));
        Tensor redMost = value.eq(r), greenMost = value.eq(g);
        // Sixths of a turn from red; a grey pixel has range 0 and keeps its value whatever the hue.
        Tensor hue = Choose(redMost, (g - b).div_(safe), Choose(greenMost, (b - r).div_(safe).PlusInPlace(Kept(2)), (r - g).div_(safe).PlusInPlace(Kept(4))));
        hue = hue.PlusInPlace(shifts.view(-1, 1, 1) * Kept(6));
        // channel = value - range * clamp(min(k, 4 - k), 0, 1) with k = (n + hue) mod 6 and n = 5, 3, 1: the six sectors in one formula.
        Tensor Channel(int n)
        {
            Tensor k = hue.Plus(Kept(n)).remainder_(Kept(6));
            return value - torch.minimum(k, Kept(4) - k).clamp_(Kept(0), Kept(1)).mul_(range);
        }
        return stack([Channel(5), Channel(3), Channel(1)], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Inverts values from the threshold up.</summary>
    public static Tensor Solarize(Tensor images, double threshold = 128 / 255.0)
    {
        using var scope = NewDisposeScope();
        return Choose(images >= Kept(threshold), Kept(1) - images, images).MoveToOuterDisposeScope();
    }

    /// <summary>torchvision's gaussian_blur: a sampled Gaussian, borders reflected.</summary>
    /// <param name="images">Float [B, 3, H, W]; H and W above half the kernel.</param>
    /// <param name="sigmas">Float [B], standard deviations in pixels, above 0.</param>
    /// <param name="kernelSize">Odd number of taps.</param>
    public static Tensor GaussianBlur(Tensor images, Tensor sigmas, int kernelSize)
    {
        using var scope = NewDisposeScope();
        int half = kernelSize / 2;
        Tensor position = arange(Kept(-half), Kept(half + 1), images.dtype, images.device).view(1, -1) / sigmas.view(-1, 1);
        Tensor taps = (position * position * Kept(-0.5)).exp();
        taps = taps / taps.sum(1, keepdim: true);
        return Along(3, Along(2, images)).MoveToOuterDisposeScope();

        // Sums of shifted copies, and the reflected border as an index: convolution and padding have no meta kernels.
        Tensor Along(int axis, Tensor x)
        {
            long length = x.shape[axis];
            long[] reflected = [.. Enumerable.Range(-half, (int)length + 2 * half).Select(i => length - 1 - Math.Abs(length - 1 - Math.Abs((long)i)))];
            TensorIndex border = TensorIndex.Tensor(tensor(reflected, device: x.device));
            Tensor padded = axis == 3 ? x.index(TensorIndex.Ellipsis, border) : x.index(TensorIndex.Ellipsis, border, TensorIndex.Colon);
            Tensor sum = zeros_like(x);
            for (int i = 0; i < kernelSize; i++) sum.addcmul_(padded.narrow(axis, i, length), PerImage(taps.narrow(1, i, 1)), Kept(1));
            return sum;
        }
    }

    /// <summary>For each image one of two: <paramref name="changed"/> where <paramref name="chosen"/> is true, else <paramref name="original"/>.</summary>
    /// <param name="chosen">Bool [B].</param>
    /// <param name="changed">Float [B, 3, H, W].</param>
    /// <param name="original">Float [B, 3, H, W].</param>
    public static Tensor Select(Tensor chosen, Tensor changed, Tensor original)
    {
        using var scope = NewDisposeScope();
        return Choose(chosen.view(-1, 1, 1, 1), changed, original).MoveToOuterDisposeScope();
    }

    /// <summary>torch.where by an interpolation that is exact at 0 and 1: libtorch has no meta kernel for where.</summary>
    private static Tensor Choose(Tensor mask, Tensor yes, Tensor no) => lerp(no, yes, mask.to(no.dtype));

    private static Tensor PerImage(Tensor factors) => factors.view(-1, 1, 1, 1);

    private static Tensor Luma(Tensor images) => (images[.., 0..1] * Kept(0.2989)).Plus(images[.., 1..2] * Kept(0.587)).Plus(images[.., 2..3] * Kept(0.114));

    private static Tensor Blend(Tensor images, Tensor other, Tensor factors)
    {
        Tensor factor = PerImage(factors);
        return images.mul(factor).PlusInPlace(other * (Kept(1) - factor)).clamp_(Kept(0), Kept(1));
    }
}
