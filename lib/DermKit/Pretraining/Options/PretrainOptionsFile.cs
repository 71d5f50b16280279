using DermKit.Imaging;
using DermKit.Models;
using System.Text.Json;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

public sealed partial record PretrainOptions
{
    /// <summary>The methods, as their authors spell them.</summary>
    public static IReadOnlyList<string> Methods { get; } = ["DINO", "iBOT", "SimCLR", "BYOL"];

    /// <summary>
    /// The paper's settings of a method, as far as they were found. The batch of DINO and iBOT is that of its four devices together, that of SimCLR and
    /// BYOL one device's: their files for full mode take four times as much.
    /// </summary>
    /// <exception cref="KitException">The method is unknown; the nearest is named.</exception>
    public static PretrainOptions For(string method) => method switch
    {
        "DINO" => new(),
        "iBOT" => new() { Method = method, BaseLearningRate = 5e-3, MinLearningRate = 5e-4 },
        "SimCLR" => Pairs with { Method = method, Optimizer = "Adam", BaseLearningRate = 1e-3, WeightDecay = 1e-6, WeightDecayEnd = 1e-6, HeadHidden = 2048, Outputs = 128 },
        "BYOL" => Pairs with { Method = method, Optimizer = "LARS", BaseLearningRate = 0.03, WeightDecay = 1.5e-6, WeightDecayEnd = 1.5e-6, HeadHidden = 4096, Outputs = 256 },
        _ => throw new KitException($"Method '{method}' is unknown; expected {string.Join(", ", Methods)} (nearest: '{KitException.Nearest(method, Methods)}')."),
    };

    /// <summary>What SimCLR and BYOL share: two large views for ResNet-50.</summary>
    private static PretrainOptions Pairs => new() { Network = "ResNet-50", GlobalScaleMin = 0.08, LocalCrops = 0, Batch = 90, DropPath = 0, FrozenLastLayerEpochs = 0, MinLearningRate = 0 };

    /// <summary>Keys that only some methods read.</summary>
    private static readonly (string[] Methods, string[] Keys)[] Particular =
    [
        (["iBOT"], [nameof(SharedHead), nameof(PatchOutputs), nameof(PatchTemperature), nameof(PatchTemperatureStart), nameof(PatchTemperatureWarmup), nameof(ClsWeight), nameof(PatchWeight), nameof(MaskRatio), nameof(MaskVariance), nameof(MaskChance), nameof(MaskAspect), nameof(MaskStartEpoch)]),
        (["SimCLR"], [nameof(Temperature)]),
        (["DINO", "iBOT"], [nameof(Bottleneck), nameof(NormLastLayer), nameof(StudentTemperature), nameof(TeacherTemperature), nameof(TeacherTemperatureStart), nameof(TeacherTemperatureWarmup), nameof(CenterMomentum), nameof(FrozenLastLayerEpochs), nameof(LocalSize), nameof(LocalCrops), nameof(LocalScaleMin), nameof(LocalScaleMax)]),
        (["DINO", "iBOT", "BYOL"], [nameof(TeacherMomentum)]),
    ];

    /// <summary>Keys that a ViT reads and ResNet-50 does not.</summary>
    private static readonly string[] VitKeys = [nameof(Size), nameof(Depth), nameof(Dim), nameof(Heads), nameof(Patch), nameof(ImageSize), nameof(DropPath)];

    /// <summary>Reads a file of data/pretraining.</summary>
    /// <param name="path">The file.</param>
    /// <param name="changes">Keys and values that are taken before the file's.</param>
    /// <exception cref="KitException">An unknown key (the nearest is named) or one of another method, or a value out of its range.</exception>
    public static PretrainOptions Read(string path, IReadOnlyDictionary<string, string>? changes = null)
    {
        PretrainOptions options = StrictJson.Read(path, changes ?? new Dictionary<string, string>(), keys => For(keys["method"]?.ToString() ?? "DINO"));
        options.Check(path);
        return options;
    }

    /// <summary>A file as it is named, or of data/pretraining by its name alone, such as dino-quick.</summary>
    /// <exception cref="KitException">There is none (the nearest is named), or as <see cref="Read"/>.</exception>
    public static PretrainOptions Named(KitSettings settings, string name, IReadOnlyDictionary<string, string>? changes = null) => Read(Find(settings, name), changes);

    /// <summary>The path behind <see cref="Named"/>.</summary>
    /// <exception cref="KitException">There is no such file; the nearest is named.</exception>
    public static string Find(KitSettings settings, string name)
    {
        if (File.Exists(name)) return name;
        string folder = Path.Combine(settings.Root, "data", "pretraining"), path = Path.Combine(folder, name + ".json");
        if (File.Exists(path)) return path;
        string[] known = [.. Directory.GetFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];
        throw new KitException($"No file '{name}' and none of that name in data/pretraining; did you mean '{KitException.Nearest(name, known)}'? Known: {Names.Listed(known)}.");
    }

