using MathNet.Numerics.Distributions;

namespace DermKit.Studies;

/// <summary>Power of a comparison.</summary>
public static class DetectableDifference
{
    /// <summary>Standard errors of a difference found four times in five, by the normal approximation, at 0.05 / m
    /// two-sided: Holm's first of m comparisons. 1.96 + 0.84 for one.</summary>
    public static double ErrorsToFind(int comparisons = 1) =>
        Normal.InvCDF(0, 1, 1 - 0.05 / (2 * comparisons)) + Normal.InvCDF(0, 1, 0.8);

    internal static double Of(double standardError, int comparisons = 1) =>
        ErrorsToFind(comparisons) * standardError;

    // Factor on the test units to find a difference four times in five; the standard error falls with their root.
    internal static double TimesTheUnits(double standardError, double difference, int comparisons = 1) =>
        Math.Pow(Of(standardError, comparisons) / difference, 2);
}
