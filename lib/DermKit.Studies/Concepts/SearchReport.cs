using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Nearest images, and how often they share the label.</summary>
public static class SearchReport
{
    /// <summary>Precision at k for the test images of each source.</summary>
    /// <param name="searches">Of one or several models.</param>
    /// <param name="ks">Numbers of nearest images.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    public static Table Precision(IReadOnlyList<ImageSearch> searches, IReadOnlyList<int> ks, int resamples = 1000)
    {
        var rows = searches.SelectMany(s => s.Answers.GroupBy(a => a.Asked.Source).Select(g => (Search: s, Source: g.Key, All: g.Count(), Counted: g.Where(a => a.Chance > 0).ToArray()))).Where(r => r.Counted.Length > 0);
        (string, Func<(ImageSearch Search, string Source, int All, Answer[] Counted), object?>)[] columns =
        [
            ("Model", r => r.Search.Model), ("Asked", r => r.Source), ("Searched", r => r.Search.Across ? "other sources" : "all"), ("Images", r => r.Counted.Length), ("No match", r => r.All - r.Counted.Length),
            ("By chance", r => r.Counted.Average(a => a.Chance)), .. ks.Select(k => ($"At {k} [95 %]", (Func<(ImageSearch Search, string Source, int All, Answer[] Counted), object?>)(r => Estimate.Of(ImageSearch.Precision(r.Counted, k, resamples))))),
        ];
        return Tables.From($"Precision at {string.Join(", ", ks)}: nearest images with the same label", rows, columns) with
        {
            Stamp = Stamps.Join(searches.Select(s => s.Stamp)),
            Basis = new("test images in a column", "1, the first of the run", Basis.Bootstrap(), "with what images drawn blindly would have, in a column; no p"),
            Note = "Precision: the share of the nearest training images, by the cosine of frozen features, that have the test image's label; means over test images. By chance: the share that images drawn blindly would have. No match: test images whose label none of the searched images has; they are left out. Nothing is trained. Public data sets share photographs (see notebook 06); where the searched images hold the one that is asked for, it is found and counts.",
        };
    }

    /// <summary>Some test images, each before its nearest ones.</summary>
    /// <param name="search">The answers.</param>
    /// <param name="count">Test images, sources and labels in turn.</param>
    /// <param name="each">Nearest images of each.</param>
    public static ImageGridFigure Images(ImageSearch search, int count = 4, int each = 5)
    {
        var byTurn = search.Answers.Where(a => a.Chance > 0).GroupBy(a => (a.Asked.Source, a.Asked.Label)).SelectMany(g => g.Select((a, turn) => (Answer: a, Turn: turn))).OrderBy(p => p.Turn).GroupBy(p => p.Answer.Asked.Source).SelectMany(g => g.Select((p, turn) => (p.Answer, Turn: turn))).OrderBy(p => p.Turn);
        ImageTile?[][] rows = [.. byTurn.Take(count).Select((p, i) => (ImageTile?[])[Tile(p.Answer.Asked, $"{i + 1} asked: {p.Answer.Asked.Label}", p.Answer.Asked.Source),
            .. p.Answer.Found.Take(each).Select((f, j) => Tile(f.Image, $"{i + 1}.{j + 1} {f.Image.Label}", $"{f.Image.Source}, cosine {Tables.Number(f.Cosine)}"))])];
        return new("nearest", $"Nearest images: {search.Model}", $"Each test image (asked) and its {each} nearest training images{(search.Across ? " of other sources" : "")}, nearest first; one of each label in turn, not chosen. The number before the point says which was asked.",
            $"{rows.Length} test images with {each} nearest training images each: {string.Join("; ", byTurn.Take(count).Select(p => $"{p.Answer.Asked.Label} finds {string.Join(", ", p.Answer.Found.Take(each).Select(f => f.Image.Label))}"))}.",
            [.. rows.SelectMany(r => r).OfType<ImageTile>()]) { Columns = each + 1, Stamp = search.Stamp };

        static ImageTile? Tile(Image image, string label, string note) => ProbingReport.Tile(image.Task, image.Row, label, note);
    }
}
