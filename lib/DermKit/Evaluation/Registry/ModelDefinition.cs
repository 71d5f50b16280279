using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>The transform that images go through before a model.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Preprocessing>))]
public enum Preprocessing
{
    /// <summary>The paper's, the same for every model: Resize((256, 256)) bilinear, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("paper")]
    Paper,
    /// <summary>DINO's: short side 256 bicubic, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("dino")]
    Dino,
    /// <summary>MONET's own: short side 224 bicubic, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("monet")]
    Monet,
}

/// <summary>One frozen model as data/models/&lt;name&gt;.json says it (its card is data/models/&lt;name&gt;.md), or as the keys of an undeclared weights file do.</summary>
public sealed record ModelDefinition
{
    /// <summary>Name, that of the file.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the entry: goes up whenever a score changes its meaning.</summary>
    public required int Version { get; init; }

    /// <summary>One line for tables.</summary>
    public required string Title { get; init; }

    /// <summary>Architecture: vit, clip and resnet are what the kit builds; any other is listed as absent.</summary>
    public required string Family { get; init; }

    /// <summary>tiny, small, base or large for a vit; base or large for a clip.</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Side of a patch in pixels, where the family has patches.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Side in pixels of the images that the position embedding is made for.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>All sizes of a clip tower that <see cref="Size"/> has no name for; null otherwise.</summary>
    public ClipVisionConfig? Clip { get; init; }

    /// <summary>Planes and blocks of a resnet; null for ResNet-50.</summary>
    public ResNetConfig? ResNet { get; init; }

    /// <summary>Number of parameters of the backbone (without a projection behind it), checked when it is built.</summary>
    public required long Parameters { get; init; }

    /// <summary>Multiply-adds of one image in billions, to two decimals, checked against the count where the kit builds the family; null when not given.</summary>
    public double? GigaMacs { get; init; }

    /// <summary>"random", or a weights file relative to data/, such as weights/x.safetensors; where it is not there, one of the same name with another ending (.pth, .pt, .bin, ...) is taken.</summary>
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

    /// <summary>What to do when the weights are not here, where data/sources.json has no entry of the model's name.</summary>
    public string WhatToGet { get; init; } = "";

    /// <summary>FIXTURE where the weights are random numbers in a real model's format, else empty: stands on every number that rests on them.</summary>
    [JsonIgnore]
    public string Stamp { get; internal init; } = "";

    /// <summary>True when no file declares the model: it is what the keys of a weights file look like.</summary>
    [JsonIgnore]
    public bool IsUndeclared { get; internal init; }

    /// <summary>Side in pixels that <see cref="Transform"/> is scaled to; 0 leaves it as it is.</summary>
    internal int Side { get; init; }

    /// <summary>Rate of stochastic depth in the last block of a vit (<see cref="VitConfig.DropPath"/>), for one that is trained.</summary>
    internal double DropPath { get; init; }

    /// <summary>The kit's data/ folder, which <see cref="Source"/> is relative to.</summary>
    internal string DataRoot { get; init; } = "";

    /// <summary>The entry of data/sources.json that has the model's name; null when there is none.</summary>
    internal DataSource? Weights { get; init; }

    /// <summary>Why an undeclared file cannot be used; null when it can.</summary>
    internal string? Problem { get; init; }

    /// <summary>True when <see cref="Create"/> can make the model.</summary>
    [JsonIgnore]
    public bool IsPresent => Missing is null;

    /// <summary>Null when the model can be made, else the reason in plain words and what to get.</summary>
    [JsonIgnore]
    public string? Missing => Problem
        ?? (Family is not ("vit" or "clip" or "resnet") ? $"this version of the kit does not build the family '{Family}'. {Remedy}".TrimEnd()
        : Source != "random" && !File.Exists(WeightsPath) ? $"weights not here: data/{Source}. {Remedy}".TrimEnd() : null);

    private string Remedy => Weights is not { } source ? WhatToGet
        : $"kit data fetch {Name} --accept-licence gets it (licence: {source.Licence}); by hand: {string.Join(", or ", source.Files.Select(f => $"{f.Address} as data/weights/{f.Name}"))}.";

    /// <summary>The fixed transform that <see cref="Preprocessing"/> names.</summary>
    [JsonIgnore]
    public EvalTransform Transform => Preprocessing switch { Preprocessing.Dino => EvalTransform.Dino, Preprocessing.Monet => EvalTransform.Monet, _ => new() } is var whole && Side == 0 ? whole
        : whole with { Resize = (int)Math.Round((double)whole.Resize * Side / whole.Crop), Crop = Side };

