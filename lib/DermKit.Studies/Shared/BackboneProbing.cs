using DermKit.Imaging;
using DermKit.Models;
using System.Text.Json;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Probes a backbone in memory, such as one that has just been trained.</summary>
public static class BackboneProbing
{
    /// <summary>Extracts the features of the tasks' images, each once, and probes them; stores nothing. The backbone is
    /// on the settings' device and its mode is restored. progress gets (done, all) images.</summary>
    /// <exception cref="KitException">The split of a task is not usable.</exception>
    public static IReadOnlyList<TaskResult> Run(KitSettings settings, Backbone backbone, string name,
        IReadOnlyList<ProbeTask> tasks, int seed, ProbingOptions? options = null,
        Action<int, int>? progress = null, CancellationToken cancellation = default) =>
        Run(settings, backbone, name, tasks, [seed], options, progress, cancellation);

    // One extraction for all seeds.
    internal static IReadOnlyList<TaskResult> Run(KitSettings settings, Backbone backbone, string name,
        IReadOnlyList<ProbeTask> tasks, IReadOnlyList<int> seeds, ProbingOptions? options,
        Action<int, int>? progress, CancellationToken cancellation)
    {
        Device device = settings.TorchDevice();
        string[] paths = TaskImages.PathsOf(tasks);
        using ImageCache cache = ImageCache.Build(settings.CacheDir, paths, new EvalTransform(),
            cancellation: cancellation);
        FeatureVariant variant = backbone is VisionTransformer ? FeatureVariant.Cls4 : FeatureVariant.AvgPool;
        FeatureSet features = FeatureExtractor.Extract(backbone, cache, new FeatureOptions { Variant = variant },
            device, progress: progress, cancellation: cancellation);
        using Tensor values = features.ToTensor(device);
        var source = new FeatureSource(name, JsonSerializer.Serialize(variant).Trim('"'), features.WeightsHash,
            features.Key);
        var rowsOf = TaskImages.RowsOf(tasks, paths, cache);
        return
        [
            .. from task in tasks
               from seed in seeds
               from result in Probing.Run(values, source, task, seed, options, rowOf: rowsOf[task])
               select result
        ];
    }
}
