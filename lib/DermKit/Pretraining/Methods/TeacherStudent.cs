using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Options of DINO and iBOT: a head with K outputs, a teacher, multi-crop; the papers' defaults.</summary>
public abstract record TeacherStudentOptions : PretrainOptions
{
    /// <summary>Width of the head before its last layer.</summary>
    [Allowed(1)]
    public int Bottleneck { get; init; } = 256;

    /// <summary>Keeps the gain of the head's last layer at 1.</summary>
    public bool NormLastLayer { get; init; } = true;

    /// <summary>First epochs in which the head's last layer is not trained.</summary>
    public int FrozenLastLayerEpochs { get; init; } = 1;

    /// <summary>The student's softmax temperature.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double StudentTemperature { get; init; } = 0.1;

    /// <summary>The teacher's softmax temperature after its warm-up.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double TeacherTemperature { get; init; } = 0.04;

    /// <summary>The teacher's softmax temperature at the start.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double TeacherTemperatureStart { get; init; } = 0.04;

    /// <summary>Epochs over which the teacher's temperature rises.</summary>
    [Allowed(0)]
    public int TeacherTemperatureWarmup { get; init; }

    /// <summary>Share of the old centre that stays at an update; 1 disables centring.</summary>
    [Allowed(0, 1)]
    public double CenterMomentum { get; init; } = 0.9;

    /// <summary>Momentum of the teacher at the start; it rises to 1.</summary>
    [Allowed(0, 1)]
    public double TeacherMomentum { get; init; } = 0.996;

    /// <summary>Side of a local crop in pixels.</summary>
    public int LocalSize { get; init; } = 96;

    /// <summary>Number of local crops.</summary>
    [Allowed(0)]
    public int LocalCrops { get; init; } = 12;

    /// <summary>Smallest share of the image's area in a local crop.</summary>
    [Allowed(0, 1, IsMinExcluded = true)]
    public double LocalScaleMin { get; init; } = 0.05;

    /// <summary>Largest share of the image's area in a local crop.</summary>
    [Allowed(0, 1)]
    public double LocalScaleMax { get; init; } = 0.4;

    // 0 when patch tokens share the outputs of CLS.
    private protected virtual int HeadPatchOutputs => 0;

    /// <summary>Two global crops and the local ones, as facebookresearch/dino cuts and colours them.</summary>
    public override IReadOnlyList<ViewRecipe[]> Recipes()
    {
        RandomResizedCrop large = new(GlobalScaleMin, 1), small = new(LocalScaleMin, LocalScaleMax);
        ViewRecipe[] globals =
        [
            new(large, GlobalSize, Colour(0.4, 0.2, 0.1, blur: 1)),
            new(large, GlobalSize, Colour(0.4, 0.2, 0.1, blur: 0.1, solarize: 0.2)),
        ];
        if (LocalCrops == 0) return [globals];
        ViewRecipe local = new(small, LocalSize, Colour(0.4, 0.2, 0.1, blur: 0.5));
        return [globals, [.. Enumerable.Repeat(local, LocalCrops)]];
    }

    /// <inheritdoc/>
    public override PretrainOptions WithEpochs(int epochs) => ((TeacherStudentOptions)base.WithEpochs(epochs)) with
    {
        FrozenLastLayerEpochs = Math.Min(FrozenLastLayerEpochs, epochs / 10),
    };

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, string Expected)> Faults() => base.Faults()
        .Concat(LocalCrops == 0
            ? Unread("there are no local crops", nameof(LocalSize), nameof(LocalScaleMin), nameof(LocalScaleMax))
            : LocalSize < Patch ? [(nameof(LocalSize), APatch)] : [])
        .Concat(LocalScaleMin > LocalScaleMax ? [(nameof(LocalScaleMin), "above 0, at most localScaleMax")] : [])
        .Concat(TeacherTemperatureWarmup == 0 && TeacherTemperatureStart != TeacherTemperature
            ? Unread(NoStart(nameof(TeacherTemperatureWarmup)), nameof(TeacherTemperatureStart)) : []);

    private protected static string NoStart(string warmup) => $"with a {Spelled(warmup)} of 0 there is no start";

    internal DinoHeadConfig Head() => new()
    {
        Inputs = Vit(isStudent: false).Dim,
        Outputs = Outputs,
        Hidden = HeadHidden,
        Bottleneck = Bottleneck,
        NormLastLayer = NormLastLayer,
        PatchOutputs = HeadPatchOutputs,
    };

    internal double[] TeacherTemperatures() => Schedules.TeacherTemperature(
        TeacherTemperatureStart, TeacherTemperature, Epochs, TeacherTemperatureWarmup);
}

