using DermKit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// DINO (Caron et al. 2021, arXiv 2104.14294): the student's outputs for all crops are to match those of a teacher, its own moving average,
/// for the global crops. Key names are those of facebookresearch/dino: <c>backbone.*</c> and <c>head.*</c> of student and teacher.
/// </summary>
public sealed class Dino : TeacherStudent
{
    private readonly double[] temperatures;
    private readonly DinoLoss loss;

    /// <inheritdoc/>
    public Dino(PretrainOptions options, Device device) : base(options, device)
    {
        temperatures = Schedules.TeacherTemperature(options.TeacherTemperatureStart, options.TeacherTemperature, options.Epochs, options.TeacherTemperatureWarmup);
        loss = new DinoLoss(options.Outputs, options.StudentTemperature, options.CenterMomentum, device);
    }

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, Tensor> Centers => new Dictionary<string, Tensor> { ["center"] = loss.Center };

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        Seed(step);
        using var scope = NewDisposeScope();
        Tensor features, targets, logits;
        using (no_grad())
        {
            features = TeacherNetwork.Backbone.forward(views.Globals);
            logits = TeacherNetwork.Head.forward(features);
            targets = loss.Targets(logits, temperatures[Math.Min(epoch, temperatures.Length - 1)]);
        }
        Tensor seen = StudentNetwork.Backbone.forward(views.Globals);
        if (views.Locals is not null) seen = cat([seen, StudentNetwork.Backbone.forward(views.Locals)], 0);
        Tensor value = loss.Loss(StudentNetwork.Head.forward(seen), targets);
        loss.UpdateCenter(logits);
        return new(value.MoveToOuterDisposeScope(), features.narrow(0, 0, features.shape[0] / 2).MoveToOuterDisposeScope(), targets.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        loss.Dispose();
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
        head = DinoHead.Random(options.Head, RandomStream.SeedOf(options.Seed, RandomPurpose.HeadWeights), device);
        RegisterComponents();
        Dense.ComputeIn(this, options.Products(device));
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
