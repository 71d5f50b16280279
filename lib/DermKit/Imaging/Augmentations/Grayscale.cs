namespace DermKit.Imaging;

/// <summary>Replaces colours by their luma in a share of the images.</summary>
public sealed record Grayscale(double Chance) : IAugmentation
{
    /// <inheritdoc/>
    public AugmentationStep? Draw(ref ImageRandom random) => random.Uniform() < Chance
        ? (view, ref _) => ColorJitter.Apply(view, [(Jitter.Saturation, 0)]) : null;
}