    /// <summary>These options with a precision of auto replaced by what it means on a device.</summary>
    public PretrainOptions On(Device device) => Precision != "auto" ? this
        : this with { Precision = device.type == DeviceType.CPU && Processor.MultipliesBFloat16 ? "bf16" : "fp32" };

    /// <summary>Type of matrix products on a device; null for that of the weights.</summary>
    internal ScalarType? Products(Device device) => On(device).Precision == "bf16" ? ScalarType.BFloat16 : null;

    /// <summary>The backbone's sizes; <paramref name="student"/> adds stochastic depth.</summary>
    public VitConfig Vit(bool student)
    {
        VitConfig named = VitConfig.Named(Size);
        return named with
        {
            Patch = Patch, ImageSize = ImageSize, Depth = Depth > 0 ? Depth : named.Depth, Dim = Dim > 0 ? Dim : named.Dim,
            Heads = Heads > 0 ? Heads : named.Heads, DropPath = student ? DropPath : 0,
        };
    }

    /// <summary>The head's sizes; no key, because they follow from others.</summary>
    [JsonIgnore]
    public DinoHeadConfig Head => new()
    {
        Inputs = Vit(student: false).Dim, Outputs = Outputs, Hidden = HeadHidden, Bottleneck = Bottleneck, NormLastLayer = NormLastLayer,
        PatchOutputs = Method == "iBOT" && !SharedHead ? PatchOutputs : 0,
    };

