using DermKit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// DINO (Caron et al. 2021, arXiv 2104.14294): the student's outputs for all crops are to match those of a teacher, its own moving average,
/// for the global crops. Key names are those of facebookresearch/dino: <c>backbone.*</c> and <c>head.*</c> of student and teacher.
/// </summary>
public sealed class Dino : PretrainMethod
{
    private readonly PretrainOptions options;
    private readonly double[] temperatures;
    private readonly DinoNetwork student, teacher;
    private readonly MovingAverage average;
    private readonly DinoLoss loss;
    private readonly Generator? dropPath;

    /// <summary>Student and teacher with the same weights, from the seed of the options, the backbone's from their file where they name one.</summary>
    /// <exception cref="KitException">An option is out of its range, or the initial weights do not fit.</exception>
    public Dino(PretrainOptions options, Device device)
    {
        options.Check();
        this.options = options;
        temperatures = Schedules.TeacherTemperature(options.TeacherTemperatureStart, options.TeacherTemperature, options.Epochs, options.TeacherTemperatureWarmup);
        student = new DinoNetwork(options, isStudent: true, device);
        teacher = DinoNetwork.TeacherOf(student, options, device);
        average = new(teacher, student);
        if (device.type != DeviceType.META)
            student.Backbone.DropPathGenerator = dropPath = new Generator(0, device);
        student.train();
        teacher.train();
        loss = new DinoLoss(options.Outputs, options.StudentTemperature, options.CenterMomentum, device);
    }

    /// <inheritdoc/>
    public override nn.Module Student => student;

    /// <summary>The teacher, which no gradient reaches.</summary>
    public nn.Module Teacher => teacher;

    /// <inheritdoc/>
    public override Backbone Backbone => teacher.Backbone;

    /// <inheritdoc/>
    public override int Outputs => options.Outputs;

    /// <summary>The running mean of the teacher's logits, [1, K].</summary>
    public Tensor Center => loss.Center;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [loss.Center, .. student.buffers(), .. teacher.buffers()];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, Tensor> State
    {
        get
        {
            var state = new Dictionary<string, Tensor> { ["center"] = loss.Center };
            foreach ((string key, Tensor value) in student.state_dict()) state["student." + key] = value;
            foreach ((string key, Tensor value) in teacher.state_dict()) state["teacher." + key] = value;
            return state;
        }
    }

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        // Seeded anew at every step, so that a resumed run needs no state of the generator.
        dropPath?.manual_seed(options.Seed * 1_000_003L + step);
        using var scope = NewDisposeScope();
        Tensor features, targets, logits;
        using (no_grad())
        {
            features = teacher.Backbone.forward(views.Globals);
            logits = teacher.Head.forward(features);
            targets = loss.Targets(logits, temperatures[Math.Min(epoch, temperatures.Length - 1)]);
        }
        Tensor seen = student.Backbone.forward(views.Globals);
        if (views.Locals is not null) seen = cat([seen, student.Backbone.forward(views.Locals)], 0);
        Tensor value = loss.Loss(student.Head.forward(seen), targets);
        loss.UpdateCenter(logits);
        return new(value.MoveToOuterDisposeScope(), features.narrow(0, 0, features.shape[0] / 2).MoveToOuterDisposeScope(), targets.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public override bool IsFrozen(string parameter, int epoch) => epoch < options.FrozenLastLayerEpochs && parameter.Contains("last_layer", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override void AfterStep(double momentum) => average.Step(momentum);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        average.Dispose();
        student.Dispose();
        teacher.Dispose();
        loss.Dispose();
        dropPath?.Dispose();
    }
}

/// <summary>Backbone and head under DINO's key names.</summary>
internal sealed class DinoNetwork : nn.Module
{
    private readonly VisionTransformer backbone;
    private readonly DinoHead head;

    public DinoNetwork(PretrainOptions options, bool isStudent, Device device) : base(nameof(DinoNetwork))
    {
        backbone = (VisionTransformer)StartingBackbone.Make(options, isStudent, device);
        head = DinoHead.Random(options.Head, options.Seed + 1L, device);
        RegisterComponents();
        Dense.ComputeIn(this, options.Precision == "bf16" ? ScalarType.BFloat16 : null);
    }

    /// <summary>The same weights, out of reach for gradients.</summary>
    public static DinoNetwork TeacherOf(DinoNetwork student, PretrainOptions options, Device device)
    {
        var teacher = new DinoNetwork(options, isStudent: false, device);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> source = student.state_dict();
        foreach ((string key, Tensor value) in teacher.state_dict()) value.copy_(source[key]).requires_grad_(false);
        return teacher;
    }

    public VisionTransformer Backbone => backbone;

    public DinoHead Head => head;
}
