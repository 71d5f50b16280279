using System.Text.Json;
using DermKit.Imaging;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Probes a backbone that no file holds, such as one that has just been trained.</summary>
public static class BackboneProbing
{
    /// <summary>Extracts the features of the task's pictures and probes them; nothing is kept.</summary>
    /// <param name="settings">Folder of the picture cache, and device.</param>
    /// <param name="backbone">On the device of the settings; it is left in the mode it came in.</param>
    /// <param name="name">Names the results.</param>
    /// <param name="task">The task.</param>
    /// <param name="seed">Of the split and of the probe's validation part.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <param name="progress">Called with (done, all) pictures.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="KitException">The task's split is not usable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<TaskResult> Run(KitSettings settings, Backbone backbone, string name, ProbeTask task, int seed, ProbingOptions? options = null,
        Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Device device = settings.TorchDevice();
        bool training = backbone.training;
        backbone.eval();
        try
        {
            using var noGrad = no_grad();
            using ImageCache cache = ImageCache.Build(settings.CacheDir, task.Table.Paths, new EvalTransform(), cancellation: cancellation);
            var variant = new FeatureOptions { Variant = backbone is VisionTransformer ? FeatureVariant.Cls4 : FeatureVariant.AvgPool };
            FeatureSet features = FeatureExtractor.Extract(backbone, cache, variant, device, progress: progress, cancellation: cancellation);
            using Tensor values = features.ToTensor(device);
            var source = new FeatureSource(name, JsonSerializer.Serialize(variant.Variant).Trim('"'), features.WeightsHash, features.Key);
            return Probing.Run(values, source, task, seed, options, rowOf: cache.RowOf);
        }
        finally
        {
            if (training) backbone.train();
        }
    }
}
