using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>A linear layer x W^T + b with torch's key names, computed by libtorch's linear. Its weights are unset until filled.</summary>
public sealed class Dense : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;
    [ComponentName(Name = "bias")]
    private readonly Parameter? bias;

    /// <summary>Makes the layer with room for weight [out, in] and bias [out].</summary>
    public Dense(long inputs, long outputs, bool hasBias, Device device) : this([inputs], outputs, hasBias, device) { }

    /// <summary>Makes the layer with room for a weight [out, ..kernel] in the layout of a convolution, whose inputs lie in the kernel's order.</summary>
    public Dense(long[] kernel, long outputs, bool hasBias, Device device) : base(nameof(Dense))
    {
        weight = new Parameter(empty([outputs, .. kernel], ScalarType.Float32, device));
        if (hasBias) bias = new Parameter(empty(outputs, ScalarType.Float32, device));
        RegisterComponents();
    }

    /// <summary>Type of the matrix product and of its result, whatever that of the weights and of their gradients; null for that of the weights.</summary>
    public ScalarType? Compute { get; set; }

    /// <summary>
    /// Has every linear layer and convolution inside a module multiply in a type: bfloat16 halves the time on a processor or GPU that multiplies
    /// it natively. Weights, statistics of norms and a transformer's sums of residuals keep their type; null takes it back.
    /// </summary>
    public static void ComputeIn(nn.Module module, ScalarType? type)
    {
        foreach (nn.Module layer in module.modules())
        {
            if (layer is Dense dense) dense.Compute = type;
            else if (layer is WeightNormLinear last) last.Compute = type;
            else if (layer is Convolution convolution) convolution.Compute = type;
        }
    }

    /// <summary>x W^T + b, differentiable; the one place where linear layers are computed.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out], or null for none.</param>
    /// <param name="type">Type of the product, which all three are brought to; null for that of the weight.</param>
    /// <returns>[..., out] in that type.</returns>
    internal static Tensor Linear(Tensor x, Tensor weight, Tensor? bias, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        ScalarType product = type ?? weight.dtype;
        Tensor result = nn.functional.linear(x.to(product), weight.to(product), bias?.to(product));
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Linear(x, weight.flatten(1), bias, Compute).MoveToOuterDisposeScope();
    }

    /// <summary>The outputs from <paramref name="first"/> on, <paramref name="count"/> of them: [..., in] to [..., count].</summary>
    public Tensor Part(Tensor x, long first, long count)
    {
        using var scope = NewDisposeScope();
        Tensor rows = weight.narrow(0, first, count);
        return Linear(x, rows, bias?.narrow(0, first, count), Compute).MoveToOuterDisposeScope();
    }
}
