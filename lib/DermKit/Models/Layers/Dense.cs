namespace DermKit.Models;

/// <summary>A layer whose product may have another type than its weights.</summary>
internal interface IComputesIn
{
    // Of product and result; null for the weights' type.
    ScalarType? Compute { get; set; }
}

/// <summary>Linear layer x W^T + b with torch's keys and unset weights.</summary>
internal sealed class Dense : nn.Module<Tensor, Tensor>, IComputesIn
{
    private readonly Parameter weight;
    private readonly Parameter? bias;

    public Dense(long inputs, long outputs, bool hasBias, Device device) : this([inputs], outputs, hasBias, device) { }

    // With a convolution's weight [out, ..kernel]; inputs in the kernel's order.
    public Dense(long[] kernel, long outputs, bool hasBias, Device device) : base(nameof(Dense))
    {
        weight = new Parameter(empty([outputs, .. kernel], float32, device));
        if (hasBias) bias = new Parameter(empty(outputs, float32, device));
        RegisterComponents();
    }

    public ScalarType? Compute { get; set; }

    // Sets Compute of every layer in a module. bfloat16 halves the time where hardware multiplies it; weights, norms
    // and residual sums keep their type.
    public static void ComputeIn(nn.Module module, ScalarType? type)
    {
        foreach (IComputesIn layer in module.modules().OfType<IComputesIn>()) layer.Compute = type;
    }

    // In a type (null for the weight's); computes every linear layer of the kit.
    internal static Tensor Linear(Tensor x, Tensor weight, Tensor? bias, ScalarType? type = null) => Scoped(() =>
    {
        ScalarType product = type ?? weight.dtype;
        return nn.functional.linear(x.to(product), weight.to(product), bias?.to(product));
    });

    public override Tensor forward(Tensor x) => Scoped(() => Linear(x, weight.flatten(1), bias, Compute));

    // Some outputs: [..., in] to [..., count].
    public Tensor Part(Tensor x, long first, long count) => Scoped(() =>
        Linear(x, weight.narrow(0, first, count), bias?.narrow(0, first, count), Compute));
}
