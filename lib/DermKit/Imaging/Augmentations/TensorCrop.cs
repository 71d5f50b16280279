using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>Crop, antialiased resize and flip of a batch on its own device.</summary>
public static class TensorCrop
{
    /// <summary>
    /// Cuts a box of its own out of every image and scales it to a square, as torchvision's resized_crop(antialias=True) on float tensors.
    /// Bicubic weights overshoot a little at hard edges: the result may leave 0 to 1, as torchvision's does.
    /// </summary>
    /// <param name="images">Float [B, 3, H, W].</param>
    /// <param name="boxes">One for each image, inside it.</param>
    /// <param name="size">Side of the result in pixels.</param>
    /// <param name="filter">Filter.</param>
    /// <param name="flips">Which images to mirror left to right afterwards; null = none.</param>
    /// <returns>Float [B, 3, size, size].</returns>
    /// <exception cref="ArgumentException">The numbers of images, boxes and flips differ or a box leaves its image.</exception>
    public static Tensor ResizedCrop(Tensor images, IReadOnlyList<CropBox> boxes, int size, ResizeFilter filter = ResizeFilter.Bicubic, IReadOnlyList<bool>? flips = null)
    {
        long batch = images.shape[0], height = images.shape[2], width = images.shape[3];
        if (batch == 0 || boxes.Count != batch || (flips is not null && flips.Count != batch))
            throw new ArgumentException($"Expected a box and a flip for each of {batch} images, found {boxes.Count} and {flips?.Count}.");
        using var scope = NewDisposeScope();
        InterpolationMode mode = filter == ResizeFilter.Bilinear ? InterpolationMode.Bilinear : InterpolationMode.Bicubic;
        Tensor mirror = arange(Kept(size - 1), Kept(-1), Kept(-1), ScalarType.Int64, images.device);
        // One call for each image costs what its box has in pixels; resampling the batch as matrix products was seven times slower on a cpu.
        return cat([.. boxes.Select((box, i) =>
        {
            if (box.Top < 0 || box.Left < 0 || box.Width < 1 || box.Height < 1 || box.Top + box.Height > height || box.Left + box.Width > width)
                throw new ArgumentException($"Expected a box inside {width} x {height} pixels, found {box}.", nameof(boxes));
            Tensor part = images.narrow(0, i, 1).narrow(2, box.Top, box.Height).narrow(3, box.Left, box.Width);
            Tensor scaled = nn.functional.interpolate(part, [size, size], mode: mode, align_corners: false, antialias: true);
            return flips?[i] == true ? scaled.index(TensorIndex.Ellipsis, TensorIndex.Tensor(mirror)) : scaled;
        })], 0).MoveToOuterDisposeScope();
    }
}
