namespace DermKit.Pretraining;

/// <summary>A batch's views, normalised by ImageNet's statistics, crop-major (all images of crop 0, then of crop 1):
/// globals [2B, 3, G, G], locals [L * B, 3, S, S] or null, masked patches of the globals or null.</summary>
public sealed record Views(Tensor Globals, Tensor? Locals, PatchMasks? Masks = null) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Globals.Dispose();
        Locals?.Dispose();
        Masks?.Dispose();
    }
}

internal sealed class MultiCrop(PretrainOptions options)
{
    private readonly IReadOnlyList<ViewRecipe[]> recipes = options.Recipes();
    private readonly long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.Views);

    public Views Make(PretrainData data, int[] numbers, int epoch, Device device)
    {
        if (options.CropSource == CropSource.Original)
            return Masked(CropViews.Make(data.Original, numbers, seed, epoch, device, recipes), numbers, epoch, device);
        using Tensor pixels = data.Batch(numbers, CPU);
        return Make(pixels, numbers, epoch, data.Sizes(numbers), device);
    }

    // uint8 [B, 3, H, W], cut on the CPU. Null sizes: each is W x H and original; null device: the images' device.
    public Views Make(Tensor images, ReadOnlySpan<int> ids, int epoch, ImageSize[]? sizes = null,
        Device? device = null)
    {
        Device target = device ?? images.device;
        return Masked(CropViews.Make(images, ids, seed, epoch, sizes, target, recipes), ids, epoch, target);
    }

    private Views Masked(Tensor[] made, ReadOnlySpan<int> ids, int epoch, Device device) =>
        new(made[0], made.Length > 1 ? made[1] : null, options.Masks(ids, epoch, device));
}
