using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Everything that decides a pre-training run. The defaults are the paper's for DINO on ViT-T/16; data/pretraining/*.json holds one file for each run.</summary>
public sealed record PretrainOptions
{
    /// <summary>The method: DINO.</summary>
    public string Method { get; init; } = "DINO";

    /// <summary>Data sets to train on, without their frozen test images; none: the real sets that are here and may be trained on, else the synthetic one.</summary>
    public string[] Sets { get; init; } = [];

    /// <summary>Most pictures to train on, the first in a random order of the seed; 0 for all.</summary>
    public int MostImages { get; init; }

    /// <summary>Side in pixels that pictures are squashed to before crops are cut; they are kept as 8-bit planes.</summary>
    public int SourceSize { get; init; } = 256;

    /// <summary>tiny, small, base or large.</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Blocks of the backbone; 0 for what <see cref="Size"/> says.</summary>
    public int Depth { get; init; }

    /// <summary>Width of a token; 0 for what <see cref="Size"/> says.</summary>
    public int Dim { get; init; }

    /// <summary>Attention heads; 0 for what <see cref="Size"/> says.</summary>
    public int Heads { get; init; }

    /// <summary>Side in pixels that the position embedding is made for.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of a patch in pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>Matrix products: fp32, or bf16 with weights, norms, softmax of the loss, moments and teacher in fp32.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>Rate of stochastic depth in the student's last block.</summary>
    public double DropPath { get; init; } = 0.1;

    /// <summary>Outputs of the head, K.</summary>
    public int Outputs { get; init; } = 4096;

    /// <summary>Width of the head's hidden layers.</summary>
    public int HeadHidden { get; init; } = 2048;

    /// <summary>Width of the head before its last layer.</summary>
    public int Bottleneck { get; init; } = 256;

    /// <summary>Keeps the gain of the head's last layer at 1.</summary>
    public bool NormLastLayer { get; init; } = true;

    /// <summary>Temperature of the student's softmax.</summary>
    public double StudentTemperature { get; init; } = 0.1;

    /// <summary>Temperature of the teacher's softmax after its warm-up.</summary>
    public double TeacherTemperature { get; init; } = 0.04;

    /// <summary>Temperature of the teacher's softmax at the start.</summary>
    public double TeacherTemperatureStart { get; init; } = 0.04;

    /// <summary>Epochs over which the teacher's temperature rises.</summary>
    public int TeacherTemperatureWarmup { get; init; }

    /// <summary>Share of the old centre that stays at an update; 1 switches centring off.</summary>
    public double CenterMomentum { get; init; } = 0.9;

    /// <summary>First epochs in which the head's last layer is left as it is.</summary>
    public int FrozenLastLayerEpochs { get; init; } = 1;

    /// <summary>Side of a global crop in pixels; there are two.</summary>
    public int GlobalSize { get; init; } = 224;

    /// <summary>Smallest share of the picture's area in a global crop.</summary>
    public double GlobalScaleMin { get; init; } = 0.7;

    /// <summary>Side of a local crop in pixels.</summary>
    public int LocalSize { get; init; } = 96;

    /// <summary>Number of local crops.</summary>
    public int LocalCrops { get; init; } = 12;

    /// <summary>Smallest share of the picture's area in a local crop.</summary>
    public double LocalScaleMin { get; init; } = 0.05;

    /// <summary>Largest share of the picture's area in a local crop.</summary>
    public double LocalScaleMax { get; init; } = 0.4;

    /// <summary>Largest standard deviation of the blur in pixels of the crop; the smallest is a twentieth of it.</summary>
    public double BlurMax { get; init; } = 2;

    /// <summary>
    /// Strength of what is done to colour, 1 as in the paper: multiplies the spreads of the jitter and the chances of grey and of
    /// solarisation. Colour is part of a diagnosis, and few pictures are soon learnt by it.
    /// </summary>
    public double ColorStrength { get; init; } = 1;

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Pictures of a step.</summary>
    public int Batch { get; init; } = 224;

    /// <summary>Learning rate for 256 pictures a step; the peak is this times <see cref="Batch"/> / 256.</summary>
    public double BaseLearningRate { get; init; } = 5e-4;

    /// <summary>Learning rate that the cosine tends to.</summary>
    public double MinLearningRate { get; init; } = 1e-6;

    /// <summary>Epochs of linear warm-up, parts of one too.</summary>
    public double WarmupEpochs { get; init; } = 10;

    /// <summary>Weight decay at the start.</summary>
    public double WeightDecay { get; init; } = 0.04;

    /// <summary>Weight decay that the cosine tends to.</summary>
    public double WeightDecayEnd { get; init; } = 0.4;

