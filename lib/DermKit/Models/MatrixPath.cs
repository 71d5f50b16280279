using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Which kernel computes a linear layer in float32 on the cpu.</summary>
public enum MatrixKernel
{
    /// <summary>libtorch's own linear (MKL), the faster one on Intel.</summary>
    Linear,
    /// <summary>A 1x1 convolution on a channels-last view (oneDNN), about twice as fast where MKL leaves AVX-512 unused, as on AMD.</summary>
    Conv,
}

/// <summary>
/// The one place where linear layers are computed. Float32 on the cpu goes to the kernel that a measurement of a few
/// milliseconds, made once in the process, finds faster; KIT_MATMUL=linear or conv decides instead. All else uses libtorch's linear.
/// </summary>
public static class MatrixPath
{
    private static readonly Lazy<(MatrixKernel Kernel, string Reason)> Choice = new(Choose);

    /// <summary>The kernel in use.</summary>
    /// <exception cref="KitException">KIT_MATMUL is neither linear nor conv.</exception>
    public static MatrixKernel Kernel => Forced ?? Choice.Value.Kernel;

    /// <summary>Why <see cref="Kernel"/> is in use, with the measured rates in GFLOP/s.</summary>
    public static string Reason => Choice.Value.Reason;

    /// <summary>Goes on with a kernel that an earlier process has measured.</summary>
    internal static void Use(MatrixKernel kernel)
    {
        if (Kernel != kernel) Forced = kernel;
    }

    /// <summary>Overrules the choice, so that one process can compare both kernels.</summary>
    internal static MatrixKernel? Forced { get; set; }

    /// <summary>x W^T + b, differentiable.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out] or null.</param>
    /// <param name="type">Type of the product, which all three are brought to; null for that of the weight.</param>
    /// <returns>[..., out] in that type.</returns>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        ScalarType product = type ?? weight.dtype;
        (x, weight, bias) = (x.to(product), weight.to(product), bias?.to(product));
        Tensor result = x.device_type == DeviceType.CPU && product == ScalarType.Float32 && Kernel == MatrixKernel.Conv
            ? Convolution(x, weight, bias)
            : nn.functional.linear(x, weight, bias);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>The same as <see cref="Linear"/> by oneDNN: rows become the pixels of pictures of height 1 whose channels lie innermost.</summary>
    internal static Tensor Convolution(Tensor x, Tensor weight, Tensor? bias)
    {
        // A picture without pixels is refused by a convolution; a batch that has no masked patch is one.
        if (x.numel() == 0) return nn.functional.linear(x, weight, bias);
        using var scope = NewDisposeScope();
        long inner = weight.shape[1], outer = weight.shape[0];
        long[] shape = [.. x.shape[..^1], outer];
        // With one thread libtorch hands a 1x1 convolution to oneDNN only from 16 pictures on.
        long pictures = x.numel() / inner % 16 == 0 ? 16 : 1;
        Tensor pixels = x.reshape(pictures, 1, -1, inner).permute(0, 3, 1, 2);
        Tensor result = nn.functional.conv2d(pixels, weight.reshape(outer, inner, 1, 1), bias);
        return result.permute(0, 2, 3, 1).reshape(shape).MoveToOuterDisposeScope();
    }

    private static (MatrixKernel, string) Choose()
    {
        switch (Environment.GetEnvironmentVariable("KIT_MATMUL"))
        {
            case "linear": return (MatrixKernel.Linear, "KIT_MATMUL=linear");
            case "conv": return (MatrixKernel.Conv, "KIT_MATMUL=conv");
            case null or "": break;
            case var other: throw new KitException($"KIT_MATMUL is '{other}'; expected linear or conv, or unset it to let the kit measure.");
        }
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        const int Rows = 256, Inner = 192, Outer = 768;
        Tensor x = ones(Rows, Inner), weight = ones(Outer, Inner), bias = ones(Outer);
        double linear = double.MaxValue, conv = double.MaxValue;
        OnOneThread(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                linear = Math.Min(linear, Seconds(() => nn.functional.linear(x, weight, bias)));
                conv = Math.Min(conv, Seconds(() => Convolution(x, weight, bias)));
            }
        });
        const double GigaFlop = 2e-9 * Rows * Inner * Outer;
        string reason = string.Create(CultureInfo.InvariantCulture, $"measured: linear {GigaFlop / linear:f0}, convolution {GigaFlop / conv:f0} GFLOP/s on one thread");
        return (conv < 0.95 * linear ? MatrixKernel.Conv : MatrixKernel.Linear, reason);
    }

    /// <summary>One thread, because on a busy machine the wait for a second one hides the difference.</summary>
    internal static void OnOneThread(Action work)
    {
        int threads = get_num_threads();
        set_num_threads(1);
        try
        {
            work();
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static double Seconds(Func<Tensor> product)
    {
        long start = Stopwatch.GetTimestamp();
        product().Dispose();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
