using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Evaluation;

/// <summary>The transform before a model.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Preprocessing>))]
public enum Preprocessing
{
    /// <summary>The paper's: Resize((256, 256)) bilinear, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("paper")]
    Paper,
    /// <summary>DINO's: short side 256 bicubic, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("dino")]
    Dino,
    /// <summary>MONET's: short side 224 bicubic, CenterCrop 224, ImageNet statistics.</summary>
    [JsonStringEnumMemberName("monet")]
    Monet,
}

/// <summary>A frozen model, data/models/&lt;name&gt;.json or an undeclared weights file.</summary>
public sealed record ModelDefinition
{
    /// <summary>Name of the model and its file.</summary>
    public required string Name { get; init; }

    /// <summary>Increases when a score changes its meaning.</summary>
    public required int Version { get; init; }

    /// <summary>One line for tables.</summary>
    public required string Title { get; init; }

    /// <summary>vit, clip, resnet or onnx; other families count as absent.</summary>
    public required string Family { get; init; }

    /// <summary>tiny, small, base or large (vit); base or large (clip).</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Side of a patch in pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Image side in pixels of the position embedding.</summary>
    public int ImageSize { get; init; } = 224;

    // Sizes of a clip tower that Size has no name for.
    [JsonInclude]
    internal ClipVisionConfig? Clip { get; init; }

    /// <summary>Sizes of a resnet; null for ResNet-50.</summary>
    public ResNetConfig? ResNet { get; init; }

    // What an onnx encoder takes.
    [JsonInclude]
    internal OnnxInput Input { get; init; }

    // ONNX file of a resnet's mean image.
    [JsonInclude]
    internal string? MeanImage { get; init; }

    /// <summary>Parameters without a projection behind the backbone, checked when the model is built; of onnx, values
    /// of the initialisers.</summary>
    public required long Parameters { get; init; }

    /// <summary>Billions of multiply-adds for one image, to two decimals, checked but for onnx; null when
    /// unknown.</summary>
    public double? GigaMacs { get; init; }

    /// <summary>"random", a weights file relative to data/, of any ending (.pth, .bin, ...), or one that the build puts
    /// into lib/bin/.</summary>
    public required string Source { get; init; }

    /// <summary>SHA-256 of the weights file in hex; empty accepts any file with matching keys and shapes.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>Keys of the weights file outside the backbone.</summary>
    public string[] LeaveOut { get; init; } = [];

    /// <summary>Seeds of random weights; one serves all seeds of a plan. 0 for weights from a file.</summary>
    public int[] Seeds { get; init; } = [0];

    /// <summary>The features for probes.</summary>
    public FeatureVariant Features { get; init; } = FeatureVariant.Cls4;

    /// <summary>The transform before the model.</summary>
    public Preprocessing Preprocessing { get; init; } = Preprocessing.Paper;

    /// <summary>Data sets that the weights were trained on.</summary>
    public string[] PretrainedOn { get; init; } = [];

    /// <summary>Licence of the weights.</summary>
    public required string Licence { get; init; }

    /// <summary>Remark for readers of the scores.</summary>
    public string Note { get; init; } = "";

    /// <summary>How to get absent weights that data/sources.json does not list.</summary>
    public string WhatToGet { get; init; } = "";

    /// <summary>FIXTURE for random numbers in a real model's format, else empty.</summary>
    [JsonIgnore]
    public string Stamp { get; internal init; } = "";

    /// <summary>True when the keys of a weights file define the model.</summary>
    [JsonIgnore]
    public bool IsUndeclared { get; internal init; }

    /// <summary>True when <see cref="Create"/> can build the model.</summary>
    [JsonIgnore]
    public bool IsPresent => Missing is null;

    /// <summary>Null when the model can be built, else the reason and what to get.</summary>
    [JsonIgnore]
    public string? Missing
    {
        get
        {
            if (Problem is not null) return Problem;
            if (!IsBuilt)
                return $"this version of the kit does not build the family '{Family}'. {Remedy}".TrimEnd();
            string? absent = Source == "random" || File.Exists(WeightsPath) ? null
                : (IsBuiltFile ? "" : "data/") + Source;
            if (MeanImage is { } mean && !File.Exists(InKit(mean))) absent ??= mean;
            return absent is null ? null : $"weights not here: {absent}. {Remedy}".TrimEnd();
        }
    }

    /// <summary>The fixed transform that <see cref="Preprocessing"/> names.</summary>
    [JsonIgnore]
    public EvalTransform Transform
    {
        get
        {
            EvalTransform whole = Preprocessing switch
            {
                Preprocessing.Dino => EvalTransform.Dino,
                Preprocessing.Monet => EvalTransform.Monet,
                _ => new(),
            };
            return Side == 0 ? whole
                : whole with { Resize = (int)Math.Round((double)whole.Resize * Side / whole.Crop), Crop = Side };
        }
    }

