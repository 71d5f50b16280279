using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>The views of a batch, normalised by ImageNet's mean and deviation, crop-major: all pictures of crop 0, then of crop 1, and so on.</summary>
/// <param name="Globals">[2B, 3, G, G].</param>
/// <param name="Locals">[L * B, 3, S, S]; null when there are none.</param>
public sealed record Views(Tensor Globals, Tensor? Locals) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Globals.Dispose();
        Locals?.Dispose();
    }
}

/// <summary>
/// DINO's multi-crop augmentation (Caron et al. 2021; the settings are those of the paper page): two global and L local crops by
/// <see cref="CropViews"/>; the first global crop is always blurred, the second rarely, but solarised now and then.
/// </summary>
public sealed class MultiCrop(PretrainOptions options)
{
    private readonly IReadOnlyList<ViewRecipe[]> recipes = Recipes(options);

    /// <summary>Cuts and colours the views on the pictures' device.</summary>
    /// <param name="images">uint8 [B, 3, H, W].</param>
    /// <param name="ids">Number of each picture in its data.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <exception cref="ArgumentException">The numbers of pictures and ids differ.</exception>
    public Views Make(Tensor images, ReadOnlySpan<int> ids, int epoch)
    {
        Tensor[] made = CropViews.Make(images, ids, options.Seed, epoch, recipes);
        return new(made[0], made.Length > 1 ? made[1] : null);
    }

    internal static IReadOnlyList<ViewRecipe[]> Recipes(PretrainOptions options)
    {
        ColorJitter paper = new();
        double strength = options.ColorStrength;
        ColorJitter colour = new()
        {
            BlurMax = options.BlurMax, Brightness = strength * paper.Brightness, Contrast = strength * paper.Contrast,
            Saturation = strength * paper.Saturation, Hue = strength * paper.Hue, Grayscale = strength * paper.Grayscale,
        };
        RandomResizedCrop large = new(options.GlobalScaleMin, 1), small = new(options.LocalScaleMin, options.LocalScaleMax);
        ViewRecipe[] globals =
        [
            new(large, options.GlobalSize, colour with { Blur = 1 }),
            new(large, options.GlobalSize, colour with { Blur = 0.1, Solarize = 0.2 * strength }),
        ];
        return options.LocalCrops == 0 ? [globals] : [globals, [.. Enumerable.Repeat(new ViewRecipe(small, options.LocalSize, colour with { Blur = 0.5 }), options.LocalCrops)]];
    }
}