    /// <summary>Refuses values that cannot be trained with.</summary>
    /// <exception cref="KitException">A value is out of its range; <paramref name="where"/> and the key are named.</exception>
    public void Check(string where = "Pre-training options")
    {
        void Expect(bool condition, string key, object value, string expected)
        {
            if (!condition) throw new KitException(FormattableString.Invariant($"{where}, key '{key}': expected {expected}, found {value}."));
        }
        Expect(Methods.Contains(Method), "method", Method, string.Join(", ", Methods));
        Expect(Size is "tiny" or "small" or "base" or "large", "size", Size, "tiny, small, base or large");
        JsonElement own = JsonSerializer.SerializeToElement(this), defaults = JsonSerializer.SerializeToElement(For(Method));
        void Unread(IEnumerable<string> keys, string why)
        {
            foreach (string key in keys) Expect(own.GetProperty(key).GetRawText() == defaults.GetProperty(key).GetRawText(), JsonNamingPolicy.CamelCase.ConvertName(key), own.GetProperty(key), $"no such key, because {why}");
        }
        foreach ((string[] methods, string[] keys) in Particular.Where(p => !p.Methods.Contains(Method)))
            Unread(keys, $"{Method} does not read it (only {string.Join(", ", methods)})");
        if (Network == "ResNet-50") Unread(VitKeys, "ResNet-50 does not read it (only ViT)");
        if (SharedHead) Unread([nameof(PatchOutputs)], "with sharedHead the patches have the outputs of CLS");
        if (TeacherTemperatureWarmup == 0 && Method is "DINO" or "iBOT") Expect(TeacherTemperatureStart == TeacherTemperature || TeacherTemperatureStart == For(Method).TeacherTemperatureStart, "teacherTemperatureStart", TeacherTemperatureStart, "no such key, because with a teacherTemperatureWarmup of 0 there is no start");
        if (PatchTemperatureWarmup == 0 && Method == "iBOT") Expect(PatchTemperatureStart == PatchTemperature || PatchTemperatureStart == For(Method).PatchTemperatureStart, "patchTemperatureStart", PatchTemperatureStart, "no such key, because with a patchTemperatureWarmup of 0 there is no start");
        if (LocalCrops == 0) Unread([nameof(LocalSize), nameof(LocalScaleMin), nameof(LocalScaleMax)], "there are no local crops");
        Expect(Network is "ViT" or "ResNet-50", "network", Network, "ViT or ResNet-50");
        Expect(Network == "ViT" || Method is "SimCLR" or "BYOL", "network", Network, $"ViT for {Method}");
        Expect(Optimizer is "AdamW" or "Adam" or "LARS", "optimizer", Optimizer, "AdamW, Adam or LARS");
        Expect(Precision is "auto" or "fp32" or "bf16", "precision", Precision, "auto, fp32 or bf16");
        Expect(Epochs >= 1, "epochs", Epochs, "1 or more");
        Expect(Batch >= 1, "batch", Batch, "1 or more");
        Expect(Batch >= 2 || Method is "DINO" or "iBOT", "batch", Batch, $"2 or more for {Method}, because batch normalisation of one image is undefined");
        Expect(MostImages >= 0, "mostImages", MostImages, "0 (all) or more");
        Expect(Patch >= 1, "patch", Patch, "1 or more");
        Expect(ImageSize >= Patch, "imageSize", ImageSize, $"at least a patch of {Patch} pixels");
        Expect(Depth >= 0, "depth", Depth, "0 (that of the size) or more");
        Expect(Dim >= 0, "dim", Dim, "0 (that of the size) or more");
        Expect(Heads >= 0, "heads", Heads, "0 (that of the size) or more");
        VitConfig vit = Vit(student: false);
        Expect(vit.Dim % vit.Heads == 0, "heads", vit.Heads, $"a divisor of the width {vit.Dim}");
        Expect(HeadHidden >= 1, "headHidden", HeadHidden, "1 or more");
        Expect(Bottleneck >= 1, "bottleneck", Bottleneck, "1 or more");
        Expect(CropSource is "cached" or "original", "cropSource", CropSource, "cached or original");
        Expect(CropSource == "cached" || (GlobalSize % CropPass.Lanes == 0 && (LocalCrops == 0 || LocalSize % CropPass.Lanes == 0)), "cropSource", CropSource, $"cached, because views from original files are multiples of {CropPass.Lanes} pixels and here {GlobalSize} and {LocalSize}");
        Expect(SourceSize >= 16, "sourceSize", SourceSize, "16 or more pixels");
        Expect(GlobalSize >= Patch, "globalSize", GlobalSize, $"at least a patch of {Patch} pixels");
        Expect(LocalCrops == 0 || LocalSize >= Patch, "localSize", LocalSize, $"at least a patch of {Patch} pixels");
        Expect(LocalCrops >= 0, "localCrops", LocalCrops, "0 or more");
        Expect(GlobalScaleMin is > 0 and <= 1, "globalScaleMin", GlobalScaleMin, "above 0, at most 1");
        Expect(LocalScaleMin > 0 && LocalScaleMin <= LocalScaleMax, "localScaleMin", LocalScaleMin, "above 0, at most localScaleMax");
        Expect(LocalScaleMax <= 1, "localScaleMax", LocalScaleMax, "at most 1");
        Expect(ColorStrength is >= 0 and <= 2, "colorStrength", ColorStrength, "0 to 2");
        Expect(BlurMax > 0, "blurMax", BlurMax, "above 0");
        Expect(Outputs >= 2, "outputs", Outputs, "2 or more");
        Expect(StudentTemperature > 0, "studentTemperature", StudentTemperature, "above 0");
        Expect(TeacherTemperature > 0, "teacherTemperature", TeacherTemperature, "above 0");
        Expect(TeacherTemperatureStart > 0, "teacherTemperatureStart", TeacherTemperatureStart, "above 0");
        Expect(TeacherTemperatureWarmup >= 0, "teacherTemperatureWarmup", TeacherTemperatureWarmup, "0 or more");
        Expect(PatchOutputs >= 2, "patchOutputs", PatchOutputs, "2 or more");
        Expect(PatchTemperature > 0, "patchTemperature", PatchTemperature, "above 0");
        Expect(PatchTemperatureStart > 0, "patchTemperatureStart", PatchTemperatureStart, "above 0");
        Expect(PatchTemperatureWarmup >= 0, "patchTemperatureWarmup", PatchTemperatureWarmup, "0 or more");
        Expect(ClsWeight >= 0, "clsWeight", ClsWeight, "0 or more");
        Expect(PatchWeight >= 0, "patchWeight", PatchWeight, "0 or more");
        Expect(MaskRatio is >= 0 and <= 1, "maskRatio", MaskRatio, "0 to 1");
        Expect(MaskVariance >= 0 && MaskVariance <= MaskRatio, "maskVariance", MaskVariance, "0 to maskRatio");
        Expect(MaskChance is >= 0 and <= 1, "maskChance", MaskChance, "0 to 1");
        Expect(MaskAspect is > 0 and <= 1, "maskAspect", MaskAspect, "above 0, at most 1");
        Expect(MaskStartEpoch >= 0, "maskStartEpoch", MaskStartEpoch, "0 or more");
        Expect(Temperature > 0, "temperature", Temperature, "above 0");
        Expect(CenterMomentum is >= 0 and <= 1, "centerMomentum", CenterMomentum, "0 to 1");
        Expect(TeacherMomentum is >= 0 and <= 1, "teacherMomentum", TeacherMomentum, "0 to 1");
        Expect(DropPath is >= 0 and < 1, "dropPath", DropPath, "0 to below 1");
        Expect(WarmupEpochs >= 0 && WarmupEpochs <= Epochs, "warmupEpochs", WarmupEpochs, $"0 to {Epochs}");
        Expect(BaseLearningRate > 0, "baseLearningRate", BaseLearningRate, "above 0");
        Expect(MinLearningRate >= 0, "minLearningRate", MinLearningRate, "0 or more");
        Expect(WeightDecay >= 0, "weightDecay", WeightDecay, "0 or more");
        Expect(WeightDecayEnd >= 0, "weightDecayEnd", WeightDecayEnd, "0 or more");
        Expect(ClipGradient >= 0, "clipGradient", ClipGradient, "0 (no limit) or more");
        Expect(MonitorEvery >= 1, "monitorEvery", MonitorEvery, "1 or more");
        Expect(KeepLast >= 0, "keepLast", KeepLast, "0 or more");
        Expect(KeepEvery >= 0, "keepEvery", KeepEvery, "0 or more");
        Expect(CheckpointEvery >= 0, "checkpointEvery", CheckpointEvery, "0 (each epoch) or more");
    }
}
