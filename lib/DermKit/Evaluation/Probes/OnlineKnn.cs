using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>Monitors pre-training by nearest neighbours on a small labelled task. Uses its training images alone
/// (<see cref="ProbeTask.Redraw"/>) and never decodes test images, so that the score may choose settings. The feature
/// is the last block's CLS token, as in DINO's eval_knn.py.</summary>
public sealed class OnlineKnn : IDisposable
{
    private const int BatchSize = 64, Resamples = 200;
    private readonly ImageCache cache;
    private readonly Device device;
    private readonly int seed;
    private readonly int[] rows, fitLabels, heldLabels;
    private readonly string[] units;
    private readonly List<Interval> history = [];

    private OnlineKnn(ProbeTask task, ImageCache cache, int[] fit, int[] held, int[] rows, int seed, Device device)
    {
        Task = task;
        this.cache = cache;
        this.rows = rows;
        this.device = device;
        this.seed = seed;
        fitLabels = Array.ConvertAll(fit, i => task.Labels[i]);
        heldLabels = Array.ConvertAll(held, i => task.Labels[i]);
        units = Array.ConvertAll(held, task.UnitOf);
    }

    /// <summary>The task with the labels.</summary>
    public ProbeTask Task { get; }

    /// <summary>Number of neighbours: 20 as in DINO, or all images if fewer.</summary>
    public int K => Math.Min(20, fitLabels.Length);

    /// <summary>Number of images that may be neighbours.</summary>
    public int TrainImages => fitLabels.Length;

    /// <summary>Number of images that are classified.</summary>
    public int ValidationImages => heldLabels.Length;

    /// <summary>Macro F1 of each <see cref="Score"/> with a 95 % bootstrap interval over patients, lesions or
    /// images.</summary>
    public IReadOnlyList<Interval> History => history;

    /// <summary>Decodes the task's training images into the cache and draws a validation part.
    /// <see cref="ProbeTask.Limit"/> bounds the cost of a score; the side of the global crops suits the
    /// transform.</summary>
    /// <exception cref="KitException">The split is not usable, or a part has no readable image.</exception>
    public static OnlineKnn Open(KitSettings settings, ProbeTask task, EvalTransform transform, int seed = 1,
        Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        Split split = task.Redraw(seed);
        int[] all = [.. split.Train, .. split.Test];
        ImageCache cache = ImageCache.Build(settings.CacheDir, [.. all.Select(i => task.Table.Paths[i])], transform,
            progress, cancellation);
        var rowOf = all.Zip(cache.RowOf).ToDictionary(p => p.First, p => p.Second);
        int[] fit = [.. split.Train.Where(i => rowOf[i] >= 0)], held = [.. split.Test.Where(i => rowOf[i] >= 0)];
        if (fit.Length > 0 && held.Length > 0)
            return new(task, cache, fit, held, [.. fit.Concat(held).Select(i => rowOf[i])], seed, device);
        using (cache)
            throw new KitException($"Online kNN on '{task.Definition.Name}': {fit.Length} of {split.Train.Length} "
                + $"training and {held.Length} of {split.Test.Length} validation images are readable; "
                + $"{cache.Quarantine[0].Reason}");
    }

    /// <summary>Adds the validation part's macro F1 (0 to 1) to <see cref="History"/> and returns it. The backbone's
    /// mode is restored.</summary>
    /// <exception cref="KitException">The features are not finite.</exception>
    public double Score(Backbone backbone)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(backbone);
        var parts = new List<Tensor>();
        foreach (int[] batch in rows.Chunk(BatchSize))
        {
            using var step = NewDisposeScope();
            parts.Add(backbone.forward(cache.Transform.Normalise(cache.Batch(batch, device)))
                .MoveToOuterDisposeScope());
        }
        Tensor features = cat(parts, 0);
        int classes = Task.ClassNames.Length;
        ProbeOutcome outcome = KnnProbe.Classify(features.narrow(0, 0, TrainImages), fitLabels,
            features.narrow(0, TrainImages, ValidationImages), classes, [K])[K];
        history.Add(Bootstrap.IntervalOf(units, Resamples, seed,
            weights => ClassCounts.Of(heldLabels, outcome.Predicted, classes, weights).F1Macro));
        return history[^1].Value;
    }

    /// <summary>Closes the images; the cache stays on disk.</summary>
    public void Dispose() => cache.Dispose();
}
