using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using System.Globalization;

namespace DermKit.Reporting;

/// <summary>Near-duplicates for a person to judge, and scores without them. The images are for reports; none is kept in the repository.</summary>
public static class LeakageReport
{
    private const int Side = 160;

    /// <summary>Each pair as one tile, the first image on the left.</summary>
    /// <param name="title">Which sets, and how many pairs were looked at.</param>
    /// <param name="pairs">From <see cref="Leakage.Confirm"/>.</param>
    /// <param name="first">Table that <see cref="MatchedPair.First"/> counts in.</param>
    /// <param name="second">Table that <see cref="MatchedPair.Second"/> counts in.</param>
    /// <param name="most">Pairs to show.</param>
    /// <param name="stamp">That of the images.</param>
    /// <exception cref="ImageUnreadableException">An image has gone since the pair was confirmed.</exception>
    public static ImageGridFigure Pairs(string title, IReadOnlyList<MatchedPair> pairs, ImageTable first, ImageTable second, int most = 24, string stamp = "")
    {
        ImageTile[] tiles = [.. pairs.Take(most).Select(p => ImageTile.From(Beside(first.Paths[p.First], second.Paths[p.Second]),
            $"{first.Ids[p.First]}{Split(first, p.First)} | {second.Ids[p.Second]}{Split(second, p.Second)}", string.Create(CultureInfo.InvariantCulture, $"features {p.Similarity:0.000}, pixels {p.Correlation:0.000}")))];
        return new("near-duplicates", title, $"The {tiles.Length} of {pairs.Count} confirmed pairs that features rank highest. Pixels agree after turning, mirroring and shifting; whether a pair is one photograph, one lesion or chance is yours to judge.",
            $"{tiles.Length} pairs of images side by side.", tiles) { Columns = 3, Stamp = stamp };
    }

    /// <summary>The pairs as a table, for a file or a report without images.</summary>
    /// <inheritdoc cref="Pairs" path="/param"/>
    public static Table List(string title, IReadOnlyList<MatchedPair> pairs, ImageTable first, ImageTable second, string stamp = "") => Tables.From(title, pairs,
        ("First", p => first.Ids[p.First]), ("Its split", p => Split(first, p.First).Trim()), ("Second", p => second.Ids[p.Second]), ("Its split", p => Split(second, p.Second).Trim()),
        ("Diagnoses", p => string.Join(" | ", new[] { Diagnosis(first, p.First), Diagnosis(second, p.Second) }.Distinct())),
        ("Features", p => p.Similarity), ("Pixels", p => p.Correlation)) with { Stamp = stamp };

    /// <summary>Scores of the results with and without the test images that a finding touches, seeds averaged; F1 of the paper's kind, with 95 % bootstrap intervals over units.</summary>
    /// <param name="results">Of any tasks, models and probes.</param>
    /// <param name="touched">Ids of test images that have a partner in training.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    /// <exception cref="KitException">There is no result, or no test image of one is left.</exception>
    public static Table WithoutTouched(IReadOnlyList<TaskResult> results, IReadOnlySet<string> touched, int resamples = 1000)
    {
        if (results.Count == 0) throw new KitException("Scores without near-duplicates: expected at least one result, found none.");
        return Tables.From("Scores without the test images that have a near-duplicate in training", results.GroupBy(r => (r.Task, r.Model, r.Probe)).Select(g =>
        {
            TestRows[] all = [.. g.OrderBy(r => r.Seed).Select(r => r.Rows)], left = [.. g.OrderBy(r => r.Seed).Select(r => Left(r, touched))];
            return (g.Key, Images: g.First().Ids.Length, Touched: g.First().Ids.Count(touched.Contains), All: Of(all), Left: Of(left));
        }), ("Task", r => r.Key.Task), ("Model", r => r.Key.Model), ("Probe", r => r.Key.Probe), ("Test images", r => r.Images), ("Touched", r => r.Touched), ("F1 [95 %]", r => r.All), ("F1 without [95 %]", r => r.Left)) with
        {
            Stamp = Stamps.Join(results.Select(r => r.BothStamps)),
            Basis = new("test images in a column, those of the first seed", Basis.Mean(results.GroupBy(r => (r.Task, r.Model, r.Probe)).Select(g => g.Count())), Basis.Bootstrap(), "with and without the touched images, side by side; other images, so no paired difference"),
            Note = $"The classifier is the same in both columns: what it learned from the partners stays.",
        };

        Estimate Of(TestRows[] rows)
        {
            (double value, double[] resampled) = Bootstrap.Mean(rows, null, resamples);
            return Estimate.Of(Bootstrap.Percentiles(value, resampled));
        }
    }

    private static TestRows Left(TaskResult result, IReadOnlySet<string> touched)
    {
        int[] rows = [.. Enumerable.Range(0, result.Ids.Length).Where(i => !touched.Contains(result.Ids[i]))];
        if (rows.Length == 0) throw new KitException($"Scores without near-duplicates: every test image of task '{result.Task}' has one in training; nothing is left to score.");
        return result.Rows with { Units = [.. rows.Select(i => result.Units[i])], Truth = [.. rows.Select(i => result.Truth[i])], Predicted = [.. rows.Select(i => result.Predicted[i])] };
    }

    private static RgbImage Beside(string left, string right)
    {
        var pair = new RgbImage(2 * Side, Side, new byte[6 * Side * Side]);
        foreach ((int k, string path) in new[] { left, right }.Index())
        {
            byte[] pixels = PillowResize.Resize(ImageCodec.Decode(path), Side, Side, ResizeFilter.Bilinear).Pixels;
            for (int y = 0; y < Side; y++) pixels.AsSpan(3 * y * Side, 3 * Side).CopyTo(pair.Pixels.AsSpan(3 * (2 * y + k) * Side));
        }
        return pair;
    }

    private static string Split(ImageTable table, int row) => table.Has("split") && table.Column("split")[row] is { } split ? $" {split}" : "";

    private static string Diagnosis(ImageTable table, int row) => table.Has("diagnosis") ? table.Column("diagnosis")[row] ?? "" : "";
}
