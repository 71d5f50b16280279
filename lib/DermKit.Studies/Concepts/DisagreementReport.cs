namespace DermKit.Studies;

/// <summary>Images that only one of two models predicts right.</summary>
public static class DisagreementReport
{
    /// <summary>Number of images of each task that only one model predicts right.</summary>
    public static Table Counts(IReadOnlyList<Disagreement> all)
    {
        double[] adjusted = PairedTest.Holm(all.Select(d => d.P));
        Disagreement? first = all.FirstOrDefault();
        string caption = first is null ? "One right, the other wrong"
            : $"{first.First} against {first.Second}: one right, the other wrong";
        static int Images(Disagreement d) => d.BothRight + d.BothWrong + d.OnlyFirst.Count + d.OnlySecond.Count;
        return Tables.From(caption, all.Zip(adjusted, (d, p) => (Found: d, P: p)),
            ("Task", r => r.Found.Task), ("Probe", r => r.Found.Probe), ("Test images", r => Images(r.Found)),
            ("Both right", r => r.Found.BothRight), ("Only the first", r => r.Found.OnlyFirst.Count),
            ("Only the second", r => r.Found.OnlySecond.Count), ("Both wrong", r => r.Found.BothWrong),
            ("p (Holm)", r => r.P)) with
        {
            Stamp = Stamps.Join(all.Select(d => d.Stamp)),
            Footnote = new("test images in a column", $"1, seed {first?.Seed ?? 0}", "none, these are counts",
                $"first against second; McNemar's exact two-sided p over {TableFootnote.Units}, Holm over the "
                + $"{all.Count} rows"),
            Note = "p: for each patient, lesion or image, which model gets more of its images right: about accuracy, "
                + "in which frequent classes count most, not F1.",
        };
    }

    /// <summary>Some images of a task and probe for each model.</summary>
    public static ImageGridFigure Images(Disagreement found, SuiteRun run, int each = 6)
    {
        ProbeTask task = run.Tasks.First(t => t.Definition.Name == found.Task);
        var rowOf = task.Table.Ids.Index().ToDictionary(p => p.Item, p => p.Index, StringComparer.Ordinal);
        ImageTile? Tile(OneRight image, string right) => ProbingReport.Tile(task, rowOf[image.Id],
            $"{right} right: {image.Truth}", $"{found.First}: {image.First}; {found.Second}: {image.Second}");
        IEnumerable<ImageTile> Tiles(IReadOnlyList<OneRight> images, string right) =>
            images.Select(image => Tile(image, right)).OfType<ImageTile>().Take(each);
        ImageTile[] tiles = [.. Tiles(found.OnlyFirst, found.First), .. Tiles(found.OnlySecond, found.Second)];
        return new("one-right", $"One right, the other wrong: {task.Definition.Title}",
            $"Test images with the {found.Probe} probe, seed {found.Seed}: {found.OnlyFirst.Count} that only "
            + $"{found.First} gets right and {found.OnlySecond.Count} that only {found.Second} does; the first {each} "
            + "of each in the order of the set, not chosen. Look for what they share before you say why.",
            $"A grid of {tiles.Length} skin images with the true class and what both models say.", tiles)
        { Stamp = found.Stamp };
    }
}