/// <summary>A student and its moving average, the teacher, without gradients. Keys as in facebookresearch/dino and
/// bytedance/ibot: backbone.* and head.* of each.</summary>
internal abstract class TeacherStudent : PretrainMethod
{
    private readonly TeacherStudentOptions options;
    private readonly MovingAverage average;
    private readonly Generator? dropPath;

    // Student and teacher start with the same weights.
    protected TeacherStudent(TeacherStudentOptions options, Device device)
    {
        options.Check();
        this.options = options;
        StudentNetwork = new DinoNetwork(options, isStudent: true, device);
        TeacherNetwork = new DinoNetwork(options, isStudent: false, device);
        CopyToTeacher(StudentNetwork, TeacherNetwork);
        average = new(TeacherNetwork, StudentNetwork);
        if (device.type != DeviceType.META)
            StudentNetwork.Backbone.DropPathGenerator = dropPath = new Generator(0, device);
        StudentNetwork.train();
        TeacherNetwork.train();
    }

    protected DinoNetwork StudentNetwork { get; }

    protected DinoNetwork TeacherNetwork { get; }

    protected abstract IReadOnlyDictionary<string, Tensor> Centers { get; }

    public override nn.Module Student => StudentNetwork;

    public nn.Module Teacher => TeacherNetwork;

    public override Backbone Backbone => TeacherNetwork.Backbone;

    public override double UniformLoss => Math.Log(options.Outputs);

    public override double TeacherMomentum => options.TeacherMomentum;

    public override IReadOnlyList<Tensor> Running =>
        [.. Centers.Values, .. StudentNetwork.buffers(), .. TeacherNetwork.buffers()];

    public override IReadOnlyDictionary<string, Tensor> State
    {
        get
        {
            var state = new Dictionary<string, Tensor>(Centers);
            foreach ((string key, Tensor value) in StudentNetwork.state_dict()) state["student." + key] = value;
            foreach ((string key, Tensor value) in TeacherNetwork.state_dict()) state["teacher." + key] = value;
            return state;
        }
    }

    public override bool IsFrozen(string parameter, int epoch) =>
        epoch < options.FrozenLastLayerEpochs && parameter.Contains("last_layer", Ordinal);

    public override void AfterStep(double momentum) => average.Step(momentum);

    // A seed for each step: a resumed run needs no state of the generator.
    protected void Seed(long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(options.Seed, RandomPurpose.StochasticDepth, step));

    protected override void Dispose(bool disposing)
    {
        average.Dispose();
        StudentNetwork.Dispose();
        TeacherNetwork.Dispose();
        dropPath?.Dispose();
    }
}

// DINO's key names.
internal sealed class DinoNetwork : nn.Module
{
#pragma warning disable CA2213 // A torch module disposes the modules that it registers.
    private readonly VisionTransformer backbone;
    private readonly DinoHead head;
#pragma warning restore CA2213

    public DinoNetwork(TeacherStudentOptions options, bool isStudent, Device device) : base(nameof(DinoNetwork))
    {
        backbone = (VisionTransformer)StartingBackbone.Create(options, isStudent, device);
        long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.HeadWeights);
        head = DinoHead.Random(options.Head(), seed, device);
        RegisterComponents();
        Dense.ComputeIn(this, options.ProductType(device));
    }

    public VisionTransformer Backbone => backbone;

    public DinoHead Head => head;
}
