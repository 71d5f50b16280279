using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using static System.FormattableString;

namespace DermKit.Reporting;

/// <summary>Near-duplicates for a person to judge, and scores without them.</summary>
public static class LeakageReport
{
    private const int Side = 160;

    /// <summary>Near-duplicates between training and test images of a task's first split.</summary>
    public static IReadOnlyList<MatchedPair> AcrossSplit(ProbeTask task, CancellationToken cancellation = default)
    {
        Split split = task.SplitFor(TaskSuite.Seeds[0]);
        IReadOnlyList<MatchedPair> pairs = Leakage.Find(task.Table.Paths, cancellation: cancellation);
        return [.. pairs.Where(p => Leakage.Touched([p], split).Length > 0)];
    }

    /// <summary>The pairs of <see cref="AcrossSplit"/> as tiles, or a sentence.</summary>
    public static object Found(ProbeTask task, IReadOnlyList<MatchedPair> pairs)
    {
        string stamp = task.Definition.Stamp;
        return pairs.Count > 0 ? Pairs(pairs, task.Table, stamp)
            : $"{Stamps.Bracket(stamp)}No near-duplicate across the split among {task.Table.Count} images.";
    }

    /// <summary>Scores of a task without the test images of these pairs, or a sentence.</summary>
    public static object WithoutFound(
        SuiteRun run, ProbeTask task, IReadOnlyList<MatchedPair> pairs, int resamples = 1000)
    {
        int[] rows = Leakage.Touched(pairs, task.SplitFor(TaskSuite.Seeds[0]));
        if (rows.Length == 0) return $"{Stamps.Bracket(run.Stamp)}No test image has to be left out of the score.";
        TaskResult[] own = [.. run.Results.Where(r => r.Task == task.Definition.Name)];
        return WithoutTouched(own, rows.Select(row => task.Table.Ids[row]).ToHashSet(), resamples);
    }

    // The most similar pairs as tiles, the first image on the left.
    internal static ImageGridFigure Pairs(IReadOnlyList<MatchedPair> pairs, ImageTable table, string stamp)
    {
        ImageTile[] tiles = [.. pairs.Take(24).Select(Tile)];
        return new("near-duplicates", "Near-duplicates across the split",
            $"The {tiles.Length} of {pairs.Count} confirmed pairs with the most similar features. Pixels agree after "
            + "turning, mirroring and shifting. Judge whether a pair is one photograph, one lesion or chance.",
            $"{tiles.Length} pairs of images side by side.", tiles)
        { Columns = 3, Stamp = stamp };

        ImageTile Tile(MatchedPair p) => ImageTile.From(Beside(table.Paths[p.First], table.Paths[p.Second]),
            $"{Named(p.First)} | {Named(p.Second)}",
            Invariant($"features {p.Similarity:0.000}, pixels {p.Correlation:0.000}"));

        string Named(int row) => $"{table.Ids[row]} {Cell(table, "split", row)}".TrimEnd();
    }

    /// <summary>The pairs as a table.</summary>
    public static Table List(string title, IReadOnlyList<MatchedPair> pairs, ImageTable first, ImageTable second,
        string stamp = "") => Tables.From(title, pairs,
        ("First", p => first.Ids[p.First]),
        ("Its split", p => Cell(first, "split", p.First)),
        ("Second", p => second.Ids[p.Second]),
        ("Its split", p => Cell(second, "split", p.Second)),
        ("Diagnoses", p => string.Join(" | ", new HashSet<string>
            { Cell(first, "diagnosis", p.First), Cell(second, "diagnosis", p.Second) })),
        ("Features", p => p.Similarity),
        ("Pixels", p => p.Correlation)) with
        { Stamp = stamp };

    // Mean scores over seeds with and without test images that have a near-duplicate in training.
    internal static Table WithoutTouched(
        IReadOnlyList<TaskResult> results, IReadOnlySet<string> touched, int resamples = 1000)
    {
        if (results.Count == 0)
            throw new KitException("Scores without near-duplicates: expected at least one result, found none.");
        var groups = results.GroupBy(r => (r.Task, r.Model, r.Probe)).ToArray();
        var rows = groups.Select(g =>
        {
            TaskResult[] seeds = [.. g.OrderBy(r => r.Seed)];
            Interval all = Bootstrap.MeanInterval([.. seeds.Select(r => r.Rows)], resamples: resamples);
            Interval left = Bootstrap.MeanInterval(Array.ConvertAll(seeds, Left), resamples: resamples);
            return (g.Key, g.First().Ids, All: Estimate.Of(all), Left: Estimate.Of(left));
        });
        return Tables.From("Scores without the test images that have a near-duplicate in training", rows,
            ("Task", r => r.Key.Task),
            ("Model", r => r.Key.Model),
            ("Probe", r => r.Key.Probe),
            ("Test images", r => r.Ids.Length),
            ("Touched", r => r.Ids.Count(touched.Contains)),
            ("F1 [95 %]", r => r.All),
            ("F1 without [95 %]", r => r.Left)) with
        {
            Stamp = Stamps.Of(results),
            Footnote = new("test images in a column, those of the first seed",
                TableFootnote.Mean(groups.Select(g => g.Count())), TableFootnote.Bootstrap(),
                "with and without the touched images, side by side; other images, so no paired difference"),
            Note = "The classifier is the same in both columns, trained on the near-duplicates.",
        };

        TestRows Left(TaskResult result)
        {
            TestRows rows = result.Rows.Where(i => !touched.Contains(result.Ids[i]));
            return rows.Truth.Length > 0 ? rows : throw new KitException("Scores without near-duplicates: every test "
                + $"image of task '{result.Task}' has one in training; nothing is left to score.");
        }
    }

    private static RgbImage Beside(string left, string right)
    {
        var pair = new RgbImage(2 * Side, Side, new byte[6 * Side * Side]);
        foreach ((int k, string path) in new[] { left, right }.Index())
        {
            byte[] pixels = PillowResize.Resize(ImageCodec.Decode(path), Side, Side, ResizeFilter.Bilinear).Pixels;
            for (int y = 0; y < Side; y++)
                pixels.AsSpan(3 * y * Side, 3 * Side).CopyTo(pair.Pixels.AsSpan(3 * (2 * y + k) * Side));
        }
        return pair;
    }

    private static string Cell(ImageTable table, string column, int row) =>
        table.Has(column) ? table.Column(column)[row] ?? "" : "";
}
