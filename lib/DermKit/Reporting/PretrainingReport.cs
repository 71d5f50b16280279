using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;

namespace DermKit.Reporting;

/// <summary>Figures and tables over a pre-training run, for the pre-training notebook.</summary>
public static class PretrainingReport
{
    /// <summary>The numbers that decide a run.</summary>
    public static Table Settings(PretrainOptions o) => Tables.From("This run", new (string Setting, string Value)[]
    {
        ("Method", o.Method), ("Backbone", $"ViT {o.Size}, patches of {o.Patch} px, {o.Precision}"), ("Images", o.MostImages > 0 ? $"at most {o.MostImages}" : "all"),
        ("Global crops", FormattableString.Invariant($"2 of {o.GlobalSize} px, {o.GlobalScaleMin:P0} to 100 % of the area")),
        ("Local crops", FormattableString.Invariant($"{o.LocalCrops} of {o.LocalSize} px, {o.LocalScaleMin:P0} to {o.LocalScaleMax:P0} of the area")),
        ("Outputs K", $"{o.Outputs}"), ("Epochs", $"{o.Epochs}"), ("Batch", $"{o.Batch}"),
        ("Peak learning rate", FormattableString.Invariant($"{o.BaseLearningRate * o.Batch / 256:g3}")), ("Teacher momentum", FormattableString.Invariant($"{o.TeacherMomentum} to 1")), ("Seed", $"{o.Seed}"),
    }, ("Setting", r => r.Setting), ("Value", r => r.Value));

    /// <summary>Notes images, seed and settings for the report's footer.</summary>
    public static void NoteProvenance(PretrainData data, PretrainOptions options)
    {
        foreach (PretrainingSet set in data.Sources) Provenance.Note($"data {set.Set}", $"{set.Used} images, {set.Frozen} frozen ones left out");
        if (data.Unreadable.Length > 0) Provenance.Note("images left out", data.Unreadable);
        Provenance.Note("images", data.Key);
        Provenance.Note("seed", $"{options.Seed}");
    }

    /// <summary>Which images of which set the run sees, and which it leaves out.</summary>
    public static Table Sets(IReadOnlyList<PretrainingSet> sets, string stamp = "") => Tables.From("Images of this run", sets,
        ("Data set", s => s.Set), ("Images", s => s.Images), ("Frozen test images, never seen", s => s.Frozen), ("Trained on in this run", s => s.Used)) with
    {
        Stamp = stamp,
        Note = "Frozen: the lists of data/splits and the set's own split test. Images that are neither frozen nor trained on are left out by the mode's limit.",
    };

    /// <summary>A row for each image: itself, its global crops, its local crops.</summary>
    /// <param name="images">From <see cref="ImageViews.Draw"/>.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    /// <param name="method">Whose views they are.</param>
    /// <exception cref="ArgumentException">The images have different numbers of crops.</exception>
    public static ImageGridFigure Views(IReadOnlyList<ImageViews> images, string stamp = "", string method = "DINO")
    {
        (int globals, int locals) = (images[0].Globals.Count, images[0].Locals.Count);
        if (images.FirstOrDefault(p => p.Globals.Count != globals || p.Locals.Count != locals) is { } other)
            throw new ArgumentException($"Expected {globals} global and {locals} local crops of every image, found {other.Globals.Count} and {other.Locals.Count} of '{other.Label}'.", nameof(images));
        ImageTile[] tiles = [.. images.SelectMany(p => (ImageTile[])
        [
            ImageTile.From(p.Image, p.Label),
            .. p.Globals.Select((view, i) => ImageTile.From(view, $"global {i + 1}", Size(view))),
            .. p.Locals.Select((view, i) => ImageTile.From(view, $"local {i + 1}", Size(view))),
        ])];
        string tells = method switch
        {
            "iBOT" => $"Each row is one training image with {globals} global and {locals} local crops of one step as the student sees them. The teacher sees the global crops without the masked blocks, and the student has to say what lies under them.",
            "SimCLR" => "Training images, each with the two views of one step. They are to lie close together, and far from all other images of the batch: which colours may then still tell an image?",
            "BYOL" => "Training images, each with the two views of one step; only the first is always blurred, only the second ever solarised. From one view the student has to predict what the teacher says of the other.",
            _ => $"Each row is one training image with {globals} global and {locals} local crops of one step: cut out, mirrored, recoloured, blurred. The teacher sees the global crops only; the student has to give its answer from every crop. Is the lesion still there in the small ones?",
        };
        return new($"views-{method.ToLowerInvariant()}", $"What {method} sees of one image", tells,
            $"{images.Count} skin images, each followed by {globals + locals} random crops of it in changed colours.", tiles)
        { Columns = (1 + globals + locals) * Math.Max(1, 6 / (1 + globals + locals)), Stamp = stamp };

        static string Size(RgbImage view) => $"{view.Width} px";
    }

