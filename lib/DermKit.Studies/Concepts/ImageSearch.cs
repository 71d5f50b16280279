using DermKit.Reporting;
using DermKit.Evaluation;
namespace DermKit.Studies;

/// <summary>An image of a task, with where it comes from.</summary>
/// <param name="Task">The task.</param>
/// <param name="Row">Row of its table.</param>
/// <param name="Source">Data set, and kind of image where the set says it.</param>
/// <param name="Label">Diagnosis under one name for all sets.</param>
public sealed record Image(ProbeTask Task, int Row, string Source, string Label);

/// <summary>A test image and the training images that a model finds most alike, nearest first.</summary>
/// <param name="Asked">The test image.</param>
/// <param name="Found">Training images with their cosines.</param>
/// <param name="Chance">Share of its label among the images that were searched.</param>
public sealed record Answer(Image Asked, IReadOnlyList<(Image Image, float Cosine)> Found, double Chance);

/// <summary>The answers to all test images.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Across">Whether only images of other sources were searched.</param>
/// <param name="Answers">One for each test image that has anything to be found.</param>
/// <param name="Stamp">That of tasks and model.</param>
public sealed record ImageSearch(string Model, bool Across, IReadOnlyList<Answer> Answers, string Stamp)
{
    /// <summary>Names of one diagnosis in different sets; any other name stands for itself.</summary>
    private static readonly Dictionary<string, string> Shared = new(StringComparer.Ordinal)
    {
        ["mel"] = "melanoma", ["MEL"] = "melanoma", ["nv"] = "nevus", ["NEV"] = "nevus", ["naevus"] = "nevus", ["bcc"] = "basal cell carcinoma", ["BCC"] = "basal cell carcinoma", ["SEK"] = "seborrheic keratosis",
        ["ACK"] = "actinic keratosis", ["df"] = "dermatofibroma", ["vasc"] = "vascular lesion",
    };

    /// <summary>Searches the training images of all tasks for every test image; of several tasks on one data set the one with the most classes gives the labels.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="tasks">From <see cref="SuiteRun.Open"/>; those outside of means are left out.</param>
    /// <param name="model">Any model that is here.</param>
    /// <param name="plan">Its first seed draws splits and random weights.</param>
    /// <param name="k">Images to find for each.</param>
    /// <param name="across">Search images of other sources only: a neighbour of the same camera proves little.</param>
    /// <param name="progress">Called with (what, done, all).</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="KitException">The model cannot be made, or no task counts in means.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static ImageSearch Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, ModelDefinition model, SuitePlan plan, int k = 10, bool across = true, Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        tasks = SuiteRun.Bring(settings, tasks, plan, progress, cancellation);
        ProbeTask[] chosen = [.. tasks.Where(t => t.Definition.InMeans).GroupBy(t => string.Join(" + ", t.Definition.DataSets.Keys)).Select(g => g.MaxBy(t => t.ClassNames.Length)!)];
        if (chosen.Length == 0) throw new KitException("Search: none of the tasks counts in means; name one that does (taskNames).");
        FeatureSet? features = null;
        List<(Image Image, int Row)> test = [], train = [];
        // All tasks are visited, so that the features of a run of them are found in the store.
        SuiteRun.Visit(settings, tasks, [model], plan with { Seeds = [plan.Seeds[0]] }, (set, _, task, seed, rowOf) =>
        {
            if (!chosen.Contains(task)) return;
            features = set;
            string?[] kinds = task.Table.Has("modality") ? task.Table.Column("modality") : new string?[task.Table.Count];
            (Image, int) At(int row) => (new(task, row, $"{task.Table.Name}{(kinds[row] is { } kind ? $", {kind}" : "")}", Shared.GetValueOrDefault(task.ClassNames[task.Labels[row]], task.ClassNames[task.Labels[row]])), rowOf[row]);
            Data.Split split = task.SplitFor(seed);
            test.AddRange(split.Test.Where(r => rowOf[r] >= 0).Select(At));
            train.AddRange(split.Train.Where(r => rowOf[r] >= 0).Select(At));
        }, progress, cancellation);
        var answers = new List<Answer>();
        foreach (var asked in test.GroupBy(t => t.Image.Source))
        {
            (Image Image, int Row)[] pool = [.. train.Where(t => !across || t.Image.Source != asked.Key)], all = [.. asked, .. pool];
            if (pool.Length == 0) continue;
            int queries = all.Length - pool.Length;
            var part = new FeatureSet([.. all.SelectMany(p => new ArraySegment<float>(features!.Values, p.Row * features.Width, features.Width))], all.Length, features!.Width, "", "");
            // What is asked shares a source with all that is asked, so that only the pool is searched.
            Neighbour[][] found = Retrieval.Nearest(part, [.. Enumerable.Range(0, queries)], k, [.. all.Select((_, i) => i < queries ? "asked" : "pool")], settings.TorchDevice());
            var share = pool.CountBy(p => p.Image.Label).ToDictionary(c => c.Key, c => c.Value / (double)pool.Length);
            answers.AddRange(found.Select((neighbours, i) => new Answer(all[i].Image, [.. neighbours.Select(n => (all[n.Row].Image, n.Cosine))], share.GetValueOrDefault(all[i].Image.Label))));
        }
        return new(model.Name, across, answers, Stamps.Join([.. chosen.Select(t => t.Definition.Stamp), model.Stamp]));
    }

    /// <summary>Share of the k nearest that have the label asked for, mean over test images, with a bootstrap interval over their patients, lesions or images.</summary>
    /// <param name="answers">Any; those whose label nothing that was searched has are left out.</param>
    /// <param name="k">Nearest images to count.</param>
    /// <param name="resamples">Bootstrap resamples.</param>
    /// <exception cref="ArgumentException">None is left.</exception>
    public static Interval Precision(IEnumerable<Answer> answers, int k, int resamples = 1000)
    {
        Answer[] counted = [.. answers.Where(a => a.Chance > 0)];
        if (counted.Length == 0) throw new ArgumentException("Expected at least one image whose label can be found.", nameof(answers));
        double[] hits = [.. counted.Select(a => a.Found.Take(k).Average(f => f.Image.Label == a.Asked.Label ? 1.0 : 0))];
        ushort[][] draws = Bootstrap.Draw([.. counted.Select(a => $"{a.Asked.Task.Definition.Name} {a.Asked.Task.UnitOf(a.Asked.Row)}")], resamples, 1);
        return Bootstrap.Percentiles(hits.Average(), Bootstrap.Values(draws, w => hits.Zip(w, (h, n) => h * n).Sum() / w.Sum(n => n)));
    }
}
