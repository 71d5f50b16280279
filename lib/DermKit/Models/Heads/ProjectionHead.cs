using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// The perceptron behind a backbone that SimCLR and BYOL train, in the form and with the keys of lightly-ai/lightly (<c>layers.N.*</c>):
/// linear layers with batch normalisation and ReLU between them.
/// </summary>
public sealed class ProjectionHead : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "layers")]
    private readonly Sequential layers;

    private ProjectionHead(string name, List<nn.Module<Tensor, Tensor>> parts, long seed) : base(name)
    {
        layers = nn.Sequential(parts.Select((part, i) => ($"{i}", part)).ToArray());
        RegisterComponents();
        this.OutliveScopes();
        // A linear layer's default in torch: uniform within 1 / sqrt(inputs), for its bias too.
        double bound = 0;
        InitialValues.Draw(this, seed, (key, p, generator) =>
        {
            if (p.dim() == 2) bound = 1 / Math.Sqrt(p.shape[1]);
            bool isLinear = layers[int.Parse(key.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture)] is Dense;
            return isLinear ? rand(p.shape, generator: generator).mul_(Kept(2 * bound)).sub_(Kept(bound)) : null;
        });
    }

    /// <summary>
    /// SimCLR's head (Chen et al. 2020, arXiv 2002.05709; three layers as in v2, arXiv 2006.10029): linear layers without bias, each normalised,
    /// the last one too; or with biases and without normalisation.
    /// </summary>
    /// <param name="inputs">Width of the feature.</param>
    /// <param name="hidden">Width of the hidden layers.</param>
    /// <param name="outputs">Width of the projection.</param>
    /// <param name="seed">The same seed gives the same weights on every device.</param>
    /// <param name="device">Where it shall lie; cpu when null.</param>
    /// <param name="layers">Linear layers, 2 or more.</param>
    /// <param name="batchNorm">Batch normalisation.</param>
    /// <exception cref="KitException">Fewer than two layers.</exception>
    public static ProjectionHead SimClr(int inputs, int hidden, int outputs, long seed, Device? device = null, int layers = 2, bool batchNorm = true)
    {
        if (layers < 2) throw new KitException($"SimCLR head: layers is {layers}; expected 2 or more.");
        var parts = new List<nn.Module<Tensor, Tensor>>();
        for (int i = 0; i < layers; i++)
        {
            int width = i == layers - 1 ? outputs : hidden;
            parts.Add(new Dense(i == 0 ? inputs : hidden, width, hasBias: !batchNorm, device ?? CPU));
            if (batchNorm) parts.Add(new BatchNorm(width, device ?? CPU));
            if (i < layers - 1) parts.Add(Relu());
        }
        return new("SimClrHead", parts, seed);
    }

    /// <summary>BYOL's head, projection or prediction (Grill et al. 2020, arXiv 2006.07733): linear without bias, normalised, ReLU, linear with bias.</summary>
    /// <param name="inputs">Width of what it takes.</param>
    /// <param name="hidden">Width of the hidden layer.</param>
    /// <param name="outputs">Width of the projection.</param>
    /// <param name="seed">The same seed gives the same weights on every device.</param>
    /// <param name="device">Where it shall lie; cpu when null.</param>
    public static ProjectionHead Byol(int inputs, int hidden, int outputs, long seed, Device? device = null) =>
        new("ByolHead", [new Dense(inputs, hidden, hasBias: false, device ?? CPU), new BatchNorm(hidden, device ?? CPU), Relu(), new Dense(hidden, outputs, hasBias: true, device ?? CPU)], seed);

    /// <summary>[B, inputs] to [B, outputs], float32.</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return layers.forward(x).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>In place: the other form has no meta kernel in libtorch.</summary>
    private static ReLU Relu() => nn.ReLU(inplace: true);
}