    /// <summary>Where the CLS token of the last block looks: for each image and model a map for each head.</summary>
    /// <param name="images">As the models saw them.</param>
    /// <param name="models">Name, and [image][head][row of patches, column] from <see cref="TokenMaps.Attention"/>.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    public static ImageGridFigure Attention(IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, double[][][,] Maps)> models, string stamp = "")
    {
        int heads = models[0].Maps[0].Length;
        if (models.FirstOrDefault(m => m.Maps.Any(p => p.Length != heads)) is { Maps: not null } other) throw new ArgumentException($"Expected maps of {heads} heads of every model, '{other.Name}' has others.", nameof(models));
        // A row for each image and model: side by side the maps of three models would be too small to read.
        ImageTile[] tiles = [.. images.SelectMany((image, i) => models.SelectMany(m => (ImageTile[])
        [
            ImageTile.From(image, $"image {i + 1}"),
            .. m.Maps[i].Select((map, h) => ImageTile.From(PatchPainting.Heat(image, map), $"{m.Name}, head {h + 1}", $"peak {Tables.Number(Peak(map))} x even")),
        ]))];
        return new("attention", "Where the CLS token looks",
            "Attention of the last block's CLS token over the patches, a map for each head; yellow is that map's strongest patch. The number is how many times more than an even share the strongest patch gets: near 1 the head looks everywhere alike and its pattern means little.",
            $"{images.Count} skin images with attention maps: {string.Join("; ", models.Select(m => $"{m.Name}: strongest patch on average {Tables.Number(m.Maps.SelectMany(p => p).Average(Peak))} times an even share"))}.", tiles)
        { Columns = 1 + heads, Stamp = stamp };

        static double Peak(double[,] map) => map.Cast<double>().Max() * map.Length / Math.Max(map.Cast<double>().Sum(), double.Epsilon);
    }

    /// <summary>Patch tokens as colours beside the images.</summary>
    /// <param name="images">As the models saw them.</param>
    /// <param name="models">Name and colours from <see cref="TokenMaps.Components"/>.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    public static ImageGridFigure Components(IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, PatchColors Colors)> models, string stamp = "")
    {
        ImageTile[] tiles = [.. images.SelectMany((image, i) => (ImageTile[])
        [
            ImageTile.From(image, $"image {i + 1}"), .. models.Select(m => ImageTile.From(PatchPainting.Enlarge(m.Colors.Images[i], image.Width), m.Name)),
        ])];
        string shares = string.Join("; ", models.Select(m => $"{m.Name} {Tables.Percent(m.Colors.Shares.Sum())} ({string.Join(", ", m.Colors.Shares.Select(Tables.Percent))})"));
        return new("components", "Patch tokens as colours",
            $"The first three principal components of the patch tokens of all {images.Count} images together as red, green and blue. Same colour, similar token: does the lesion have a colour of its own, the same one in every image, or do colours follow the position in the frame? Share of the variance shown: {shares}.",
            $"{images.Count} skin images, each beside a mosaic of coloured patches for each of {models.Count} models.", tiles)
        { Columns = (1 + models.Count) * Math.Max(1, 6 / (1 + models.Count)), Stamp = stamp };
    }

