using System.Collections.Concurrent;

namespace DermKit;

/// <summary>Scalars that are never collected. TorchSharp passes a scalar's address to libtorch, and .NET may finalise
/// an unreferenced one during the native call: under load <c>x * 0.5</c> sometimes fails with "Unknown scalar type" or
/// reads other memory.</summary>
internal static class KeptScalar
{
    private static readonly ConcurrentDictionary<double, Scalar> Reals = new();
    private static readonly ConcurrentDictionary<long, Scalar> Integers = new();
    private static readonly Scalar One = 1;

    // For constants; a value that changes at every step needs a using variable.
    public static Scalar Kept(double value) => Reals.GetOrAdd(value, v => v);

    public static Scalar Kept(long value) => Integers.GetOrAdd(value, v => v);

    // TorchSharp's + creates a scalar 1 at every call.
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    public static Tensor PlusInPlace(this Tensor x, Tensor y) => x.add_(y, One);

    public static Tensor Plus(this Tensor x, Scalar y) => x.add(y, One);

    public static Tensor PlusInPlace(this Tensor x, Scalar y) => x.add_(y, One);

    // TorchSharp's square is a power and creates a scalar.
    public static Tensor Squared(this Tensor x) => x.mul(x);

    // L2 norms along a dimension, which stays with length 1.
    public static Tensor Norm(this Tensor x, long dim) => x.Squared().sum(dim, keepdim: true).sqrt();

    // For messages: [2, 3].
    public static string Shape(this Tensor x) => $"[{string.Join(", ", x.shape)}]";

    // Frees all tensors of an expression but its result.
    public static Tensor Scoped(Func<Tensor> result) => WrappedTensorDisposeScope(result);

    // A tensor of one element, read without a scalar.
    public static double Value(this Tensor tensor)
    {
        using Tensor value = tensor.detach().to(float64).cpu();
        return value.data<double>()[0];
    }
}
