namespace DermKit.Studies;

/// <summary>Nearest images, and how often they share the label.</summary>
public static class SearchReport
{
    /// <summary>Precision at k for the test images of each source.</summary>
    public static Table Precision(IReadOnlyList<ImageSearch> searches, IReadOnlyList<int> ks, int resamples = 1000)
    {
        var rows = searches.SelectMany(s => s.Answers.GroupBy(a => a.Asked.Source).Select(g =>
            (Search: s, Source: g.Key, All: g.Count(), Counted: g.Where(a => a.Chance > 0).ToArray())));
        string[] head = ["Model", "Asked", "Searched", "Images", "No match", "By chance"];
        return new($"Precision at {string.Join(", ", ks)}: nearest images with the same label",
            [.. head, .. ks.Select(k => $"At {k} [95 %]")],
            [.. rows.Where(r => r.Counted.Length > 0).Select(r => (IReadOnlyList<object?>)[r.Search.Model, r.Source,
                r.Search.Across ? "other sources" : "all", r.Counted.Length, r.All - r.Counted.Length,
                r.Counted.Average(a => a.Chance),
                .. ks.Select(k => Estimate.Of(ImageSearch.Precision(r.Counted, k, resamples)))])])
        {
            Stamp = Stamps.Join(searches.Select(s => s.Stamp)),
            Footnote = new("test images in a column", "1, the first of the run", TableFootnote.Bootstrap(),
                "with what images drawn blindly would have, in a column; no p"),
            Note = "Precision: mean share of the nearest training images, by the cosine of frozen features, that have "
                + "the test image's label. By chance: that share of images drawn blindly. No match: test images whose "
                + "label no searched image has; they are left out. Public data sets share photographs (see notebook "
                + "06): where the searched images hold the one that is asked for, it is found and counts.",
        };
    }

    /// <summary>Some test images, each followed by its nearest.</summary>
    public static ImageGridFigure Images(ImageSearch search, int count = 4, int each = 5)
    {
        Answer[] shown = [.. ByTurn(search).Take(count)];
        ImageTile?[] Row(Answer answer, int number) =>
        [
            Tile(answer.Asked, $"{number} asked: {answer.Asked.Label}", answer.Asked.Source),
            .. answer.Found.Take(each).Select((f, j) => Tile(f.Image, $"{number}.{j + 1} {f.Image.Label}",
                $"{f.Image.Source}, cosine {Tables.Number(f.Cosine)}")),
        ];
        string Finds(Answer a) =>
            $"{a.Asked.Label} finds {string.Join(", ", a.Found.Take(each).Select(f => f.Image.Label))}";
        string sources = search.Across ? " of other sources" : "";
        return new("nearest", $"Nearest images: {search.Model}",
            $"Each test image (asked) and its {each} nearest training images{sources}, nearest first; one of each "
            + "label in turn, not chosen. The number before the point says which was asked.",
            $"{shown.Length} test images with {each} nearest training images each: "
            + $"{string.Join("; ", shown.Select(Finds))}.",
            [.. shown.SelectMany((a, i) => Row(a, i + 1)).OfType<ImageTile>()])
        {
            Columns = each + 1,
            Stamp = search.Stamp,
        };

        static ImageTile? Tile(Image image, string label, string note) =>
            ProbingReport.Tile(image.Task, image.Row, label, note);
    }

    // The first of each source and label, then the second and so on; sources take turns.
    private static IEnumerable<Answer> ByTurn(ImageSearch search)
    {
        var labels = search.Answers.Where(a => a.Chance > 0).GroupBy(a => (a.Asked.Source, a.Asked.Label))
            .SelectMany(g => g.Index()).OrderBy(p => p.Index);
        var sources = labels.GroupBy(p => p.Item.Asked.Source).SelectMany(g => g.Index()).OrderBy(p => p.Index);
        return sources.Select(p => p.Item.Item);
    }
}
