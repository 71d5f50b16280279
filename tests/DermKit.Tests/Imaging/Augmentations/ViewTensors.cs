using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Imaging;

/// <summary>Runs the augmentations on tensors.</summary>
internal static unsafe class ViewTensors
{
    /// <summary>A copy of a square image [1, 3, S, S] after a change of its planes.</summary>
    public static Tensor Changed(Tensor image, Action<ViewPlanes> change)
    {
        Tensor result = image.clone();
        int side = (int)image.shape[^1];
        float[] data = new float[ViewPlanes.Length(side)];
        // Whatever lies behind a plane must change nothing.
        Array.Fill(data, 7);
        fixed (float* at = data)
        fixed (byte* bytes = result.bytes)
        {
            var view = new ViewPlanes(at, side);
            for (int channel = 0; channel < 3; channel++)
                Plane((float*)bytes, channel, side).CopyTo(new Span<float>(view[channel], side * side));
            change(view);
            for (int channel = 0; channel < 3; channel++)
                new Span<float>(view[channel], side * side).CopyTo(Plane((float*)bytes, channel, side));
        }
        return result;
    }

    /// <summary>Jitters in the given order.</summary>
    public static Tensor Jittered(Tensor image, params (Jitter, float)[] steps) =>
        Changed(image, view => ColorJitter.Apply(view, steps));

    /// <summary>A box of bytes [1, 3, H, W] as float [1, 3, size, size].</summary>
    public static Tensor Crop(Tensor bytes, CropBox box, int size, ResizeFilter filter, bool flip = false)
    {
        int height = (int)bytes.shape[2], width = (int)bytes.shape[3];
        Tensor columns = empty(ResizedCrop.ColumnsLength(height, width));
        fixed (byte* from = bytes.contiguous().bytes, to = columns.bytes)
        {
            ResizedCrop.Columns(from, (width, height), height, width, (float*)to);
            float* first = (float*)to;
            return Changed(zeros(1, 3, size, size),
                view => ResizedCrop.Apply(first, height, width, box, filter, flip, view));
        }
    }

    private static Span<float> Plane(float* data, int channel, int side) =>
        new(data + (channel * side * side), side * side);
}
