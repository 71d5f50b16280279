using DermKit.Models;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>A trained backbone for others to use: timm's, DINO's and torchvision's key names, float16.</summary>
public static class BackboneExport
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>
    /// Writes <c>name.safetensors</c> (float16 but for running statistics; preprocessing and provenance in its metadata), <c>name.json</c> (options, images, steps, commit,
    /// machine and both hashes) and <c>name.log.jsonl</c> beside each other.
    /// </summary>
    /// <param name="folder">Made when absent.</param>
    /// <param name="name">Of the files.</param>
    /// <param name="trainer">At the end of its run.</param>
    /// <param name="options">Those of the run.</param>
    /// <param name="data">Its images.</param>
    /// <param name="provenance">Commit, command and machine.</param>
    /// <returns>SHA-256 of the weights file in hex.</returns>
    public static string Write(string folder, string name, Pretrainer trainer, PretrainOptions options, PretrainData data, IReadOnlyDictionary<string, string> provenance)
    {
        string weights = Path.Combine(folder, name + ".safetensors");
        (string[] before, string start) = Start(options);
        string[] seen = [.. data.Sources.Where(s => s.Used > 0).Select(s => s.Set).Union(before)];
        using (var scope = NewDisposeScope())
        {
            Backbone backbone = trainer.Backbone;
            // Running statistics are counts and variances of any size, which float16 does not hold.
            HashSet<string> statistics = [.. backbone.named_buffers().Select(b => b.name)];
            var half = backbone.state_dict().ToDictionary(p => p.Key, p => statistics.Contains(p.Key) ? p.Value : p.Value.detach().to(ScalarType.Float16));
            SafeTensors.Save(weights, half, new Dictionary<string, string>(provenance)
            {
                ["architecture"] = backbone.Architecture, ["method"] = options.Method, ["pretrainedOn"] = string.Join(", ", seen), ["initialWeights"] = start, ["steps"] = $"{trainer.Done}",
                ["preprocessing"] = "Resize((256, 256)) bilinear, CenterCrop(224), mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
            });
        }
        TrainingLog.Write(Path.Combine(folder, name + ".log.jsonl"), trainer.Log);
        string hash = WeightLoader.FileHash(weights);
        AtomicFile.WriteAllText(Path.Combine(folder, name + ".json"), JsonSerializer.Serialize(new
        {
            weights = Path.GetFileName(weights), sha256 = hash, sha256OfFloat32Weights = WeightLoader.Hash(trainer.Backbone), steps = trainer.Done, of = trainer.Steps,
            images = data.Sources.Select(s => new { set = s.Set, trained = s.Used, frozenAndNeverSeen = s.Frozen }), imagesInUse = data.Count, pretrainedOn = seen, initialWeights = start, dataKey = data.Key,
            provenance, options,
        }, Indented) + "\n");
        return hash;
    }

    /// <summary>What the weights that a run starts from have seen, and which they are.</summary>
    private static (string[] Seen, string File) Start(PretrainOptions options)
    {
        if (options.InitialWeights is not { } path) return ([], "random");
        using MappedWeights file = MappedWeights.Open(path);
        string seen = file.Metadata.GetValueOrDefault("pretrainedOn") is { Length: > 0 } sets ? sets : "unknown";
        return (seen.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), $"{Path.GetFileName(path)}, SHA-256 {WeightLoader.FileHash(path)}");
    }
}
