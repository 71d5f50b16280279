using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>LayerNorm over the last dimension with torch's key names; unlike torch's module it also runs on the meta device.</summary>
public sealed class TokenNorm : nn.Module<Tensor, Tensor>
{
    private readonly double eps;
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;
    [ComponentName(Name = "bias")]
    private readonly Parameter bias;

    /// <summary>Makes the layer with unit weight and zero bias.</summary>
    public TokenNorm(long dim, Device device, double eps = 1e-6) : base(nameof(TokenNorm))
    {
        this.eps = eps;
        weight = new Parameter(ones(dim, ScalarType.Float32, device));
        bias = new Parameter(zeros(dim, ScalarType.Float32, device));
        RegisterComponents();
    }

    /// <summary>[..., dim] to the same shape.</summary>
    public override Tensor forward(Tensor x)
    {
        if (x.device_type != DeviceType.META) return nn.functional.layer_norm(x, weight.shape, weight, bias, eps);
        using var scope = NewDisposeScope();
        Tensor centred = x - x.mean([-1], keepdim: true);
        return (centred * centred.Squared().mean([-1], keepdim: true).Plus(Kept(eps)).rsqrt() * weight).Plus(bias).MoveToOuterDisposeScope();
    }
}
