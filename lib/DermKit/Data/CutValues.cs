using DermKit.Imaging;

namespace DermKit.Data;

/// <summary>Share of values at 0 and 255: large in images stored after a model's normalisation or with more
/// contrast.</summary>
internal static class CutValues
{
    // Difference between two parts of a set that gives a warning; natural parts differ by a few hundredths.
    private const double Suspicious = 0.15;

    // Images of each part that tell.
    private const int Sample = 24;

    public static double Share(RgbImage image) =>
        (double)(image.Pixels.AsSpan().Count((byte)0) + image.Pixels.AsSpan().Count((byte)255)) / image.Pixels.Length;

    // As below, from some images of each part, evenly spaced.
    public static string? Warning(ImageTable table, bool[] frozen)
    {
        int[] Some(bool part)
        {
            int[] rows = [.. Enumerable.Range(0, table.Count).Where(i => frozen[i] == part)];
            int some = Math.Min(Sample, rows.Length);
            return [.. Enumerable.Range(0, some).Select(i => rows[i * rows.Length / some])];
        }
        int[] test = Some(true), rest = Some(false);
        if (test.Length == 0 || rest.Length == 0) return null;
        int[] both = [.. test, .. rest];
        double[] shares = new double[both.Length];
        Parallel.For(0, both.Length, i =>
        {
            try
            {
                shares[i] = Share(ImageCodec.Decode(table.Paths[both[i]]));
            }
            catch (ImageUnreadableException)
            {
                shares[i] = double.NaN;
            }
        });
        return Warning(shares, Array.ConvertAll(both, i => frozen[i]));
    }

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