    /// <summary>Counted from the sizes, of onnx as declared; null for a family that the kit does not build.</summary>
    [JsonIgnore]
    public ModelCost? Cost => Problem is not null || !IsBuilt ? null : Family switch
    {
        "clip" => ModelCost.Of(Name, ClipVision),
        "onnx" => ModelCost.Of(Name, Parameters, GigaMacs, Unset),
        "resnet" => ModelCost.Of(Name, Convolutional) with { Unset = device => Centred(Unset(device)) },
        _ => ModelCost.Of(Name, Vit),
    };

    // Whether the kit has the family.
    internal bool IsBuilt => IsOnnx || Family is "vit" or "clip" or "resnet";

    // Without gradients, in the file's own precision.
    internal bool IsOnnx => Family == "onnx";

    // Side in pixels to which Transform is scaled; 0 keeps it.
    internal int Side { get; init; }

    // Stochastic depth of a vit in training.
    internal double DropPath { get; init; }

    internal string DataRoot { get; init; } = "";

    // Its entry of data/sources.json.
    internal DataSource? Weights { get; init; }

    // Why an undeclared file is unusable, else null.
    internal string? Problem { get; init; }

    internal string WeightsPath
    {
        get
        {
            string path = IsBuiltFile ? InKit(Source) : Path.Combine(DataRoot, Source);
            return Source == "random" ? path : WeightFile.Find(path) ?? path;
        }
    }

    private string InKit(string path) => Path.GetFullPath(Path.Combine(DataRoot, "..", path));

    private bool IsBuiltFile => Source.StartsWith("lib/bin/", StringComparison.Ordinal);

    internal IReadOnlyList<string> AllLeftOut =>
    [
        .. Family switch
        {
            "clip" => ClipVisionTransformer.NotVision,
            "resnet" => Models.ResNet.NotBackbone,
            _ => VisionTransformer.NotBackbone,
        },
        .. LeaveOut,
    ];

    internal VitConfig Vit => VitConfig.Named(Size) with { Patch = Patch, ImageSize = ImageSize, DropPath = DropPath };

    internal ResNetConfig Convolutional => ResNet ?? ResNetConfig.ResNet50;

    internal ClipVisionConfig ClipVision => Clip
        ?? ClipVisionConfig.Named(Size) with { Patch = Patch, ImageSize = ImageSize };

    private string Remedy => Weights is not { } source ? WhatToGet
        : $"kit data fetch {Name} --accept-licence gets it (licence: {source.Licence}); by hand: "
            + $"{string.Join(", or ", source.Files.Select(f => $"{f.Address} as data/weights/{f.Name}"))}.";

    /// <summary>Builds the model in evaluation mode (cpu when null); the caller disposes it. The seed is one of
    /// <see cref="Seeds"/>.</summary>
    /// <exception cref="KitException">The model is absent, or its file has another hash, keys or shapes, or values that
    /// are not finite.</exception>
    public Backbone Create(int seed, Device? device = null)
    {
        if (Missing is { } missing) throw new KitException($"Model '{Name}': {missing}");
        if (Sha256.Length > 0 && WeightLoader.FileHash(WeightsPath) is var hash && hash != Sha256)
            throw new KitException($"{WeightsPath}: expected SHA-256 {Sha256}, found {hash}. {Remedy}".TrimEnd());
        bool isRandom = Source == "random";
        Backbone model = isRandom ? Family switch
        {
            "clip" => ClipVisionTransformer.Random(ClipVision, seed, device),
            "resnet" => Models.ResNet.Random(Convolutional, seed, device),
            _ => VisionTransformer.Random(Vit, seed, device),
        } : Unset(device);
        try
        {
            if (model.ParameterCount != Parameters)
                throw new KitException($"expected {Parameters} parameters, found {model.ParameterCount}; correct "
                    + "'size', 'patch' or 'parameters' in its file.");
            if (!isRandom && !IsOnnx) WeightLoader.LoadStrict(model, WeightsPath, AllLeftOut);
            Centred(model).Origin = $"Model '{Name}'" + (isRandom ? $", seed {seed}" : $" ({WeightsPath})");
            model.eval();
            return model;
        }
        catch (Exception e)
        {
            model.Dispose();
            if (e is KitException) throw new KitException($"Model '{Name}': {e.Message}", e);
            throw;
        }
    }

    // With the mean image that a resnet subtracts.
    private Backbone Centred(Backbone model)
    {
        if (MeanImage is { } mean && model is ResNet network)
            network.MeanImage = (OnnxFile.MeanImage(InKit(mean)), WeightLoader.FileHash(InKit(mean)));
        return model;
    }

    internal Backbone Unset(Device? device) => Family switch
    {
        "clip" => ClipVisionTransformer.Unset(ClipVision, device),
        "resnet" => Models.ResNet.Unset(Convolutional, device),
        "onnx" => new OnnxEncoder(WeightsPath, Transform.Crop, Input, device),
        _ => VisionTransformer.Unset(Vit, device),
    };
}
