using System.Runtime.Intrinsics;

namespace DermKit.Imaging;

/// <summary>Changes a view in place; draws what depends on the view's other draws.</summary>
public delegate void AugmentationStep(ViewPlanes view, ref ImageRandom random);

/// <summary>One augmentation of a view; a new one is a file with this interface and a place in a recipe.</summary>
public interface IAugmentation
{
    /// <summary>Draws for one image, before any step changes its view; advances <paramref name="random"/> by the same
    /// amount for every outcome. Null leaves the view as it is.</summary>
    AugmentationStep? Draw(ref ImageRandom random);
}

/// <summary>Float planes [3, Side, Side] of a view, in 0 to 1, with room for whole vectors behind each.</summary>
public readonly unsafe struct ViewPlanes(float* data, int side)
{
    internal static int Lanes => Vector512<float>.Count;

    /// <summary>Side in pixels.</summary>
    public int Side => side;

    /// <summary>Pixels of a plane.</summary>
    public int Pixels => side * side;

    /// <summary>First value of red (0), green (1) or blue (2).</summary>
    public float* this[int channel] => data + (channel * Stride(side));

    /// <summary>Floats of a view.</summary>
    public static int Length(int side) => 3 * Stride(side);

    private static int Stride(int side) => ((side * side / Lanes) + 2) * Lanes;

    /// <summary>Writes (value - mean) / std of each channel to <paramref name="target"/> [3, Side, Side].</summary>
    public void Normalise(ChannelValues mean, ChannelValues std, float* target)
    {
        for (int channel = 0; channel < 3; channel++, target += Pixels)
        {
            float* plane = this[channel];
            float shift = mean[channel], scale = 1 / std[channel];
            int i = 0;
            for (; i + Lanes <= Pixels; i += Lanes)
                ((Vector512.Load(plane + i) - Vector512.Create(shift)) * scale).Store(target + i);
            for (; i < Pixels; i++) target[i] = (plane[i] - shift) * scale;
        }
    }
}
