using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit;

/// <summary>
/// Numbers for tensor operations that stay alive. TorchSharp hands libtorch the address of a number's object, and .NET may finalise an
/// object that nothing names any more while the native call still reads it: under load a plain <c>x * 0.5</c> now and then fails with
/// "Unknown scalar type", or reads what lies there by then.
/// </summary>
internal static class KeptScalar
{
    private static readonly ConcurrentDictionary<double, Scalar> Reals = new();
    private static readonly ConcurrentDictionary<long, Scalar> Integers = new();

    private static readonly Scalar One = 1;

    /// <summary>For constants and the few values that a run goes through; a value that changes at every step belongs into a <c>using</c> variable.</summary>
    public static Scalar Kept(double value) => Reals.GetOrAdd(value, v => v);

    /// <inheritdoc cref="Kept(double)"/>
    public static Scalar Kept(long value) => Integers.GetOrAdd(value, v => v);

    /// <summary>x + y. TorchSharp's own sum makes a factor of 1 for every call, one of those objects.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x + y in the memory of x.</summary>
    public static Tensor PlusInPlace(this Tensor x, Tensor y) => x.add_(y, One);

    /// <summary>x + y with a kept number.</summary>
    public static Tensor Plus(this Tensor x, Scalar y) => x.add(y, One);

    /// <summary>x + y in the memory of x with a kept number.</summary>
    public static Tensor PlusInPlace(this Tensor x, Scalar y) => x.add_(y, One);

    /// <summary>x x; TorchSharp's own square is a power with a number of its own.</summary>
    public static Tensor Squared(this Tensor x) => x.mul(x);

    /// <summary>The one value of a tensor, read without such an object.</summary>
    public static double Value(this Tensor tensor)
    {
        using Tensor value = tensor.detach().to(ScalarType.Float64).cpu();
        return value.data<double>()[0];
    }
}
