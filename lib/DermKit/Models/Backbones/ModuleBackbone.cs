namespace DermKit.Models;

/// <summary>Any module with one feature vector for each image, for probing.</summary>
public sealed class ModuleBackbone : Backbone
{
    private readonly nn.Module<Tensor, Tensor> network;

    /// <summary>Wraps a module from normalised images [B, 3, H, W] to [B, <paramref name="width"/>] and disposes it.
    /// Cached features depend on the name, which must identify the architecture, and on the weights.</summary>
    public ModuleBackbone(string name, nn.Module<Tensor, Tensor> network, int width) : base(name)
    {
        this.network = network;
        Dim = width;
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override string Architecture => $"module {Origin} {Dim}";

    /// <inheritdoc/>
    public override int Dim { get; }

    /// <inheritdoc/>
    public override int Layers => 1;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) => 1;

    /// <inheritdoc/>
    public override Tensor forward(Tensor x) => network.forward(x);
}
