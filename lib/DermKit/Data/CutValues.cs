using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>Share of values at 0 and 255: large in images stored after a model's normalisation or with more
/// contrast.</summary>
internal static class CutValues
{
    // Difference between two parts of a set that gives a warning; natural parts differ by a few hundredths.
    private const double Suspicious = 0.15;

    public static double Share(RgbImage image) =>
        (double)(image.Pixels.AsSpan().Count((byte)0) + image.Pixels.AsSpan().Count((byte)255)) / image.Pixels.Length;

    // Null if frozen test images have the colours of the rest; NaN marks an unreadable image.
    public static string? Warning(IReadOnlyList<double> shares, IReadOnlyList<bool> frozen)
    {
        double Mean(bool part) => shares.Where((share, i) => frozen[i] == part && !double.IsNaN(share))
            .DefaultIfEmpty(double.NaN).Average();
        double test = Mean(true), rest = Mean(false);
        return Math.Abs(test - rest) < Suspicious || double.IsNaN(test - rest) ? null
            : string.Create(CultureInfo.InvariantCulture, $"of the test images {100 * test:0} % of all values are 0 or "
                + $"255, of the others {100 * rest:0} %: one part was stored after normalisation or with other "
                + $"contrast. Look at some images of both before you read a score, and get the original files.");
    }
}
