using System.Text.Json;
using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Probes a backbone that no file holds, such as one that has just been trained.</summary>
public static class BackboneProbing
{
    /// <summary>Extracts the features of the tasks' images, each once, and probes them; nothing is kept.</summary>
    /// <param name="settings">Folder of the image cache, and device.</param>
    /// <param name="backbone">On the device of the settings; it is left in the mode it came in.</param>
    /// <param name="name">Names the results.</param>
    /// <param name="tasks">The tasks.</param>
    /// <param name="seed">Of the splits and of the probe's validation part.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <param name="progress">Called with (done, all) images.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="KitException">A task's split is not usable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<TaskResult> Run(KitSettings settings, Backbone backbone, string name, IReadOnlyList<ProbeTask> tasks, int seed, ProbingOptions? options = null,
        Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        using var mode = new EvaluationMode(backbone);
        string[] paths = [.. tasks.SelectMany(t => t.Table.Paths).Distinct(StringComparer.Ordinal)];
        using ImageCache cache = ImageCache.Build(settings.CacheDir, paths, new EvalTransform(), cancellation: cancellation);
        var variant = new FeatureOptions { Variant = backbone is VisionTransformer ? FeatureVariant.Cls4 : FeatureVariant.AvgPool };
        FeatureSet features = FeatureExtractor.Extract(backbone, cache, variant, device, progress: progress, cancellation: cancellation);
        using Tensor values = features.ToTensor(device);
        var source = new FeatureSource(name, JsonSerializer.Serialize(variant.Variant).Trim('"'), features.WeightsHash, features.Key);
        var rowOf = paths.Select((path, i) => (path, row: cache.RowOf[i])).ToDictionary(p => p.path, p => p.row, StringComparer.Ordinal);
        return [.. tasks.SelectMany(task => Probing.Run(values, source, task, seed, options, rowOf: [.. task.Table.Paths.Select(path => rowOf[path])]))];
    }
}
