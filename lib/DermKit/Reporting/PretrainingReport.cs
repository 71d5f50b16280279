using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;
using static System.FormattableString;
using Runs = System.Collections.Generic.IReadOnlyList<(
    string Name, System.Collections.Generic.IReadOnlyList<DermKit.Pretraining.TrainingStep> Log)>;

namespace DermKit.Reporting;

/// <summary>Tables and figures of a pre-training run.</summary>
public static class PretrainingReport
{
    /// <summary>The settings that matter most.</summary>
    public static Table Settings(PretrainOptions o)
    {
        var rows = new List<(string Setting, string Value)>
        {
            ("Method", o.Method),
            ("Backbone", $"ViT {o.Size}, patches of {o.Patch} px, {o.Precision.Spelled()}"),
            ("Images", o.MostImages > 0 ? $"at most {o.MostImages}" : "all"),
            ("Global crops", Invariant($"2 of {o.GlobalSize} px, {o.GlobalScaleMin:P0} to 100 % of the area")),
            ("Outputs K", $"{o.Outputs}"),
            ("Epochs", $"{o.Epochs}"),
            ("Batch", $"{o.Batch}"),
            ("Peak learning rate", Invariant($"{o.BaseLearningRate * o.Batch / 256:g3}")),
            ("Seed", $"{o.Seed}"),
        };
        if (o is TeacherStudentOptions t)
        {
            string area = Invariant($"{t.LocalScaleMin:P0} to {t.LocalScaleMax:P0} of the area");
            rows.Insert(4, ("Local crops", $"{t.LocalCrops} of {t.LocalSize} px, {area}"));
            rows.Insert(rows.Count - 1, ("Teacher momentum", Invariant($"{t.TeacherMomentum} to 1")));
        }
        return Tables.From("This run", rows, ("Setting", r => r.Setting), ("Value", r => r.Value));
    }

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
            Note = "Frozen: the lists of data/splits and the set's own test split. Images that are neither frozen nor "
                + "trained on are left out by the mode's limit.",
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
            tiles.AddRange(views.Globals.Select((v, i) => ImageTile.From(v, $"global {i + 1}", $"{v.Width} px")));
            tiles.AddRange(views.Locals.Select((v, i) => ImageTile.From(v, $"local {i + 1}", $"{v.Width} px")));
        }
        string caption = PretrainOptions.For(method).ViewsCaption(globals, locals);
        int wide = 1 + globals + locals;
        return new($"views-{method.ToLowerInvariant()}", $"What {method} sees of one image", caption,
            $"{images.Count} skin images, each followed by {wide - 1} random crops of it in changed colours.", tiles)
        { Columns = InRow(wide), Stamp = stamp };
    }

    /// <summary>Attention of the last block's CLS token: a map for each image, model and head, [image][head][row,
    /// column] from <see cref="TokenMaps.Attention"/>. Images have the models' input size.</summary>
    /// <exception cref="ArgumentException">The models have different numbers of heads.</exception>
    public static ImageGridFigure Attention(
        IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, double[][][,] Maps)> models, string stamp = "")
    {
        int heads = models[0].Maps[0].Length;
        if (models.FirstOrDefault(m => m.Maps.Any(p => p.Length != heads)) is { Maps: not null } other)
            throw new ArgumentException($"Expected {heads} heads of every model, '{other.Name}' has another number.",
                nameof(models));
        var tiles = new List<ImageTile>();
        // Maps of several models in one row would be too small.
        foreach ((int i, RgbImage image) in images.Index())
            foreach ((string name, double[][][,] maps) in models)
            {
                tiles.Add(ImageTile.From(image, $"image {i + 1}"));
                tiles.AddRange(maps[i].Select((map, h) => ImageTile.From(PatchPainting.Heat(image, map),
                    $"{name}, head {h + 1}", $"peak {Tables.Number(Peak(map))} x even")));
            }
        IEnumerable<string> peaks = models.Select(m => $"{m.Name}: strongest patch on average "
            + $"{Tables.Number(m.Maps.SelectMany(p => p).Average(Peak))} times an even share");
        return new("attention", "Where the CLS token looks",
            "Attention of the last block's CLS token over the patches, a map for each head; the strongest patch of "
            + "each map is yellow. The number compares that patch with an even share: near 1 the head looks "
            + "everywhere alike and its pattern means little.",
            $"{images.Count} skin images with attention maps: {string.Join("; ", peaks)}.", tiles)
        { Columns = 1 + heads, Stamp = stamp };

        static double Peak(double[,] map) =>
            map.Cast<double>().Max() * map.Length / Math.Max(map.Cast<double>().Sum(), double.Epsilon);
    }

    /// <summary>Patch tokens as colours (<see cref="TokenMaps.Components"/>), beside images of the input
    /// size.</summary>
    public static ImageGridFigure Components(
        IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, PatchColors Colors)> models, string stamp = "")
    {
        var tiles = new List<ImageTile>();
        foreach ((int i, RgbImage image) in images.Index())
        {
            tiles.Add(ImageTile.From(image, $"image {i + 1}"));
            foreach ((string name, PatchColors colors) in models)
                tiles.Add(ImageTile.From(PatchPainting.Enlarge(colors.Images[i], image.Width), name));
        }
        IEnumerable<string> shares = models.Select(m => $"{m.Name} {Tables.Percent(m.Colors.Shares.Sum())} "
            + $"({string.Join(", ", m.Colors.Shares.Select(Tables.Percent))})");
        return new("components", "Patch tokens as colours",
            $"The first three principal components of the patch tokens of all {images.Count} images together as red, "
            + "green and blue. Similar tokens have similar colours: does the lesion have the same colour in every "
            + "image, or does colour follow the position in the frame? Share of the variance: "
            + $"{string.Join("; ", shares)}.",
            $"{images.Count} skin images, each beside a mosaic of coloured patches for each of {models.Count} models.",
            tiles)
        { Columns = InRow(1 + models.Count), Stamp = stamp };
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

    // One monitor of several runs. Runs of one name become their mean, in a band from lowest to highest.
    internal static LineFigure Monitor(string id, string title, string caption, string axis,
        Func<TrainingStep, double> value, Runs runs, string stamp = "")
    {
        var byName = runs.GroupBy(r => r.Name);
        LineSeries[] lines = [.. byName.Select(g => Together([.. g.Select(r => Line(r.Name, r.Log, value))]))];
        string alt = $"{lines.Length} lines of {runs.Count} runs; {FirstToLast(lines)}.";
        return new(id, title, caption, alt, lines, "Step", axis) { Markers = false, Stamp = stamp };
    }

    /// <summary>Entropy of the teacher's output, which distinguishes collapsing from healthy runs.</summary>
    public static LineFigure Entropy(Runs runs, string stamp = "") =>
        Monitor("collapse-entropy", $"Teacher entropy of {runs.Count} runs",
            "Mean entropy of the teacher's answers / ln K. At 0 every image gets one and the same output, at 1 no "
            + "output is preferred; a run that learns stays between.",
            "Teacher entropy / ln K (0-1)", s => s.TeacherEntropy, runs, stamp);

    /// <summary>Spread of the teacher's features.</summary>
    public static LineFigure Spread(Runs runs, string stamp = "") =>
        Monitor("collapse-std", $"Feature spread of {runs.Count} runs",
            "Standard deviation of the teacher's normalised features over the batch, times the root of their width. "
            + "Near 0 all images have the same features.",
            "Feature standard deviation (0-1)", s => s.FeatureStd, runs, stamp);

    /// <summary>Effective rank of the features.</summary>
    public static LineFigure Rank(Runs runs, string stamp = "") =>
        Monitor("rank", "Effective rank of the runs",
            "Number of directions in which the features of a batch spread: the mean over the runs of one name, in a "
            + "band from the lowest to the highest. A rank that falls towards 1 is collapse; a higher rank does not "
            + "mean more useful features.",
            "Effective rank", s => s.EffectiveRank, runs, stamp);

    /// <summary>The last value of each monitor in each run.</summary>
    public static Table Ends(Runs runs, string stamp = "") => Tables.From("The monitors at the last steps", runs,
        ("Run", r => r.Name),
        ("Loss / ln K", r => Last(r.Log, s => s.LossRatio)),
        ("Teacher entropy / ln K", r => Last(r.Log, s => s.TeacherEntropy)),
        ("Feature standard deviation", r => Last(r.Log, s => s.FeatureStd)),
        ("Effective rank", r => Last(r.Log, s => s.EffectiveRank))) with
    {
        Stamp = stamp,
        Note = "The last measured value of each; one run of each kind, so small differences mean nothing.",
    };

    /// <summary>The work of each run of a comparison.</summary>
    public static Table Budget(
        IReadOnlyList<(string Method, PretrainOptions Options, IReadOnlyList<TrainingStep> Log, TimeSpan Time)> runs,
        string stamp = "") => Tables.From("The budget of each run", runs,
        ("Method", r => r.Method),
        ("Seed", r => r.Options.Seed),
        ("Backbone", r => r.Options.Network == NetworkKind.ViT
            ? $"ViT {r.Options.Size}" : r.Options.Network.Spelled()),
        ("Steps", r => r.Log.Count),
        ("Images seen", r => r.Log.Count * r.Options.Batch),
        ("Views of each", r => r.Options.Recipes().Sum(g => g.Length)),
        ("Minutes", r => r.Time.TotalMinutes),
        ("Feature std", r => Last(r.Log, s => s.FeatureStd)),
        ("Effective rank", r => Last(r.Log, s => s.EffectiveRank))) with
        {
            Stamp = stamp,
            Note = "Equal budget: every run sees the same images equally often. DINO and iBOT make more views of each "
                + "and take longer. Feature std and effective rank are the last measured ones and reveal a collapsed "
                + "run; losses of different methods are not comparable.",
        };

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
            + "training "
            + "images; the band is a 95 % bootstrap interval. None of them is a frozen test image. Steps of the "
            + "line that "
            + $"are smaller than the bands are noise.{before}",
            $"A line from {first} at step {scored[0].Step} to {last} at step {scored[^1].Step}.",
            [line], "Step", "Macro F1 (0-1)")
        {
            Stamp = stamp,
            Headline = $"{Stamps.Bracket(stamp)}Online kNN while pre-training, {title}: macro F1 {first} after "
                + "the first "
                + $"epoch, {last} after the last (n = {knn.ValidationImages} validation images, none of them a frozen "
                + "test image).",
        };

        string Shown(int i) => i < read ? Tables.Number(scored[i].Score) : Tables.Interval(scores[i]);
    }

    // Tiles in a row, so that rows of fewer than six tiles share one.
    private static int InRow(int tiles) => tiles * Math.Max(1, 6 / tiles);

    private static LineSeries Together(LineSeries[] runs)
    {
        if (runs.Length == 1) return runs[0];
        var valueAt = Array.ConvertAll(runs, r => r.X.Zip(r.Y).ToDictionary(p => p.First, p => p.Second));
        double[] steps = [.. runs[0].X.Where(x => valueAt.All(v => v.ContainsKey(x)))];
        double[][] values = Array.ConvertAll(steps, x => Array.ConvertAll(valueAt, v => v[x]));
        return new(runs[0].Name, steps, [.. values.Select(v => v.Average())], [.. values.Select(v => v.Min())],
            [.. values.Select(v => v.Max())]);
    }

    private static LineSeries Line(string name, IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value)
    {
        TrainingStep[] measured = [.. log.Where(s => !double.IsNaN(value(s)))];
        return new(name, [.. measured.Select(s => (double)s.Step)], [.. measured.Select(value)]);
    }

    private static string FirstToLast(IEnumerable<LineSeries> lines) => "from first to last value: "
        + string.Join("; ", lines.Where(l => l.Y.Count > 0)
            .Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}"));

    private static double Last(IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value) =>
        log.Select(value).LastOrDefault(v => !double.IsNaN(v), double.NaN);
}
