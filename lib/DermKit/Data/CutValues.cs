using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>
/// Values at the ends of their range, 0 and 255. Photographs have few; images that were stored after a model's normalisation, or with more
/// contrast, have many, and what was cut off is lost.
/// </summary>
public static class CutValues
{
    /// <summary>Difference between two parts of a set from which <see cref="Warning"/> speaks: natural parts differ by a few hundredths.</summary>
    private const double Suspicious = 0.15;

    /// <summary>Share of an image's values that are 0 or 255, 0 to 1.</summary>
    public static double Share(RgbImage image) => (double)(image.Pixels.AsSpan().Count((byte)0) + image.Pixels.AsSpan().Count((byte)255)) / image.Pixels.Length;

    /// <summary>What to tell a user whose frozen test images and other images have other colours; null when there is nothing to tell.</summary>
    /// <param name="shares"><see cref="Share"/> of each image; NaN for one that cannot be read.</param>
    /// <param name="frozen">For each image whether it is a frozen test image.</param>
    public static string? Warning(IReadOnlyList<double> shares, IReadOnlyList<bool> frozen)
    {
        double Mean(bool part) => shares.Where((share, i) => frozen[i] == part && !double.IsNaN(share)).DefaultIfEmpty(double.NaN).Average();
        (double test, double rest) = (Mean(true), Mean(false));
        return Math.Abs(test - rest) < Suspicious || double.IsNaN(test - rest) ? null : FormattableString.Invariant(
            $"of the test images {100 * test:0} % of all values are 0 or 255, of the others {100 * rest:0} %: one part was stored after normalisation or with other contrast. Look at some images of both before you read a score, and get the original files.");
    }
}
