using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>Crop, antialiased resize and flip of a whole batch in two matrix products, on any device.</summary>
public static class TensorCrop
{
    /// <summary>
    /// Cuts a box of its own out of every picture and scales it to a square, as torchvision's resized_crop(antialias=True) on float tensors.
    /// Resampling is linear in each axis, so it is written as weights [B, size, H] and [B, size, W] around the batch.
    /// Bicubic weights overshoot a little at hard edges: the result may leave 0 to 1, as torchvision's does.
    /// </summary>
    /// <param name="images">Float [B, 3, H, W].</param>
    /// <param name="boxes">One for each picture, inside it.</param>
    /// <param name="size">Side of the result in pixels.</param>
    /// <param name="filter">Filter.</param>
    /// <param name="flips">Which pictures to mirror left to right afterwards; null = none.</param>
    /// <returns>Float [B, 3, size, size].</returns>
    /// <exception cref="ArgumentException">The numbers of pictures, boxes and flips differ or a box leaves its picture.</exception>
    public static Tensor ResizedCrop(Tensor images, IReadOnlyList<CropBox> boxes, int size, ResizeFilter filter = ResizeFilter.Bicubic, IReadOnlyList<bool>? flips = null)
    {
        long batch = images.shape[0], height = images.shape[2], width = images.shape[3];
        if (boxes.Count != batch || (flips is not null && flips.Count != batch))
            throw new ArgumentException($"Expected a box and a flip for each of {batch} pictures, found {boxes.Count} and {flips?.Count}.");
        foreach (CropBox box in boxes)
            if (box.Top < 0 || box.Left < 0 || box.Width < 1 || box.Height < 1 || box.Top + box.Height > height || box.Left + box.Width > width)
                throw new ArgumentException($"Expected a box inside {width} x {height} pixels, found {box}.", nameof(boxes));
        using var scope = NewDisposeScope();
        Tensor rows = Weights(images, [.. boxes.Select(b => (float)b.Top)], [.. boxes.Select(b => (float)b.Height)], null, height, size, filter);
        Tensor columns = Weights(images, [.. boxes.Select(b => (float)b.Left)], [.. boxes.Select(b => (float)b.Width)], flips, width, size, filter);
        return matmul(rows.unsqueeze(1), matmul(images, columns.unsqueeze(1).transpose(2, 3))).MoveToOuterDisposeScope();
    }

    /// <summary>Weights [B, size, inputs] of one axis: the filter around each output's centre, zero outside the box, rows summing to 1.</summary>
    private static Tensor Weights(Tensor images, float[] starts, float[] lengths, IReadOnlyList<bool>? flips, long inputs, int size, ResizeFilter filter)
    {
        Device device = images.device;
        Tensor start = tensor(starts, device: device).view(-1, 1, 1), length = tensor(lengths, device: device).view(-1, 1, 1);
        Tensor output = arange(size, ScalarType.Float32, device).view(1, -1, 1), input = arange(inputs, ScalarType.Float32, device).view(1, 1, -1);
        if (flips is not null)
        {
            Tensor mirrored = tensor(flips.Select(f => f ? 1f : 0f).ToArray(), device: device).view(-1, 1, 1);
            output = output + mirrored * (size - 1 - 2 * output);
        }
        Tensor scale = length / size, inside = input - start;
        Tensor offset = (inside + 0.5f - (output + 0.5f) * scale) / scale.clamp(min: 1), distance = maximum(offset, -offset);
        Tensor weight = (filter == ResizeFilter.Bilinear ? (1 - distance).clamp_(min: 0) : Cubic(distance)) * inside.ge(0) * (inside < length);
        return weight.div_(weight.sum(2, keepdim: true)).to(images.dtype);
    }

    /// <summary>Keys' cubic with a = -0.5 of |x|: its outer piece 0.5 (1 - x) (2 - x)^2, and what the inner piece adds below 1, without branches.</summary>
    private static Tensor Cubic(Tensor x) => (2 - x).clamp_(min: 0).square() * (1 - x) * 0.5 + (1 - x).clamp_(min: 0).square() * (2 * x - 1);
}
