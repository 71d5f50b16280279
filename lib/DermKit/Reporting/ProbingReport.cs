using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using static System.FormattableString;

namespace DermKit.Reporting;

/// <summary>Tables and figures of a <see cref="SuiteRun"/>: tasks, models and scores.</summary>
public static partial class ProbingReport
{
    /// <summary>Every task of the registry, and whether its data is present.</summary>
    public static Table Registry(TaskSuite suite, KitSettings settings)
    {
        return Tables.From("Tasks of the registry", suite.Tasks,
            ("Task", t => t.Name),
            ("What", t => t.Title),
            ("Classes", t => t.ClassCount),
            ("Paper's no.", t => t.Paper?.ToString(CultureInfo.InvariantCulture) ?? ""),
            ("Data", Data),
            ("In the kit's pre-training", t => YesNo(t.InPretraining)),
            ("In the paper's", t => t.InPaperPretraining is { } seen ? YesNo(seen) : "")) with
        {
            Note = "Absent: the card data/tasks/<task>.md says what to get. Outside every mean and rank: "
                + $"{Names.Listed(suite.Tasks.Where(t => !t.InMeans).Select(t => t.Name))}. In pre-training: its "
                + "training images, never frozen test images; the paper's are inferred from the sources it names.",
        };

        string Data(TaskDefinition task)
        {
            if (TaskSuite.Missing(task, settings) is not null) return "absent";
            bool isFixture = task.DataSets.Keys.Any(set => DataSetCatalog.IsFixture(settings, set));
            return isFixture ? Stamps.Fixture : "here";
        }

        static string YesNo(bool value) => value ? "yes" : "no";
    }

    /// <summary>Every model of the registry, and where to get absent weights.</summary>
    public static Table Registry(ModelRegistry models)
    {
        return Tables.From("Models of the registry", models.Models.OrderBy(m => m.IsPresent ? 0 : 1),
            ("Model", m => m.Name),
            ("What", m => m.Title),
            ("Parameters, GMACs",
                m => Invariant($"{m.Parameters / 1e6:0.0} M, {m.Cost?.GigaMacs ?? double.NaN:0.00}")),
            ("Features", Features),
            ("Has seen", m => string.Join(", ", m.PretrainedOn)),
            ("Weights and licence", m => $"{Weights(m)}; licence: {m.Licence}")) with
        {
            Stamp = Stamps.Join(models.Models.Select(m => m.Stamp)),
            Note = "Absent weights come by the command in the last column, or by hand as kit data card NAME says. The "
                + "transform is the paper's unless one is named with the features. GMACs are for one image.",
        };

        static string Features(ModelDefinition m) =>
            $"{m.Features}{(m.Preprocessing == Preprocessing.Paper ? "" : $", transform {m.Preprocessing}")}"
                .ToLowerInvariant();

        static string Weights(ModelDefinition m)
        {
            if (m.IsPresent) return m.Stamp.Length > 0 ? $"here, {m.Stamp}" : "here";
            return m is { Problem: null, Weights: not null } ? $"kit data fetch {m.Name}" : m.Missing!.TrimEnd('.');
        }
    }

    /// <summary>Images, classes and resampled units of each task.</summary>
    public static Table Sizes(IReadOnlyList<ProbeTask> tasks)
    {
        var rows = tasks.Select(t => (Task: t, Split: t.SplitFor(TaskSuite.Seeds[0])))
            .Select(t => (t.Task, t.Split, Smallest: SmallestClass(t.Task, t.Split.Test)));
        return Tables.From("Images of this run", rows,
            ("Task", t => t.Task.Definition.Name),
            ("Training images", t => t.Split.Train.Length),
            ("Test images", t => t.Split.Test.Length),
            ("Test units", t => t.Split.Test.Select(t.Task.UnitOf).Distinct().Count()),
            ("Smallest test class", t => $"{t.Smallest.Images} ({t.Smallest.Name})"),
            ("Note", t => t.Task.Definition.Note)) with
        {
            Stamp = Stamps.Of(tasks),
            Note = "A unit is a patient or lesion where the set has ids, else an image.",
        };
    }

    /// <summary>The first training images of each class, as the models see them.</summary>
    public static ImageGridFigure Images(ProbeTask task, int each = 3)
    {
        int[] train = task.SplitFor(TaskSuite.Seeds[0]).Train;
        var tiles = new List<ImageTile>();
        foreach ((int c, string name) in task.ClassNames.Index())
        {
            IEnumerable<int> own = train.Where(i => task.Labels[i] == c);
            tiles.AddRange(own.Select(i => Tile(task, i, name, task.Table.Ids[i])).OfType<ImageTile>().Take(each));
        }
        return new("images", $"Training images: {task.Definition.Title}",
            $"The first {each} training images of each class after the paper's transform. Look for what could reveal a "
            + "class without being the lesion.",
            $"A grid of {tiles.Count} skin images, {each} for each of {task.ClassNames.Length} classes.", tiles)
        { Stamp = task.Definition.Stamp };
    }

