using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>
/// Values at the ends of their range, 0 and 255. Photographs have few; pictures that were stored after a model's normalisation, or with more
/// contrast, have many, and what was cut off is lost.
/// </summary>
public static class CutValues
{
    /// <summary>Difference between two parts of a set from which <see cref="Warning"/> speaks: natural parts differ by a few hundredths.</summary>
    private const double Suspicious = 0.15;

    /// <summary>Share of a picture's values that are 0 or 255, 0 to 1.</summary>
    public static double Share(RgbImage picture) => (double)(picture.Pixels.AsSpan().Count((byte)0) + picture.Pixels.AsSpan().Count((byte)255)) / picture.Pixels.Length;

    /// <summary>What to tell a user whose frozen test pictures and other pictures have other colours; null when there is nothing to tell.</summary>
    /// <param name="shares"><see cref="Share"/> of each picture; NaN for one that cannot be read.</param>
    /// <param name="frozen">For each picture whether it is a frozen test picture.</param>
    public static string? Warning(IReadOnlyList<double> shares, IReadOnlyList<bool> frozen)
    {
        double Mean(bool part) => shares.Where((share, i) => frozen[i] == part && !double.IsNaN(share)).DefaultIfEmpty(double.NaN).Average();
        (double test, double rest) = (Mean(true), Mean(false));
        return Math.Abs(test - rest) < Suspicious || double.IsNaN(test - rest) ? null : FormattableString.Invariant(
            $"of the test pictures {100 * test:0} % of all values are 0 or 255, of the others {100 * rest:0} %: one part was stored after normalisation or with other contrast. Look at some pictures of both before you read a score, and get the original files.");
    }
}
