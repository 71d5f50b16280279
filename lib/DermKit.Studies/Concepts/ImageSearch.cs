using DermKit.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>An image with source (data set and, if known, kind) and diagnosis, named alike in all sets.</summary>
public sealed record Image(ProbeTask Task, int Row, string Source, string Label)
{
    internal int FeatureRow { get; init; }
}

/// <summary>A test image and its nearest training images with cosines. Chance is its label's share of the
/// searched.</summary>
public sealed record Answer(Image Asked, IReadOnlyList<(Image Image, float Cosine)> Found, double Chance);

/// <summary>The answers to all test images.</summary>
public sealed record ImageSearch(string Model, bool Across, IReadOnlyList<Answer> Answers, string Stamp)
{
    // One name for diagnoses with several names; other names stay.
    private static readonly Dictionary<string, string> Shared = new(StringComparer.Ordinal)
    {
        ["mel"] = "melanoma",
        ["MEL"] = "melanoma",
        ["nv"] = "nevus",
        ["NEV"] = "nevus",
        ["naevus"] = "nevus",
        ["bcc"] = "basal cell carcinoma",
        ["BCC"] = "basal cell carcinoma",
        ["SEK"] = "seborrheic keratosis",
        ["ACK"] = "actinic keratosis",
        ["df"] = "dermatofibroma",
        ["vasc"] = "vascular lesion",
    };

    /// <summary>Searches all tasks' training images for every test image; of a data set's tasks the one with most
    /// classes gives the labels. Across searches other sources only: a neighbour of the same camera proves little. The
    /// first seed draws splits and random weights.</summary>
    /// <exception cref="KitException">The model cannot be made, or no task counts in means.</exception>
    public static ImageSearch Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks, ModelDefinition model,
        SuitePlan plan, int k = 10, bool across = true, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        tasks = SuiteRun.Bring(settings, tasks, plan, progress, cancellation);
        ProbeTask[] chosen = [.. tasks.Where(t => t.Definition.InMeans)
            .GroupBy(t => string.Join(" + ", t.Definition.DataSets.Keys))
            .Select(g => g.MaxBy(t => t.ClassNames.Length)!)];
        if (chosen.Length == 0)
            throw new KitException("Search: none of the tasks counts in means; name one that does (taskNames).");
        using var scope = NewDisposeScope();
        Tensor? features = null;
        List<Image> test = [];
        List<Image> train = [];
        // All tasks are visited, to find their stored features.
        SuitePlan oneSeed = plan with { Seeds = [plan.Seeds[0]] };
        SuiteRun.Visit(settings, tasks, [model], oneSeed, null, v =>
        {
            if (!chosen.Contains(v.Task)) return;
            features ??= v.Features.clone();
            Split split = v.Task.SplitFor(v.Seed);
            test.AddRange(Read(v.Task, v.Read(split.Test), v.RowOf));
            train.AddRange(Read(v.Task, v.Read(split.Train), v.RowOf));
        }, progress, cancellation);
        var answers = new List<Answer>();
        foreach (var asked in test.GroupBy(t => t.Source))
        {
            Image[] queries = [.. asked];
            Image[] pool = [.. train.Where(t => !across || t.Source != asked.Key)];
            if (pool.Length == 0) continue;
            var found = Nearest(features!, queries, pool, k);
            var share = pool.CountBy(p => p.Label).ToDictionary(c => c.Key, c => c.Value / (double)pool.Length);
            answers.AddRange(queries.Zip(found, (query, images) =>
                new Answer(query, images, share.GetValueOrDefault(query.Label))));
        }
        return new(model.Name, across, answers, Stamps.Join([.. chosen.Select(t => t.Definition.Stamp), model.Stamp]));
    }

    /// <summary>Mean share of the k nearest with the query's label, with a bootstrap interval over units.</summary>
    public static Interval Precision(IEnumerable<Answer> answers, int k, int resamples = 1000)
    {
        Answer[] counted = [.. answers.Where(a => a.Chance > 0)];
        if (counted.Length == 0)
            throw new ArgumentException("Expected at least one image whose label can be found.", nameof(answers));
        double Hits(Answer a) => a.Found.Take(k).Average(f => f.Image.Label == a.Asked.Label ? 1.0 : 0);
        string Unit(Image image) => $"{image.Task.Definition.Name} {image.Task.UnitOf(image.Row)}";
        return StudyReport.Mean([.. counted.Select(Hits)], [.. counted.Select(a => Unit(a.Asked))], resamples);
    }

    private static IReadOnlyList<(Image, float)[]> Nearest(Tensor features, Image[] queries, Image[] pool, int k)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor Values(Image[] images) => ProbeInput.Rows(features, Array.ConvertAll(images, i => i.FeatureRow));
        int width = Math.Min(k, pool.Length);
        var found = new List<(Image, float)[]>();
        foreach ((Tensor index, Tensor cosine) in CosineSearch.Nearest(Values(pool), Values(queries), width))
        {
            long[] rows = index.cpu().data<long>().ToArray();
            float[] cosines = cosine.cpu().data<float>().ToArray();
            found.AddRange(rows.Zip(cosines, (row, value) => (pool[row], value)).Chunk(width));
        }
        return found;
    }

    private static IEnumerable<Image> Read(ProbeTask task, int[] rows, int[] rowOf)
    {
        string?[]? kinds = task.Table.Has("modality") ? task.Table.Column("modality") : null;
        foreach (int row in rows)
        {
            string label = task.ClassNames[task.Labels[row]];
            string kind = kinds?[row] is { } known ? $", {known}" : "";
            yield return new(task, row, task.Table.Name + kind, Shared.GetValueOrDefault(label, label))
            { FeatureRow = rowOf[row] };
        }
    }
}
