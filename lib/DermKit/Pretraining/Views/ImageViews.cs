using DermKit.Imaging;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>One image with the crops that one step of training makes of it.</summary>
/// <param name="Label">Names the image.</param>
/// <param name="Image">Before cropping.</param>
/// <param name="Globals">Large crops as the student sees them: with iBOT's masked patches in the mean colour.</param>
/// <param name="Locals">Small crops: only the student sees them.</param>
public sealed record ImageViews(string Label, RgbImage Image, IReadOnlyList<RgbImage> Globals, IReadOnlyList<RgbImage> Locals)
{
    /// <summary>The crops that a run with these options makes of its first images.</summary>
    /// <param name="data">Images of the run.</param>
    /// <param name="options">The run.</param>
    /// <param name="count">Number of images from the first step of the epoch.</param>
    /// <param name="epoch">Decides the draws, from 0.</param>
    public static IReadOnlyList<ImageViews> Draw(PretrainData data, PretrainOptions options, int count, int epoch = 0)
    {
        using var scope = NewDisposeScope();
        int[] numbers = data.Order(options.Batch, options.Seed, epoch)[0][..Math.Min(count, options.Batch)];
        using Views views = new MultiCrop(options).Make(data, numbers, epoch, CPU);
        Tensor seen = views.Globals;
        if (views.Masks is not null)
        {
            // What the student sees: a masked patch in the mean colour, which is 0 after normalisation.
            int side = options.GlobalSize / options.Patch;
            Tensor cells = views.Masks.Cells.view(-1, 1, side, side).repeat_interleave(options.Patch, 2).repeat_interleave(options.Patch, 3);
            seen = nn.functional.pad(seen.narrow(2, 0, cells.shape[2]).narrow(3, 0, cells.shape[3]).masked_fill(cells, Kept(0)), [0, seen.shape[3] - cells.shape[3], 0, seen.shape[2] - cells.shape[2]]);
        }
        RgbImage[] globals = new EvalTransform().Images(seen), locals = views.Locals is null ? [] : new EvalTransform().Images(views.Locals);
        // The views are crop-major: those of one image lie a whole batch apart.
        RgbImage[] Of(RgbImage[] crops, int i) => [.. crops.Where((_, at) => at % numbers.Length == i)];
        return [.. numbers.Select((number, i) => new ImageViews($"image {i + 1}", data.Image(number), Of(globals, i), Of(locals, i)))];
    }
}