    /// <summary>Time and rate of feature extraction.</summary>
    public static Table Rates(SuiteRun run) => Tables.From("Feature extraction", run.Extractions,
        ("Model", e => e.Model),
        ("Seed of weights", e => e.Seed),
        ("Images", e => e.Images),
        ("Seconds", e => e.Seconds),
        ("Images/s", e => e.Images / Math.Max(e.Seconds, 1e-3)),
        ("Weights", e => e.WeightsHash[..12])) with
    {
        Stamp = run.Stamp,
        Note = "A rate far above the others is that of reading cached features.",
    };

    /// <summary>Unreadable images, with reasons.</summary>
    public static Table Quarantine(SuiteRun run) => Tables.From(
        $"Images that could not be read: {run.Quarantine.Count}", run.Quarantine,
        ("File", q => Path.GetFileName(q.Path)),
        ("Reason", q => q.Reason.Replace(q.Path, "it", StringComparison.Ordinal))) with
    {
        Stamp = Stamps.Of(run.Tasks),
        Note = "They are in no score; every other image is.",
    };

    /// <summary><see cref="Quarantine"/>, or a sentence where every image was readable.</summary>
    public static object Unreadable(SuiteRun run)
    {
        if (run.Quarantine.Count > 0) return Quarantine(run);
        int images = run.Tasks.SelectMany(t => t.Table.Paths).Distinct(StringComparer.Ordinal).Count();
        return $"{Stamps.Bracket(Stamps.Of(run.Tasks))}All {images} images could be read.";
    }

    /// <summary>Results with a remark, such as a regression that did not converge, or a sentence.</summary>
    public static object Remarks(SuiteRun run) =>
        Remarks(run.Results.Select(r => (r.Task, r.Model, r.Probe, r.Seed, r.Note)), run.Stamp);

    /// <summary>Notes data, weights and seeds for the report's footer.</summary>
    public static void NoteProvenance(SuiteRun run, KitSettings settings)
    {
        foreach (string set in run.Tasks.SelectMany(t => t.Definition.DataSets.Keys).Distinct())
        {
            if (DataSetCatalog.Folder(settings, set) is not { } folder) continue;
            Note(DataSetCatalog.IsFixture(settings, set), $"data {set}", DataSetCatalog.Hash(folder)[..16]);
        }
        foreach (var model in run.Extractions.GroupBy(e => (e.Model, e.Stamp), e => e.WeightsHash[..12]))
            Note(model.Key.Stamp == Stamps.Fixture, $"weights {model.Key.Model}", string.Join(", ", model));
        Provenance.Note("seeds", string.Join(", ", run.Results.Select(r => r.Seed).Distinct()));

        static void Note(bool isFixture, string key, string value) =>
            Provenance.Note($"{(isFixture ? "fixture " : "")}{key}", value);
    }

    internal static (string Name, int Images) SmallestClass(ProbeTask task, int[] rows) => task.ClassNames
        .Select((name, c) => (name, rows.Count(i => task.Labels[i] == c)))
        .MinBy(p => p.Item2);

    // An image after the paper's transform; null when unreadable.
    internal static ImageTile? Tile(ProbeTask task, int row, string label, string note)
    {
        try
        {
            return ImageTile.From(new EvalTransform().Apply(ImageCodec.Decode(task.Table.Paths[row])), label, note);
        }
        catch (ImageUnreadableException)
        {
            // The run lists it in its quarantine with the reason.
            return null;
        }
    }

    internal static object Remarks(
        IEnumerable<(string Task, string Model, string Probe, int Seed, string Note)> results, string stamp)
    {
        var all = results.ToArray();
        var said = all.Where(r => r.Note.Length > 0).GroupBy(r => (r.Task, r.Model, r.Probe, r.Note)).ToArray();
        if (said.Length == 0)
            return $"{Stamps.Bracket(stamp)}No remark on any of {all.Length} results: every regression converged, "
                + "every class has training and test images, every image could be read.";
        return Tables.From("Remarks on single results", said,
            ("Task", r => r.Key.Task),
            ("Model", r => r.Key.Model),
            ("Probe", r => r.Key.Probe),
            ("Seeds", r => string.Join(", ", r.Select(x => x.Seed))),
            ("Remark", r => r.Key.Note)) with
        { Stamp = stamp };
    }
}