    /// <summary>Momentum of the teacher at the start; it tends to 1.</summary>
    public double TeacherMomentum { get; init; } = 0.996;

    /// <summary>Largest norm of one parameter's gradient; 0 for no limit.</summary>
    public double ClipGradient { get; init; } = 3.0;

    /// <summary>Seed of weights, order, crops, colours and stochastic depth.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Steps between two checkpoints; 0 for one at the end of each epoch.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>Steps between two looks of the collapse monitor.</summary>
    public int MonitorEvery { get; init; } = 10;

    /// <summary>Reads a file of data/pretraining.</summary>
    /// <exception cref="KitException">An unknown key (the nearest is named), or a value out of its range.</exception>
    public static PretrainOptions Read(string path)
    {
        PretrainOptions options = StrictJson.Read<PretrainOptions>(path);
        options.Check(path);
        return options;
    }

    /// <summary>A file as it is named, or of data/pretraining by its name alone, such as dino-quick.</summary>
    /// <exception cref="KitException">There is none (the nearest is named), or as <see cref="Read"/>.</exception>
    public static PretrainOptions Named(KitSettings settings, string name) => Read(Find(settings, name));

    /// <summary>The path behind <see cref="Named"/>.</summary>
    /// <exception cref="KitException">There is no such file; the nearest is named.</exception>
    public static string Find(KitSettings settings, string name)
    {
        if (File.Exists(name)) return name;
        string folder = Path.Combine(settings.Root, "data", "pretraining"), path = Path.Combine(folder, name + ".json");
        if (File.Exists(path)) return path;
        string[] known = [.. Directory.GetFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];
        throw new KitException($"No file '{name}' and none of that name in data/pretraining; did you mean '{KitException.Nearest(name, known)}'? Known: {string.Join(", ", known)}.");
    }

    /// <summary>The backbone's sizes; <paramref name="student"/> adds stochastic depth.</summary>
    public VitConfig Backbone(bool student)
    {
        VitConfig named = VitConfig.Named(Size);
        return named with
        {
            Patch = Patch, ImageSize = ImageSize, Depth = Depth > 0 ? Depth : named.Depth, Dim = Dim > 0 ? Dim : named.Dim,
            Heads = Heads > 0 ? Heads : named.Heads, DropPath = student ? DropPath : 0,
        };
    }

    /// <summary>The head's sizes.</summary>
    public DinoHeadConfig Head => new()
    {
        Inputs = Backbone(student: false).Dim, Outputs = Outputs, Hidden = HeadHidden, Bottleneck = Bottleneck, NormLastLayer = NormLastLayer,
    };

    /// <summary>Refuses values that cannot be trained with.</summary>
    /// <exception cref="KitException">A value is out of its range; <paramref name="where"/> and the key are named.</exception>
    public void Check(string where = "Pre-training options")
    {
        void Expect(bool condition, string key, object value, string expected)
        {
            if (!condition) throw new KitException(FormattableString.Invariant($"{where}, key '{key}': expected {expected}, found {value}."));
        }
        Expect(Method == "DINO", "method", Method, "DINO");
        Expect(Precision is "fp32" or "bf16", "precision", Precision, "fp32 or bf16");
        Expect(Epochs >= 1, "epochs", Epochs, "1 or more");
        Expect(Batch >= 1, "batch", Batch, "1 or more");
        Expect(MostImages >= 0, "mostImages", MostImages, "0 (all) or more");
        Expect(Patch >= 1, "patch", Patch, "1 or more");
        Expect(SourceSize >= 16, "sourceSize", SourceSize, "16 or more pixels");
        Expect(GlobalSize >= Patch, "globalSize", GlobalSize, $"at least a patch of {Patch} pixels");
        Expect(LocalSize >= Patch, "localSize", LocalSize, $"at least a patch of {Patch} pixels");
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
        Expect(CenterMomentum is >= 0 and <= 1, "centerMomentum", CenterMomentum, "0 to 1");
        Expect(TeacherMomentum is >= 0 and <= 1, "teacherMomentum", TeacherMomentum, "0 to 1");
        Expect(DropPath is >= 0 and < 1, "dropPath", DropPath, "0 to below 1");
        Expect(WarmupEpochs >= 0 && WarmupEpochs <= Epochs, "warmupEpochs", WarmupEpochs, $"0 to {Epochs}");
        Expect(BaseLearningRate > 0, "baseLearningRate", BaseLearningRate, "above 0");
        Expect(MonitorEvery >= 1, "monitorEvery", MonitorEvery, "1 or more");
        Expect(CheckpointEvery >= 0, "checkpointEvery", CheckpointEvery, "0 (each epoch) or more");
    }
}
