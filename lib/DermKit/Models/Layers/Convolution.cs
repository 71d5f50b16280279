using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// A square convolution without bias, padded by half its kernel, with torch's key name. Its weight is unset until filled.
/// A kernel of one pixel is a linear layer over strided pixels: oneDNN's 1x1 convolutions end the process, or give wrong numbers, on some
/// processors (pytorch/pytorch issue 177227), forward and backward.
/// </summary>
public sealed class Convolution : nn.Module<Tensor, Tensor>
{
    private readonly long stride;
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;

    /// <summary>Makes the layer with room for a weight [out, in, kernel, kernel].</summary>
    public Convolution(long inputs, long outputs, long kernel, long stride, Device device) : base(nameof(Convolution))
    {
        this.stride = stride;
        weight = new Parameter(empty([outputs, inputs, kernel, kernel], ScalarType.Float32, device));
        RegisterComponents();
    }

    /// <summary>Type of the products and of the result, whatever that of the weights and of their gradients; null for that of the weights.</summary>
    public ScalarType? Compute { get; set; }

    /// <summary>[B, in, H, W] to [B, out, H / stride, W / stride], rounded up.</summary>
    public override Tensor forward(Tensor x) => Apply(x, weight, stride, Compute);

    /// <summary>The same for a weight [out, in, kernel, kernel], differentiable; the one place where convolutions are computed.</summary>
    internal static Tensor Apply(Tensor x, Tensor weight, long stride, ScalarType? compute = null)
    {
        using var scope = NewDisposeScope();
        ScalarType type = compute ?? weight.dtype;
        long size = weight.shape[2];
        long padding = size / 2;
        Tensor result;
        if (size == 1) result = Pixels(x, weight, stride, type);
        // libtorch has no meta kernel for conv2d.
        else if (x.device_type == DeviceType.META) result = Explicit(x.to(type), weight.to(type), stride, padding);
        else result = nn.functional.conv2d(x.to(type), weight.to(type), strides: [stride, stride], padding: [padding, padding]);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// A 1x1 convolution: every stride-th pixel of [B, in, H, W] times [out, in, 1, 1], to [B, out, H / stride, W / stride] in the memory order of x.
    /// </summary>
    private static Tensor Pixels(Tensor x, Tensor weight, long stride, ScalarType type)
    {
        using var scope = NewDisposeScope();
        if (stride > 1) x = x[.., .., TensorIndex.Slice(step: stride), TensorIndex.Slice(step: stride)];
        Tensor matrix = weight.flatten(1);
        if (x.stride(1) == 1) return Dense.Linear(x.permute(0, 2, 3, 1), matrix, null, type).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
        Tensor product = matmul(matrix.to(type), x.flatten(2).to(type));
        return product.reshape(x.shape[0], -1, x.shape[2], x.shape[3]).MoveToOuterDisposeScope();
    }

    /// <summary>The same as one matrix product over windows.</summary>
    internal static Tensor Explicit(Tensor x, Tensor weight, long stride, long padding)
    {
        using var scope = NewDisposeScope();
        Tensor windows = Windows(x, weight.shape[2], stride, padding, 0);
        (long batch, long rows, long columns) = (x.shape[0], windows.shape[2], windows.shape[3]);
        Tensor pixels = windows.permute(0, 2, 3, 1, 4, 5).reshape(batch * rows * columns, -1);
        return matmul(pixels, weight.flatten(1).t()).reshape(batch, rows, columns, -1).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Every window of a padded image: [B, C, H, W] to [B, C, rows, columns, kernel, kernel].</summary>
    internal static Tensor Windows(Tensor x, long kernel, long stride, long padding, double fill)
    {
        using var scope = NewDisposeScope();
        Tensor padded = full([x.shape[0], x.shape[1], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding], Kept(fill), x.dtype, x.device);
        padded.narrow(2, padding, x.shape[2]).narrow(3, padding, x.shape[3]).copy_(x);
        return padded.unfold(2, kernel, stride).unfold(3, kernel, stride).MoveToOuterDisposeScope();
    }
}
