using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// SimCLR (Chen et al. 2020, arXiv 2002.05709): two views of an image are to be more alike than those of any other two images of the batch,
/// after a projection that is thrown away. Key names are those of lightly-ai/lightly's example: <c>backbone.*</c> and <c>projection_head.*</c>.
/// </summary>
public sealed class SimClr : PretrainMethod
{
    private readonly PretrainOptions options;
    private readonly PairNetwork network;

    /// <summary>The network that the options name, with weights from their seed or file.</summary>
    /// <exception cref="KitException">An option is out of its range, or the initial weights do not fit.</exception>
    public SimClr(PretrainOptions options, Device device) : this(options, isStudent => StartingBackbone.Make(options, isStudent, device), device) { }

    /// <summary>With a backbone that no option names.</summary>
    internal SimClr(PretrainOptions options, Func<bool, Backbone> backbone, Device device)
    {
        options.Check();
        this.options = options;
        Backbone made = backbone(true);
        long seed = RandomStream.SeedOf(options.Seed, RandomPurpose.HeadWeights);
        var head = ProjectionHead.SimClr(made.Dim, options.HeadHidden, options.Outputs, seed, device);
        network = new(options, made, head, null, device);
    }

    /// <inheritdoc/>
    public override nn.Module Student => network;

    /// <inheritdoc/>
    public override Backbone Backbone => network.Backbone;

    /// <summary>The views that each view is compared with: the loss is ln of them when all look alike.</summary>
    public override int Outputs => 2 * options.Batch - 1;

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Running => [.. network.buffers()];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, Tensor> State => network.state_dict();

    /// <inheritdoc/>
    public override MethodOutput Forward(Views views, long step, int epoch)
    {
        network.Seed(step);
        using var scope = NewDisposeScope();
        (Tensor features, Tensor first) = network.See(views, 0);
        (_, Tensor second) = network.See(views, 1);
        return new(NtXent.Loss(first, second, options.Temperature).MoveToOuterDisposeScope(), features.detach().MoveToOuterDisposeScope(), null);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => network.Dispose();
}
