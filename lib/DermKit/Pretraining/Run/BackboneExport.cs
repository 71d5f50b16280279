using DermKit.Models;

namespace DermKit.Pretraining;

internal static class BackboneExport
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    /// <summary>Writes name.safetensors (float16 except running statistics), name.json (options, images, steps, commit,
    /// machine, both hashes) and name.log.jsonl. Returns the SHA-256 of the weights in hex.</summary>
    public static string Write(
        string folder, string name, Pretrainer trainer, PretrainOptions options, PretrainData data,
        IReadOnlyDictionary<string, string> provenance)
    {
        string weights = Path.Combine(folder, name + ".safetensors");
        (string[] before, string start) = Start(options);
        string[] seen = [.. data.Sources.Where(s => s.Used > 0).Select(s => s.Set).Union(before)];
        string exact;
        using (var scope = NewDisposeScope())
        {
            Backbone backbone = trainer.Backbone;
            using Backbone? mean = options.InitialShare > 0 ? MeanWithStart(backbone, options) : null;
            Dictionary<string, Tensor> half = (mean ?? backbone).state_dict();
            exact = WeightLoader.Hash(mean ?? backbone);
            // float16 cannot hold running statistics: counts and variances of any size.
            foreach (string key in half.Keys.Except(backbone.named_buffers().Select(b => b.name)))
                half[key] = half[key].detach().to(float16);
            SafeTensors.Save(weights, half, new Dictionary<string, string>(provenance)
            {
                ["architecture"] = backbone.Architecture,
                ["method"] = options.Method,
                ["pretrainedOn"] = string.Join(", ", seen),
                ["initialWeights"] = start,
                ["initialShare"] = FormattableString.Invariant($"{options.InitialShare}"),
                ["steps"] = $"{trainer.Done}",
                ["preprocessing"] = "Resize((256, 256)) bilinear, CenterCrop(224), mean 0.485 0.456 0.406, "
                    + "std 0.229 0.224 0.225",
            });
        }
        TrainingLog.Write(Path.Combine(folder, name + ".log.jsonl"), trainer.Log);
        string hash = WeightLoader.FileHash(weights);
        AtomicFile.WriteAllText(Path.Combine(folder, name + ".json"), JsonSerializer.Serialize(new
        {
            weights = Path.GetFileName(weights),
            sha256 = hash,
            sha256OfFloat32Weights = exact,
            steps = trainer.Done,
            of = trainer.Steps,
            images = data.Sources.Select(s => new { set = s.Set, trained = s.Used, frozenAndNeverSeen = s.Frozen }),
            imagesInUse = data.Count,
            pretrainedOn = seen,
            initialWeights = start,
            dataKey = data.Key,
            provenance,
            options = (object)options,
        }, Indented) + "\n");
        return hash;
    }

    // A backbone on the cpu between the initial weights and the trained ones.
    private static Backbone MeanWithStart(Backbone trained, PretrainOptions options) => Owned.Make(
        () => StartingBackbone.Create(options, isStudent: false, CPU), mean =>
        {
            StartingBackbone.Load(mean, options.InitialWeights!, options.Blocks.Length > 0);
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            double share = options.InitialShare;
            Dictionary<string, Tensor> end = trained.state_dict();
            foreach ((string key, Tensor start) in mean.state_dict())
                if (is_floating_point(start))
                    start.copy_((start * Kept(share)).Plus(end[key].to(CPU) * Kept(1 - share)));
            return mean;
        });

    // The sets that the initial weights have seen; the file's name and hash.
    private static (string[] Seen, string File) Start(PretrainOptions options)
    {
        if (options.InitialWeights is not { } path) return ([], "random");
        using MappedWeights file = MappedWeights.Open(path);
        string sets = file.Metadata.GetValueOrDefault("pretrainedOn") is { Length: > 0 } known ? known : "unknown";
        string[] seen = sets.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return (seen, $"{Path.GetFileName(path)}, SHA-256 {WeightLoader.FileHash(path)}");
    }
}
