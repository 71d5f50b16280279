using MathNet.Numerics.Distributions;

namespace DermKit.Studies;

/// <summary>Power of a comparison.</summary>
public static class DetectableDifference
{
    /// <summary>Standard errors of a difference found four times in five, by the normal approximation, at 0.05 / m
    /// two-sided: Holm's first of m comparisons. 1.96 + 0.84 for one.</summary>
    public static double ErrorsToFind(int comparisons = 1) =>
        Normal.InvCDF(0, 1, 1 - 0.05 / (2 * comparisons)) + Normal.InvCDF(0, 1, 0.8);
}