    /// <summary>Loss and the collapse monitors that lie between 0 and 1, over the steps.</summary>
    /// <param name="log">The steps.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    /// <param name="id">See <see cref="Figure.Id"/>.</param>
    /// <param name="title">See <see cref="Figure.Title"/>.</param>
    public static LineFigure Curves(IReadOnlyList<TrainingStep> log, string stamp = "", string id = "curves", string title = "Loss and collapse monitors")
    {
        TrainingStep last = log[^1];
        LineSeries[] lines = [.. new[] { Line("loss / ln K", log, s => s.LossRatio), Line("teacher entropy / ln K", log, s => s.TeacherEntropy), Line("feature standard deviation", log, s => s.FeatureStd) }.Where(l => l.X.Count > 0)];
        return new(id, title,
            $"Healthy is a loss that falls below 1 (the loss of a uniform answer is ln K), an entropy that is neither 1 (no answer) nor 0 (one answer for all), and a standard deviation well above 0. At the last of {last.Steps} steps the loss is {Tables.Number(last.Loss)}.",
            $"Lines over {log.Count} steps; from first to last value: {string.Join("; ", lines.Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}"))}.",
            lines, "Step", "Value (1: uniform, or evenly spread)") { Markers = false, Stamp = stamp };
    }

    /// <summary>One monitor of several runs over the steps, to tell a collapsing run from a healthy one. Runs of one name, such as the seeds of a method, are one line, their mean, in a band from the lowest to the highest.</summary>
    /// <param name="id">See <see cref="Figure.Id"/>.</param>
    /// <param name="title">See <see cref="Figure.Title"/>.</param>
    /// <param name="caption">See <see cref="Figure.Caption"/>.</param>
    /// <param name="axis">Title of the vertical axis.</param>
    /// <param name="value">The monitor.</param>
    /// <param name="runs">Name and log of each run.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    public static LineFigure Monitor(string id, string title, string caption, string axis, Func<TrainingStep, double> value,
        IReadOnlyList<(string Name, IReadOnlyList<TrainingStep> Log)> runs, string stamp = "")
    {
        LineSeries[] lines = [.. runs.GroupBy(r => r.Name).Select(g => Together([.. g.Select(r => Line(r.Name, r.Log, value))]))];
        return new(id, title, caption, $"{lines.Length} lines of {runs.Count} runs; from first to last value: {string.Join("; ", lines.Where(l => l.Y.Count > 0).Select(l => $"{l.Name} {Tables.Number(l.Y[0])} to {Tables.Number(l.Y[^1])}"))}.",
            lines, "Step", axis) { Markers = false, Stamp = stamp };
    }

    /// <summary>Where each run's monitors stand at its end.</summary>
    public static Table Ends(IReadOnlyList<(string Name, IReadOnlyList<TrainingStep> Log)> runs, string stamp = "") => Tables.From("The monitors at the last steps", runs,
        ("Run", r => r.Name), ("Loss / ln K", r => Last(r.Log, s => s.LossRatio)), ("Teacher entropy / ln K", r => Last(r.Log, s => s.TeacherEntropy)),
        ("Feature standard deviation", r => Last(r.Log, s => s.FeatureStd)), ("Effective rank", r => Last(r.Log, s => s.EffectiveRank))) with
    {
        Stamp = stamp,
        Note = "The last value measured of each; one run of each kind, so small differences mean nothing.",
    };

    /// <summary>What each run of a comparison cost: the same images, but not the same work.</summary>
    /// <param name="runs">Method, its options, its log, and how long it took.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    public static Table Budget(IReadOnlyList<(string Method, PretrainOptions Options, IReadOnlyList<TrainingStep> Log, TimeSpan Time)> runs, string stamp = "") => Tables.From("The budget of each run", runs,
        ("Method", r => r.Method), ("Seed", r => r.Options.Seed), ("Backbone", r => r.Options.Network == "ViT" ? $"ViT {r.Options.Size}" : r.Options.Network), ("Steps", r => r.Log.Count),
        ("Images seen", r => r.Log.Count * r.Options.Batch), ("Views of each", r => 2 + r.Options.LocalCrops), ("Minutes", r => r.Time.TotalMinutes),
        ("Feature std", r => Last(r.Log, s => s.FeatureStd)), ("Effective rank", r => Last(r.Log, s => s.EffectiveRank))) with
    {
        Stamp = stamp,
        Note = "Equal budget means the same images as often; DINO and iBOT make more views of each and so work longer. Feature std and effective rank at the last look tell a collapsed run; losses of different methods are not comparable.",
    };

    /// <summary>Online kNN over the steps, with intervals.</summary>
    /// <param name="knn">The monitor; a value of its history for each step.</param>
    /// <param name="steps">When it was asked.</param>
    /// <exception cref="ArgumentException">There are not as many steps as values.</exception>
    public static LineFigure Knn(OnlineKnn knn, IReadOnlyList<int> steps)
    {
        if (steps.Count == 0 || steps.Count != knn.History.Count) throw new ArgumentException($"Expected a step for each of {knn.History.Count} scores, found {steps.Count}.", nameof(steps));
        (Interval first, Interval last) = (knn.History[0], knn.History[^1]);
        var line = new LineSeries($"kNN, k = {knn.K}", [.. steps.Select(s => (double)s)], [.. knn.History.Select(h => h.Value)], [.. knn.History.Select(h => h.Low)], [.. knn.History.Select(h => h.High)]);
        return new("online-knn", $"Online kNN: {knn.Task.Definition.Title}",
            $"Macro F1 of {knn.ValidationImages} validation images by their {knn.K} nearest of {knn.TrainImages} training images; the band is a 95 % bootstrap interval. None of them is a frozen test image. Where bands overlap as much as a step of the line is high, the line is noise.",
            $"A line from {Tables.Interval(first)} at step {steps[0]} to {Tables.Interval(last)} at step {steps[^1]}.",
            [line], "Step", "Macro F1 (0-1)")
        {
            Stamp = knn.Task.Definition.Stamp,
            Headline = $"{Stamps.Bracket(knn.Task.Definition.Stamp)}Online kNN while pre-training, {knn.Task.Definition.Title}: macro F1 {Tables.Interval(first)} after the first epoch, {Tables.Interval(last)} after the last (n = {knn.ValidationImages} validation images, none of them a frozen test image).",
        };
    }

    private static LineSeries Together(LineSeries[] runs)
    {
        if (runs.Length == 1) return runs[0];
        var valueAt = runs.Select(r => r.X.Zip(r.Y).ToDictionary(p => p.First, p => p.Second)).ToArray();
        double[] steps = [.. runs[0].X.Where(x => valueAt.All(v => v.ContainsKey(x)))];
        double[][] values = [.. steps.Select(x => Array.ConvertAll(valueAt, v => v[x]))];
        return new(runs[0].Name, steps, [.. values.Select(v => v.Average())], [.. values.Select(v => v.Min())], [.. values.Select(v => v.Max())]);
    }

    private static LineSeries Line(string name, IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value)
    {
        TrainingStep[] measured = [.. log.Where(s => !double.IsNaN(value(s)))];
        return new(name, [.. measured.Select(s => (double)s.Step)], [.. measured.Select(value)]);
    }

    private static double Last(IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value) => log.Select(value).LastOrDefault(v => !double.IsNaN(v), double.NaN);
}