    /// <summary>Format and key names of the weights file, in words.</summary>
    /// <exception cref="KitException">It is no weights file.</exception>
    public string DescribeFile()
    {
        using MappedWeights file = MappedWeights.Open(WeightsPath);
        return $"{file.Format}; {file.Description}";
    }

    /// <summary>What the model costs, counted from its sizes; null for a family that the kit does not build.</summary>
    [JsonIgnore]
    public ModelCost? Cost => Problem is not null ? null : Family switch { "vit" => ModelCost.Of(Name, Vit), "clip" => ModelCost.Of(Name, ClipVision), "resnet" => ModelCost.Of(Name, Convolutional), _ => null };

    internal string WeightsPath => Path.Combine(DataRoot, Source) is var path && Source != "random" ? WeightFile.Find(path) ?? path : path;

    /// <summary>The keys of the weights file that have no place in the backbone.</summary>
    internal IReadOnlyList<string> AllLeftOut => Family switch { "clip" => [.. ClipVisionTransformer.NotVision, .. LeaveOut], "resnet" => [.. Models.ResNet.NotBackbone, .. LeaveOut], _ => [.. VisionTransformer.NotBackbone, .. LeaveOut] };

    internal VitConfig Vit => VitConfig.Named(Size) with { Patch = Patch, ImageSize = ImageSize, DropPath = DropPath };

    internal ResNetConfig Convolutional => ResNet ?? ResNetConfig.ResNet50;

    internal ClipVisionConfig ClipVision => Clip ?? ClipVisionConfig.Named(Size) with { Patch = Patch, ImageSize = ImageSize };

    /// <summary>
    /// A CLIP tower in its four forms: each of the paper's transform and MONET's own, with the hidden states that the paper takes (4 D values) and with
    /// the projected embedding.
    /// </summary>
    /// <exception cref="KitException">The model is of another family.</exception>
    public IReadOnlyList<ModelDefinition> ClipForms()
    {
        if (Family != "clip") throw new KitException($"Model '{Name}': expected the family clip, found '{Family}'.");
        return [.. from transform in new[] { Preprocessing.Paper, Preprocessing.Monet } from features in new[] { FeatureVariant.Cls4PreNorm, FeatureVariant.Projected }
            let form = (transform == Preprocessing.Monet ? "-own-transform" : "") + (features == FeatureVariant.Projected ? "-projected" : "")
            select this with { Name = Name + form, Title = Title + form.Replace("-own-transform", ", own transform", StringComparison.Ordinal).Replace("-projected", ", projected", StringComparison.Ordinal), Features = features, Preprocessing = transform }];
    }

    /// <summary>Builds the model in evaluation mode; the caller disposes it.</summary>
    /// <param name="seed">One of <see cref="Seeds"/>; of no effect on weights from a file.</param>
    /// <param name="device">Where it shall lie; cpu when null.</param>
    /// <exception cref="KitException">
    /// The model is not present, or the file has another hash, other keys or shapes, or values that are not finite.
    /// </exception>
    public Backbone Create(int seed, Device? device = null)
    {
        if (Missing is { } missing) throw new KitException($"Model '{Name}': {missing}");
        if (Sha256.Length > 0 && WeightLoader.FileHash(WeightsPath) is var hash && hash != Sha256)
            throw new KitException($"{WeightsPath}: expected SHA-256 {Sha256}, found {hash}. {Remedy}".TrimEnd());
        Backbone model = Source == "random" ? Random(seed, device) : Unset(device);
        try
        {
            long parameters = model.ParameterCount;
            if (parameters != Parameters) throw new KitException($"Model '{Name}': expected {Parameters} parameters, found {parameters}; correct 'size', 'patch' or 'parameters' in its file.");
            if (Source != "random") LoadInto(model);
            model.Origin = Source == "random" ? $"Model '{Name}', seed {seed}" : $"Model '{Name}' ({WeightsPath})";
            model.eval();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private void LoadInto(Backbone model)
    {
        try
        {
            WeightLoader.LoadStrict(model, WeightsPath, AllLeftOut);
        }
        catch (KitException e)
        {
            throw new KitException($"Model '{Name}': {e.Message}", e);
        }
    }

    /// <summary>The architecture with weights that are not set.</summary>
    internal Backbone Unset(Device? device) => Family switch
    {
        "clip" => ClipVisionTransformer.Unset(ClipVision, device),
        "resnet" => Models.ResNet.Unset(Convolutional, device),
        _ => VisionTransformer.Unset(Vit, device),
    };

    private Backbone Random(int seed, Device? device) => Family switch
    {
        "clip" => ClipVisionTransformer.Random(ClipVision, seed, device),
        "resnet" => Models.ResNet.Random(Convolutional, seed, device),
        _ => VisionTransformer.Random(Vit, seed, device),
    };
}
