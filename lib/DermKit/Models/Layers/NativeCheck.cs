using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// A native operation of libtorch as the kit uses it, on one shape, compared with the same in float64: on some processors its libraries end
/// the process or compute wrong numbers.
/// </summary>
/// <param name="Operation">What is computed, such as "linear layer".</param>
/// <param name="Shape">Sizes and type.</param>
/// <param name="Bound">Largest error that rounding explains, as a share of the largest value.</param>
/// <param name="Error">
/// Computes the operation: the largest error of the result and of each gradient, each as a share of its own largest value.
/// Infinite when a value is not finite.
/// </param>
public sealed record NativeCheck(string Operation, string Shape, double Bound, Func<double> Error)
{
    private const double SingleBound = 1e-4;

    // A product in bfloat16 rounds to eight bits, and so do its gradients; attention rounds between its products too.
    private const double HalfBound = 0.03;

    /// <summary>The operations of all models on small inputs, in float32 and in bfloat16: about a second.</summary>
    public static IReadOnlyList<NativeCheck> Small { get; } = [.. All()];

    /// <summary>Operations that the kit avoids and that modules of others may use: 1x1 convolutions, which oneDNN computes wrongly on some processors.</summary>
    public static IReadOnlyList<NativeCheck> OfOthers { get; } = [Pointwise(128, 512, 1), Pointwise(512, 1024, 2)];

    /// <summary>Operation and shape, as a message names it.</summary>
    public override string ToString() => $"{Operation} {Shape}";

    /// <summary>A linear layer with bias on [<paramref name="rows"/>, <paramref name="inputs"/>].</summary>
    public static NativeCheck Linear(long rows, long inputs, long outputs, ScalarType type) =>
        Of("linear layer", $"{rows} x {inputs} to {outputs}", type, [[rows, inputs], [outputs, inputs], [outputs]],
            (t, compute) => Dense.Linear(t[0], t[1], t[2], compute),
            t => matmul(t[0], t[1].t()) + t[2]);

