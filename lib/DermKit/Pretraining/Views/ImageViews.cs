using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>An image before cropping and its crops of one training step, as the student sees them: masked patches have
/// the mean colour.</summary>
public sealed record ImageViews(
    string Label, RgbImage Image, IReadOnlyList<RgbImage> Globals, IReadOnlyList<RgbImage> Locals)
{
    /// <summary>Makes a run's crops of the first images of an epoch, counted from 0.</summary>
    public static IReadOnlyList<ImageViews> Draw(PretrainData data, PretrainOptions options, int count, int epoch = 0)
    {
        using var scope = NewDisposeScope();
        int[] numbers = data.Order(options.Batch, options.Seed, epoch)[0][..Math.Min(count, options.Batch)];
        using Views views = new MultiCrop(options).Make(data, numbers, epoch, CPU);
        Tensor seen = views.Globals;
        if (views.Masks is not null)
        {
            int patch = options.Patch, side = options.GlobalSize / patch;
            Tensor cells = views.Masks.Cells.view(-1, 1, side, side);
            Tensor pixels = cells.repeat_interleave(patch, 2).repeat_interleave(patch, 3);
            long rest = seen.shape[3] - pixels.shape[3];
            // The mean colour is 0 after normalisation; pixels beyond the last whole patch are not seen.
            Tensor inner = seen.narrow(2, 0, pixels.shape[2]).narrow(3, 0, pixels.shape[3]);
            seen = nn.functional.pad(inner.masked_fill(pixels, Kept(0)), [0, rest, 0, rest]);
        }
        RgbImage[] globals = new EvalTransform().Images(seen);
        RgbImage[] locals = views.Locals is null ? [] : new EvalTransform().Images(views.Locals);
        // Crop-major: the views of one image are a batch apart.
        RgbImage[] Of(RgbImage[] crops, int i) => [.. crops.Where((_, at) => at % numbers.Length == i)];
        return [.. numbers.Select((number, i) =>
            new ImageViews($"image {i + 1}", data.Image(number), Of(globals, i), Of(locals, i)))];
    }
}
