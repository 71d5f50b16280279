using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// What DINO and iBOT share: a student, and a teacher that is its moving average and that no gradient reaches. Key names are those of
/// facebookresearch/dino: <c>backbone.*</c> and <c>head.*</c> of each; bytedance/ibot's are the same, and a shared last layer is kept once.
/// </summary>
public abstract class TeacherStudent : PretrainMethod
{
    private readonly MovingAverage average;
    private readonly Generator? dropPath;

    /// <summary>Student and teacher with the same weights, from the seed of the options, the backbone's from their file where they name one.</summary>
    /// <exception cref="KitException">An option is out of its range, or the initial weights do not fit.</exception>
    protected TeacherStudent(PretrainOptions options, Device device)
    {
        options.Check();
        Options = options;
        StudentNetwork = new DinoNetwork(options, isStudent: true, device);
        TeacherNetwork = DinoNetwork.TeacherOf(StudentNetwork, options, device);
        average = new(TeacherNetwork, StudentNetwork);
        if (device.type != DeviceType.META) StudentNetwork.Backbone.DropPathGenerator = dropPath = new Generator(0, device);
        StudentNetwork.train();
        TeacherNetwork.train();
    }

    /// <summary>The run.</summary>
    protected PretrainOptions Options { get; }

    internal DinoNetwork StudentNetwork { get; }

    internal DinoNetwork TeacherNetwork { get; }

    /// <summary>The centres of the teacher's logits, by the keys of a checkpoint.</summary>
    protected abstract IReadOnlyDictionary<string, Tensor> Centers { get; }

    /// <inheritdoc/>
    public override nn.Module Student => StudentNetwork;

    /// <summary>The teacher.</summary>
    public nn.Module Teacher => TeacherNetwork;

    /// <inheritdoc/>
    public override Backbone Backbone => TeacherNetwork.Backbone;

    /// <inheritdoc/>
    public override int Outputs => Options.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [.. Centers.Values, .. StudentNetwork.buffers(), .. TeacherNetwork.buffers()];

    /// <inheritdoc/>
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

    /// <inheritdoc/>
    public override bool IsFrozen(string parameter, int epoch) => epoch < Options.FrozenLastLayerEpochs && parameter.Contains("last_layer", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override void AfterStep(double momentum) => average.Step(momentum);

    /// <summary>Seeds stochastic depth anew for a step, so that a resumed run needs no state of the generator.</summary>
    protected void Seed(long step) =>
        dropPath?.manual_seed(RandomStream.SeedOf(Options.Seed, RandomPurpose.StochasticDepth, step));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        average.Dispose();
        StudentNetwork.Dispose();
        TeacherNetwork.Dispose();
        dropPath?.Dispose();
    }
}