    /// <summary>Images [batch, inputs, side, side] by a square kernel, padded by half of it.</summary>
    /// <param name="batch">Images.</param>
    /// <param name="inputs">Their channels.</param>
    /// <param name="outputs">Channels of the result.</param>
    /// <param name="kernel">Side of the kernel in pixels.</param>
    /// <param name="stride">Pixels from window to window.</param>
    /// <param name="side">Side of the images in pixels.</param>
    /// <param name="innermost">Channels lie innermost in memory, as behind a 1x1 convolution.</param>
    /// <param name="type">Type of the products.</param>
    public static NativeCheck Convolution(long batch, long inputs, long outputs, long kernel, long stride, long side, bool innermost, ScalarType type)
    {
        string layout = innermost ? ", channels last" : "";
        string shape = $"{kernel}x{kernel}, {inputs} to {outputs} channels, stride {stride}, {batch} x {side} x {side} pixels{layout}";
        Tensor Laid(Tensor x) => innermost ? x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) : x;
        return Of("convolution", shape, type, [[batch, inputs, side, side], [outputs, inputs, kernel, kernel]],
            (t, compute) => Models.Convolution.Apply(Laid(t[0]), t[1], stride, compute),
            t => Models.Convolution.Explicit(t[0], t[1], stride, kernel / 2));
    }

    /// <summary>Scaled dot-product attention of [batch, heads, tokens, width].</summary>
    public static NativeCheck Attention(long batch, long heads, long tokens, long width, ScalarType type)
    {
        long[] each = [batch, heads, tokens, width];
        return Of("attention", $"{batch} x {heads} heads x {tokens} tokens x {width}", type, [each, each, each],
            (t, compute) => DotProduct.Attend(t[0].to(compute), t[1].to(compute), t[2].to(compute)),
            t => matmul((matmul(t[0], t[1].transpose(-2, -1)) / Math.Sqrt(width)).softmax(-1), t[2]));
    }

    private static IEnumerable<NativeCheck> All()
    {
        foreach (ScalarType type in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
        {
            yield return Linear(197, 192, 768, type);
            yield return Linear(64, 2048, 256, type);
            yield return Attention(2, 3, 197, 64, type);
            yield return Attention(2, 3, 37, 64, type);
            yield return Convolution(1, 3, 64, 7, 2, 96, innermost: false, type);
            foreach (bool innermost in (bool[])[false, true])
            {
                yield return Convolution(1, 64, 64, 3, 1, 28, innermost, type);
                yield return Convolution(2, 128, 128, 3, 2, 28, innermost, type);
                yield return Convolution(1, 128, 512, 1, 1, 28, innermost, type);
                yield return Convolution(2, 512, 1024, 1, 2, 14, innermost, type);
            }
        }
        yield return One("layer norm", [50, 192], x => nn.functional.layer_norm(x, [192], eps: 1e-6), x =>
        {
            Tensor centred = x - x.mean([-1], keepdim: true);
            return centred / (centred * centred).mean([-1], keepdim: true).add(1e-6).sqrt();
        });
        yield return One("batch norm", [8, 16, 7, 7], x => nn.functional.batch_norm(x, zeros(16), ones(16), training: true), x =>
        {
            Tensor centred = x - x.mean([0, 2, 3], keepdim: true);
            return centred / (centred * centred).mean([0, 2, 3], keepdim: true).add(1e-5).sqrt();
        });
        yield return One("GELU", [64, 768], x => nn.functional.gelu(x), x => x * (1 + (x / Math.Sqrt(2)).erf()) / 2);
        yield return One("log softmax", [16, 4096], x => x.log_softmax(-1), x => x - x.exp().sum([-1], keepdim: true).log());
        yield return One("max pooling", [2, 16, 15, 15], x => nn.functional.max_pool2d(x, 3, 2, 1), x =>
            Models.Convolution.Windows(x, 3, 2, 1, double.NegativeInfinity).amax([4, 5]));
    }

    private static NativeCheck Pointwise(long inputs, long outputs, long stride) =>
        Of("nn.Conv2d with a 1x1 kernel", $"{inputs} to {outputs} channels, stride {stride}, 28 x 28 pixels, channels last", ScalarType.Float32,
            [[1, inputs, 28, 28], [outputs, inputs, 1, 1]],
            (t, _) => nn.functional.conv2d(t[0].permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), t[1], strides: [stride, stride]),
            t => Models.Convolution.Explicit(t[0], t[1], stride, 0));

    private static NativeCheck One(string operation, long[] shape, Func<Tensor, Tensor> used, Func<Tensor, Tensor> exact) =>
        Of(operation, $"[{string.Join(", ", shape)}]", ScalarType.Float32, [shape], (t, _) => used(t[0]), t => exact(t[0]));

    internal static NativeCheck Of(string operation, string shape, ScalarType type, long[][] inputs,
        Func<Tensor[], ScalarType, Tensor> used, Func<Tensor[], Tensor> exact)
    {
        bool isHalf = type == ScalarType.BFloat16;
        return new(operation, $"{shape}, {(isHalf ? "bfloat16" : "float32")}", isHalf ? HalfBound : SingleBound, () => Compare(type, inputs, used, exact));
    }

    private static double Compare(ScalarType type, long[][] shapes, Func<Tensor[], ScalarType, Tensor> used, Func<Tensor[], Tensor> exact)
    {
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();
        using var generator = new Generator(1, CPU);
        // Both take the same numbers: those that the type can hold.
        Tensor Draw(long[] shape) => randn(shape, generator: generator).to(type).to(ScalarType.Float64);
        Tensor[] wide = Array.ConvertAll(shapes, s => Draw(s).requires_grad_());
        Tensor[] own = Array.ConvertAll(wide, w => w.detach().to(ScalarType.Float32).requires_grad_());
        Tensor expected = exact(wide);
        Tensor found = used(own, type).to(ScalarType.Float64);
        Tensor pull = Draw(expected.shape);
        (expected * pull).sum().backward();
        (found * pull).sum().backward();
        double worst = Distance(found, expected);
        for (int i = 0; i < own.Length; i++) worst = Math.Max(worst, Distance(own[i].grad!, wide[i].grad!));
        return worst;
    }

    private static double Distance(Tensor found, Tensor expected)
    {
        using var noGrad = no_grad();
        double scale = Math.Max(expected.abs().max().ToDouble(), 1e-30);
        double error = (found.to(ScalarType.Float64) - expected).abs().max().ToDouble() / scale;
        return double.IsFinite(error) ? error : double.PositiveInfinity;
    }
}
