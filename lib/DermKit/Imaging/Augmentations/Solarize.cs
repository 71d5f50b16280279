using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Inverts values from 128 of 255 up in a share of the images.</summary>
public sealed record Solarize(double Chance) : IAugmentation
{
    /// <inheritdoc/>
    public AugmentationStep? Draw(ref ImageRandom random) =>
        random.Uniform() < Chance ? (view, ref _) => Apply(view) : null;

    internal static unsafe void Apply(ViewPlanes view)
    {
        for (int channel = 0; channel < 3; channel++)
        {
            float* plane = view[channel];
            for (int i = 0; i < view.Pixels; i += ViewPlanes.Lanes)
            {
                Vector512<float> x = Vector512.Load(plane + i);
                Vector512<float> bright = Vector512.GreaterThanOrEqual(x, Vector512.Create(128 / 255f));
                Vector512.ConditionalSelect(bright, Vector512<float>.One - x, x).Store(plane + i);
            }
        }
    }
}
