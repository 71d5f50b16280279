using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>The views of a batch, normalised by ImageNet's mean and deviation, crop-major: all images of crop 0, then of crop 1, and so on.</summary>
/// <param name="Globals">[2B, 3, G, G].</param>
/// <param name="Locals">[L * B, 3, S, S]; null when there are none.</param>
/// <param name="Masks">Masked patches of the global crops; null for a method that masks none.</param>
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

/// <summary>
/// The views of a method by <see cref="CropViews"/>: two large crops and L small ones (DINO's multi-crop, Caron et al. 2021) or none (SimCLR, BYOL),
/// bicubic for DINO and iBOT, bilinear for the others, coloured as <see cref="ViewColours"/> says.
/// </summary>
public sealed class MultiCrop(PretrainOptions options)
{
    private readonly IReadOnlyList<ViewRecipe[]> recipes = Recipes(options);
    private readonly long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.Views);

    /// <summary>The views of some images of a run, from its cache or from the original files, as its options say.</summary>
    /// <param name="data">The images.</param>
    /// <param name="numbers">Those of the batch.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <param name="device">Where the views go.</param>
    /// <exception cref="KitException">An original file is gone, cannot be read any more or was changed.</exception>
    public Views Make(PretrainData data, int[] numbers, int epoch, Device device)
    {
        if (options.CropSource == "original")
            return Masked(CropViews.Make(data.Original, numbers, seed, epoch, device, recipes), numbers, epoch, device);
        using Tensor pixels = data.Batch(numbers, device);
        return Make(pixels, numbers, epoch, data.Sizes(numbers));
    }

    /// <summary>Cuts and colours the views on the images' device.</summary>
    /// <param name="images">uint8 [B, 3, H, W].</param>
    /// <param name="ids">Number of each image in its data.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <param name="sizes">Sizes of each image; null when each is W x H, and an original.</param>
    /// <exception cref="ArgumentException">The numbers of images, ids and sizes differ.</exception>
    public Views Make(Tensor images, ReadOnlySpan<int> ids, int epoch, ImageSize[]? sizes = null) =>
        Masked(CropViews.Make(images, ids, seed, epoch, sizes, recipes), ids, epoch, images.device);

    private Views Masked(Tensor[] made, ReadOnlySpan<int> ids, int epoch, Device device)
    {
        var views = new Views(made[0], made.Length > 1 ? made[1] : null);
        if (options.Method != "iBOT") return views;
        var masks = new BlockMask(options.MaskRatio, options.MaskVariance, options.MaskAspect, epoch < options.MaskStartEpoch ? 0 : options.MaskChance);
        return views with { Masks = masks.ForBatch(ids, options.Seed, epoch, options.GlobalSize / options.Patch, device) };
    }

    internal static IReadOnlyList<ViewRecipe[]> Recipes(PretrainOptions options)
    {
        ViewColours colours = ViewColours.For(options);
        RandomResizedCrop large = new(options.GlobalScaleMin, 1), small = new(options.LocalScaleMin, options.LocalScaleMax);
        ResizeFilter filter = options.Method is "SimCLR" or "BYOL" ? ResizeFilter.Bilinear : ResizeFilter.Bicubic;
        ViewRecipe[] globals = [new(large, options.GlobalSize, colours.First, filter), new(large, options.GlobalSize, colours.Second, filter)];
        return options.LocalCrops == 0 ? [globals] : [globals, [.. Enumerable.Repeat(new ViewRecipe(small, options.LocalSize, colours.Local), options.LocalCrops)]];
    }
}
