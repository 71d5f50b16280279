using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// Batch normalisation over all dimensions but the second (Ioffe and Szegedy 2015, arXiv 1502.03167) with torch's key names, momentum 0.1 and
/// eps 1e-5; unlike torch's modules one class takes [B, C] and [B, C, H, W] and also runs on the meta device.
/// </summary>
public sealed class BatchNorm : nn.Module<Tensor, Tensor>
{
    private const double Momentum = 0.1, Epsilon = 1e-5;
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;
    [ComponentName(Name = "bias")]
    private readonly Parameter bias;
    [ComponentName(Name = "running_mean")]
    private readonly Tensor mean;
    [ComponentName(Name = "running_var")]
    private readonly Tensor variance;
    [ComponentName(Name = "num_batches_tracked")]
    private readonly Tensor seen;

    /// <summary>Makes the layer with unit weight, zero bias, running mean 0 and variance 1.</summary>
    public BatchNorm(long channels, Device device) : base(nameof(BatchNorm))
    {
        weight = new Parameter(ones(channels, ScalarType.Float32, device));
        bias = new Parameter(zeros(channels, ScalarType.Float32, device));
        mean = zeros(channels, ScalarType.Float32, device);
        variance = ones(channels, ScalarType.Float32, device);
        seen = zeros([], ScalarType.Int64, device);
        RegisterComponents();
    }

    /// <summary>[B, C] or [B, C, H, W] to the same shape and type; statistics are those of the batch in training mode, in float32 whatever the type.</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        if (training) seen.PlusInPlace(Kept(1));
        Tensor result = x.device_type == DeviceType.META ? Explicit(x)
            : nn.functional.batch_norm(x, mean, variance, weight, bias, training, Momentum, Epsilon);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>The same from means; without the running statistics, which have no values on the meta device.</summary>
    private Tensor Explicit(Tensor x)
    {
        long[] over = x.dim() == 4 ? [0, 2, 3] : [0], shape = x.dim() == 4 ? [1, -1, 1, 1] : [1, -1];
        Tensor wide = x.to(ScalarType.Float32);
        Tensor centre = training ? wide.mean(over, keepdim: true) : mean.view(shape);
        Tensor spread = training ? (wide - centre).Squared().mean(over, keepdim: true) : variance.view(shape);
        return ((wide - centre) * spread.Plus(Kept(Epsilon)).rsqrt() * weight.view(shape)).Plus(bias.view(shape)).to(x.dtype);
    }
}
