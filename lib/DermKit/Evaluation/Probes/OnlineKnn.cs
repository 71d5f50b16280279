using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// A monitor for pre-training: nearest neighbours on a small labelled task, asked again and again while a backbone learns.
/// Images and labels come from the task's training images alone (<see cref="ProbeTask.Redraw"/>); its test images are not even
/// decoded, so settings may be chosen by this score. As in DINO's eval_knn.py the feature is the CLS token of the last block.
/// </summary>
public sealed class OnlineKnn : IDisposable
{
    private const int BatchSize = 64, Resamples = 200;
    private readonly ImageCache cache;
    private readonly Device device;
    private readonly int classes;
    private readonly int[] rows, fitLabels, heldLabels;
    private readonly List<Interval> history = [];
    private readonly ushort[][] draws;

    private OnlineKnn(ProbeTask task, ImageCache cache, int[] fit, int[] held, int[] rows, int seed, Device device)
    {
        (Task, this.cache, this.rows, this.device) = (task, cache, rows, device);
        (classes, fitLabels, heldLabels) = (task.ClassNames.Length, Array.ConvertAll(fit, i => task.Labels[i]), Array.ConvertAll(held, i => task.Labels[i]));
        draws = Bootstrap.Draw([.. held.Select(i => task.UnitOf(i))], Resamples, seed);
    }

    /// <summary>The task that the labels come from.</summary>
    public ProbeTask Task { get; }

    /// <summary>Neighbours asked: 20 as in DINO, or as many as there are.</summary>
    public int K => Math.Min(20, fitLabels.Length);

    /// <summary>Number of images that may be neighbours.</summary>
    public int TrainImages => fitLabels.Length;

    /// <summary>Number of images that are classified.</summary>
    public int ValidationImages => heldLabels.Length;

    /// <summary>Macro F1 of every call of <see cref="Score"/> so far, with a 95 % bootstrap interval over patients, lesions or images.</summary>
    public IReadOnlyList<Interval> History => history;

    /// <summary>Decodes the task's training images (once; the cache is kept) and draws the validation part among them.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="task">The task, limited to as many training images as a call may cost (<see cref="ProbeTask.Limit"/>).</param>
    /// <param name="transform">Side of the images and their normalisation; the global crops' side suits.</param>
    /// <param name="seed">Draws the validation part.</param>
    /// <param name="progress">Called with (done, all) while images are decoded.</param>
    /// <param name="cancellation">Stops the decoding.</param>
    /// <exception cref="KitException">The task's split is not usable, or no image of one part could be read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static OnlineKnn Open(KitSettings settings, ProbeTask task, EvalTransform transform, int seed = 1, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        Split split = task.Redraw(seed);
        int[] all = [.. split.Train, .. split.Test];
        ImageCache cache = ImageCache.Build(settings.CacheDir, [.. all.Select(i => task.Table.Paths[i])], transform, progress, cancellation);
        var rowOf = all.Zip(cache.RowOf).ToDictionary(p => p.First, p => p.Second);
        int[] fit = [.. split.Train.Where(i => rowOf[i] >= 0)], held = [.. split.Test.Where(i => rowOf[i] >= 0)];
        if (fit.Length > 0 && held.Length > 0)
            return new(task, cache, fit, held, [.. fit.Concat(held).Select(i => rowOf[i])], seed, device);
        using (cache)
            throw new KitException($"Online kNN on '{task.Definition.Name}': {fit.Length} training and {held.Length} validation images could be read of {split.Train.Length} and {split.Test.Length}; {cache.Quarantine[0].Reason}");
    }

    /// <summary>Macro F1 (0 to 1) of the validation part with features of this backbone as it is now; kept in <see cref="History"/>. The backbone's mode is put back.</summary>
    /// <exception cref="KitException">The backbone gives features that are not finite.</exception>
    public double Score(Backbone backbone)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(backbone);
        var parts = new List<Tensor>();
        foreach (int[] batch in rows.Chunk(BatchSize))
        {
            using var step = NewDisposeScope();
            parts.Add(backbone.forward(cache.Transform.Normalise(cache.Batch(batch, device))).MoveToOuterDisposeScope());
        }
        Tensor features = cat(parts, 0);
        ProbeOutcome outcome = KnnProbe.Classify(features.narrow(0, 0, TrainImages), fitLabels, features.narrow(0, TrainImages, ValidationImages), classes, [K])[K];
        double F1(ushort[] weights) => ClassCounts.Of(heldLabels, outcome.Predicted, classes, weights).F1Macro;
        history.Add(Bootstrap.Percentiles(F1([]), Bootstrap.Values(draws, F1)));
        return history[^1].Value;
    }

    /// <summary>Closes the images; the cache stays on disk.</summary>
    public void Dispose() => cache.Dispose();
}
