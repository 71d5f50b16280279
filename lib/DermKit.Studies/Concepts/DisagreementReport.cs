using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Images that one model gets right and the other wrong.</summary>
public static class DisagreementReport
{
    /// <summary>How many images of each task each model alone gets right.</summary>
    public static Table Counts(IReadOnlyList<Disagreement> all)
    {
        double[] adjusted = PairedTest.Holm([.. all.Select(d => d.P)]);
        return Tables.From(all.Count == 0 ? "One right, the other wrong"
            : $"{all[0].First} against {all[0].Second}: one right, the other wrong",
            all.Zip(adjusted, (d, p) => (Found: d, P: p)),
            ("Task", r => r.Found.Task), ("Probe", r => r.Found.Probe),
            ("Test images", r =>
            r.Found.BothRight + r.Found.BothWrong + r.Found.OnlyFirst.Count + r.Found.OnlySecond.Count),
            ("Both right", r => r.Found.BothRight), ("Only the first", r => r.Found.OnlyFirst.Count),
            ("Only the second", r => r.Found.OnlySecond.Count), ("Both wrong", r => r.Found.BothWrong),
            ("p (Holm)", r => r.P)) with
        {
            Stamp = Stamps.Join(all.Select(d => d.Stamp)),
            Basis = new("test images in a column", $"1, seed {all.FirstOrDefault()?.Seed ?? 0}",
                "none, these are counts",
                $"first against second; McNemar's exact two-sided p over {Basis.Units}, Holm over the {all.Count} "
                + "rows"),
            Note = "p: for each patient, lesion or image, which model gets more of its images right. It is about "
                + "accuracy, in which frequent classes count most, and not about F1.",
        };
    }

    /// <summary>Some images of one task and probe, both ways round.</summary>
    /// <param name="found">One of <see cref="Disagreement.Of"/>.</param>
    /// <param name="run">The run behind it.</param>
    /// <param name="each">Most images of each way.</param>
    public static ImageGridFigure Images(Disagreement found, SuiteRun run, int each = 6)
    {
        ProbeTask task = run.Tasks.First(t => t.Definition.Name == found.Task);
        var rowOf = task.Table.Ids.Select((id, i) => (id, i)).ToDictionary(p => p.id, p => p.i, StringComparer.Ordinal);
        ImageTile[] Tiles(IReadOnlyList<OneRight> images, string right) => [.. images.Select(p => ProbingReport.Tile(task, rowOf[p.Id], $"{right} right: {p.Truth}", $"{found.First}: {p.First}; {found.Second}: {p.Second}")).OfType<ImageTile>().Take(each)];
        ImageTile[] tiles = [.. Tiles(found.OnlyFirst, found.First), .. Tiles(found.OnlySecond, found.Second)];
        return new("one-right", $"One right, the other wrong: {task.Definition.Title}",
            $"Test images with the {found.Probe} probe, seed {found.Seed}: {found.OnlyFirst.Count} that only {found.First} gets right and {found.OnlySecond.Count} that only {found.Second} does; the first {each} of each in the order of the set, not chosen. Look for what they share before you say why.",
            $"A grid of {tiles.Length} skin images with the true class and what both models say.", tiles) { Stamp = found.Stamp };
    }
}
