using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;

namespace DermKit.Reporting;

/// <summary>Tables and figures of a pre-training run.</summary>
public static class PretrainingReport
{
    /// <summary>Notes images and seed for the report's footer.</summary>
    public static void NoteProvenance(PretrainData data, PretrainOptions options)
    {
        foreach (PretrainingSet set in data.Sources)
            Provenance.Note($"data {set.Set}", $"{set.Used} images, {set.Frozen} frozen ones left out");
        if (data.Unreadable.Length > 0) Provenance.Note("images left out", data.Unreadable);
        Provenance.Note("images", data.Key);
        Provenance.Note("seed", $"{options.Seed}");
    }

    /// <summary>The images of each set that the run uses and leaves out.</summary>
    public static Table Sets(IReadOnlyList<PretrainingSet> sets, string stamp = "") =>
        Tables.From("Images of this run", sets,
            ("Data set", s => s.Set),
            ("Images", s => s.Images),
            ("Frozen test images, never seen", s => s.Frozen),
            ("Trained on in this run", s => s.Used)) with
        {
            Stamp = stamp,
            Note = "Frozen: the lists of data/splits and the set's own test split. Other images are left out by the "
                + "mode's limit.",
        };

    /// <summary>Rows of tiles: an image, its global crops, its local crops.</summary>
    /// <exception cref="ArgumentException">The images have different numbers of crops.</exception>
    public static ImageGridFigure Views(IReadOnlyList<ImageViews> images, string stamp = "", string method = "DINO")
    {
        int globals = images[0].Globals.Count;
        int locals = images[0].Locals.Count;
        if (images.FirstOrDefault(p => p.Globals.Count != globals || p.Locals.Count != locals) is { } other)
            throw new ArgumentException($"Expected {globals} global and {locals} local crops of every image, found "
                + $"{other.Globals.Count} and {other.Locals.Count} of '{other.Label}'.", nameof(images));
        var tiles = new List<ImageTile>();
        foreach (ImageViews views in images)
        {
            tiles.Add(ImageTile.From(views.Image, views.Label));
            tiles.AddRange(Tiles("global", views.Globals));
            tiles.AddRange(Tiles("local", views.Locals));
        }
        string caption = PretrainOptions.For(method).ViewsCaption(globals, locals);
        int wide = 1 + globals + locals;
        return new($"views-{method.ToLowerInvariant()}", $"What {method} sees of one image", caption,
            $"{images.Count} skin images, each followed by {wide - 1} random crops of it in changed colours.", tiles)
        { Columns = InRow(wide), Stamp = stamp };

        static IEnumerable<ImageTile> Tiles(string kind, IEnumerable<RgbImage> views) =>
            views.Select((v, i) => ImageTile.From(v, $"{kind} {i + 1}", $"{v.Width} px"));
    }

    /// <summary>Loss and the collapse monitors with values from 0 to 1, over the steps.</summary>
    public static LineFigure Curves(IReadOnlyList<TrainingStep> log, string stamp = "", string id = "curves",
        string title = "Loss and collapse monitors")
    {
        LineSeries[] lines =
        [
            Line("loss / ln K", log, s => s.LossRatio), Line("teacher entropy / ln K", log, s => s.TeacherEntropy),
            Line("feature standard deviation", log, s => s.FeatureStd),
        ];
        lines = [.. lines.Where(l => l.X.Count > 0)];
        return new(id, title,
            "A healthy run has a loss that falls below 1 (the loss of a uniform answer is ln K), an entropy that is "
            + "neither 1 (no preference) nor 0 (one answer for all images), and a standard deviation well above 0. "
            + $"The loss at the last of {log[^1].Steps} steps is {Tables.Number(log[^1].Loss)}.",
            $"Lines over {log.Count} steps; {FirstToLast(lines)}.", lines, "Step",
            "Value (1: uniform, or evenly spread)")
        { Markers = false, Stamp = stamp };
    }

    /// <summary>Online kNN over a run's steps. Scores that a resumed run read from its log have no intervals.</summary>
    /// <exception cref="ArgumentException">The log has no score, or fewer than the monitor.</exception>
    public static LineFigure Knn(OnlineKnn knn, IReadOnlyList<TrainingStep> log)
    {
        TrainingStep[] scored = [.. log.Where(s => double.IsFinite(s.Score))];
        int read = scored.Length - knn.History.Count;
        if (scored.Length == 0 || read < 0)
            throw new ArgumentException($"Expected a step with a score for each of {Math.Max(1, knn.History.Count)} "
                + $"scores, found {scored.Length}.", nameof(log));
        Estimate[] scores =
            [.. scored.Take(read).Select(s => new Estimate(s.Score, s.Score, s.Score)),
                .. knn.History.Select(Estimate.Of)];
        LineSeries line = LineSeries.Of($"kNN, k = {knn.K}", scored.Select(s => (double)s.Step), scores);
        string first = Shown(0);
        string last = Shown(scored.Length - 1);
        string before = read == 0 ? ""
            : $" Scores up to step {scored[read - 1].Step} come from the log of the run and have no interval.";
        string title = knn.Task.Definition.Title;
        string stamp = knn.Task.Definition.Stamp;
        return new("online-knn", $"Online kNN: {title}",
            $"Macro F1 of {knn.ValidationImages} validation images by their {knn.K} nearest of {knn.TrainImages} "
            + "training images, none of them a frozen test image; the band is a 95 % bootstrap interval. Steps of the "
            + $"line that are smaller than the bands are noise.{before}",
            $"A line from {first} at step {scored[0].Step} to {last} at step {scored[^1].Step}.",
            [line], "Step", "Macro F1 (0-1)")
        {
            Stamp = stamp,
            Headline = $"{Stamps.Bracket(stamp)}Online kNN while pre-training, {title}: macro F1 {first} after the "
                + $"first epoch, {last} after the last (n = {knn.ValidationImages} validation images, none of them a "
                + "frozen test image).",
        };

        string Shown(int i) => i < read ? Tables.Number(scored[i].Score) : Tables.Interval(scores[i]);
    }

    // Tiles in a row, so that rows of fewer than six tiles share one.
    internal static int InRow(int tiles) => tiles * Math.Max(1, 6 / tiles);

    internal static LineSeries Line(string name, IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value)
    {
        TrainingStep[] measured = [.. log.Where(s => !double.IsNaN(value(s)))];
        return new(name, [.. measured.Select(s => (double)s.Step)], [.. measured.Select(value)]);
    }

    internal static string FirstToLast(IEnumerable<LineSeries> lines) => "from first to last value: "
        + string.Join("; ", lines.Where(l => l.Y.Count > 0)
            .Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}"));
}
