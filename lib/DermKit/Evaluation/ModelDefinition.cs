using DermKit.Imaging;
using DermKit.Models;
using DermKit.Models.Weights;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>The transform that pictures go through before a model.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Preprocessing>))]
public enum Preprocessing
{
    /// <summary>The paper's, the same for every model: Resize((256, 256)) bilinear, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("paper")]
    Paper,
    /// <summary>DINO's: short side 256 bicubic, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("dino")]
    Dino,
}

/// <summary>One frozen model as data/models/&lt;name&gt;.json says it; its card is data/models/&lt;name&gt;.md.</summary>
public sealed record ModelDefinition
{
    /// <summary>Name, that of the file.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the entry: goes up whenever a score changes its meaning.</summary>
    public required int Version { get; init; }

    /// <summary>One line for tables.</summary>
    public required string Title { get; init; }

    /// <summary>Architecture: vit is what the kit builds; any other is listed as absent.</summary>
    public required string Family { get; init; }

    /// <summary>tiny, small, base or large, for a vit.</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Side of a patch in pixels, for a vit.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Number of parameters of the backbone, checked when it is built.</summary>
    public required long Parameters { get; init; }

    /// <summary>"random", or a safetensors file relative to data/, such as weights/x.safetensors.</summary>
    public required string Source { get; init; }

    /// <summary>SHA-256 of the weights file in hex, or "" when any file of the right keys and shapes will do.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>Keys of the weights file that are not part of the backbone, such as a classifier.</summary>
    public string[] LeaveOut { get; init; } = [];

    /// <summary>Seeds of random weights, one model each; a single 0 for weights from a file.</summary>
    public int[] Seeds { get; init; } = [0];

    /// <summary>Which features the probes get.</summary>
    public FeatureVariant Features { get; init; } = FeatureVariant.Cls4;

    /// <summary>The transform before the model.</summary>
    public Preprocessing Preprocessing { get; init; } = Preprocessing.Paper;

    /// <summary>Data sets that the weights have seen.</summary>
    public string[] PretrainedOn { get; init; } = [];

    /// <summary>Licence of the weights.</summary>
    public required string Licence { get; init; }

    /// <summary>What a reader must know beside the scores.</summary>
    public string Note { get; init; } = "";

    /// <summary>What to get, and where to put it, when the weights are not here.</summary>
    public string WhatToGet { get; init; } = "";

    /// <summary>The kit's data/ folder, which <see cref="Source"/> is relative to.</summary>
    internal string DataRoot { get; init; } = "";

    /// <summary>True when <see cref="Create"/> can make the model.</summary>
    [JsonIgnore]
    public bool IsPresent => Missing is null;

    /// <summary>Null when the model can be made, else the reason in plain words and what to get.</summary>
    [JsonIgnore]
    public string? Missing =>
        Family != "vit" ? $"this version of the kit does not build the family '{Family}'. {WhatToGet}".TrimEnd()
        : Source != "random" && !File.Exists(WeightsPath) ? $"weights not here: data/{Source}. {WhatToGet}".TrimEnd() : null;

    /// <summary>The fixed transform that <see cref="Preprocessing"/> names.</summary>
    [JsonIgnore]
    public EvalTransform Transform => Preprocessing == Preprocessing.Dino ? EvalTransform.Dino : new();

    private string WeightsPath => Path.Combine(DataRoot, Source);

    /// <summary>Builds the model in evaluation mode; the caller disposes it.</summary>
    /// <param name="seed">One of <see cref="Seeds"/>; of no effect on weights from a file.</param>
    /// <param name="device">Where it shall lie; cpu when null.</param>
    /// <exception cref="KitException">The model is not present, or the file has another hash, other keys or other shapes.</exception>
    public VisionTransformer Create(int seed, Device? device = null)
    {
        if (Missing is { } missing) throw new KitException($"Model '{Name}': {missing}");
        if (Sha256.Length > 0 && WeightLoader.FileHash(WeightsPath) is var hash && hash != Sha256)
            throw new KitException($"{WeightsPath}: expected SHA-256 {Sha256}, found {hash}. {WhatToGet}".TrimEnd());
        VisionTransformer model = VisionTransformer.Random(VitConfig.Named(Size) with { Patch = Patch }, seed, device);
        try
        {
            long parameters = model.parameters().Sum(p => p.numel());
            if (parameters != Parameters) throw new KitException($"Model '{Name}': expected {Parameters} parameters, found {parameters}; correct 'size', 'patch' or 'parameters' in its file.");
            if (Source != "random") WeightLoader.LoadStrict(model, WeightsPath, LeaveOut);
            model.eval();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
