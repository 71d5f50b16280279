using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;
using Native = System.Func<TorchSharp.torch.Tensor[], TorchSharp.torch.ScalarType, TorchSharp.torch.Tensor>;

namespace DermKit.Cli;

/// <summary>A native operation of one shape; Error is relative to float64's largest value.</summary>
internal sealed record NativeCheck(string Name, double Bound, Func<double> Error)
{
    public static IReadOnlyList<NativeCheck> Small { get; } =
    [
        .. OfModels(ScalarType.Float32), .. OfModels(ScalarType.BFloat16),
        One("layer norm", [50, 192], x => nn.functional.layer_norm(x, [192], eps: 1e-6)),
        One("batch norm", [8, 16, 7, 7],
            x => nn.functional.batch_norm(x, zeros(16, x.dtype), ones(16, x.dtype), training: true)),
        One("GELU", [64, 768], x => nn.functional.gelu(x)),
        One("log softmax", [16, 4096], x => x.log_softmax(-1)),
        One("max pooling", [2, 16, 15, 15], x => nn.functional.max_pool2d(x, 3, 2, 1)),
    ];

    /// <summary>1x1 convolutions and contiguous ones, which the kit avoids and other modules may use.</summary>
    public static IReadOnlyList<NativeCheck> OfOthers { get; } =
    [
        Conv2d(128, 512, 1, 1, 28, true, ScalarType.Float32), Conv2d(512, 1024, 1, 2, 28, true, ScalarType.Float32),
        Conv2d(24, 24, 3, 1, 28, false, ScalarType.Float32), Conv2d(3, 64, 7, 2, 96, false, ScalarType.BFloat16),
    ];

    public static NativeCheck Linear(long rows, long inputs, long outputs, ScalarType type) =>
        Of($"linear layer {rows} x {inputs} to {outputs}", type, [[rows, inputs], [outputs, inputs], [outputs]],
            (t, compute) => Dense.Linear(t[0], t[1], t[2], compute), t => matmul(t[0], t[1].t()) + t[2]);

    public static NativeCheck Convolution(long batch, long inputs, long outputs, long kernel, long stride, long side,
        bool isChannelsLast, ScalarType type, string name = "convolution", Native? native = null)
    {
        native ??= (t, compute) => Models.Convolution.Apply(t[0], t[1], stride, compute);
        return Of($"{name} {kernel}x{kernel}, {inputs} to {outputs} channels, stride {stride}, {batch} x {side} x "
            + $"{side} pixels{(isChannelsLast ? ", channels last" : "")}", type,
            [[batch, inputs, side, side], [outputs, inputs, kernel, kernel]],
            (t, compute) => native(isChannelsLast ? [Models.Convolution.ChannelsLast(t[0]), t[1]] : t, compute),
            t => Models.Convolution.Explicit(t[0], t[1], stride, kernel / 2));
    }

    public static NativeCheck Attention(long batch, long heads, long tokens, long width, ScalarType type)
    {
        long[] each = [batch, heads, tokens, width];
        return Of($"attention {batch} x {heads} heads x {tokens} tokens x {width}", type, [each, each, each],
            (t, compute) => DotProduct.Attend(t[0].to(compute), t[1].to(compute), t[2].to(compute)),
            t => matmul((matmul(t[0], t[1].mT) / Math.Sqrt(width)).softmax(-1), t[2]));
    }

    internal static NativeCheck Of(string name, ScalarType type, long[][] shapes, Native native,
        Func<Tensor[], Tensor> exact) =>
            // bfloat16 rounds to eight bits.
            new($"{name}, {type}", type == ScalarType.BFloat16 ? 0.03 : 1e-4,
                () => Compare(type, shapes, native, exact));

    private static NativeCheck[] OfModels(ScalarType type) =>
    [
        Linear(197, 192, 768, type), Linear(64, 2048, 256, type), Attention(2, 3, 197, 64, type),
        Attention(2, 3, 37, 64, type),
        Convolution(1, 3, 64, 7, 2, 96, false, type), .. OfResNet(false, type), .. OfResNet(true, type),
    ];

    private static NativeCheck[] OfResNet(bool isChannelsLast, ScalarType type) =>
    [
        Convolution(1, 64, 64, 3, 1, 28, isChannelsLast, type),
        Convolution(2, 128, 128, 3, 2, 28, isChannelsLast, type),
        Convolution(1, 128, 512, 1, 1, 28, isChannelsLast, type),
        Convolution(2, 512, 1024, 1, 2, 14, isChannelsLast, type),
    ];

    private static NativeCheck One(string name, long[] shape, Func<Tensor, Tensor> native) =>
        Of($"{name} [{string.Join(", ", shape)}]", ScalarType.Float32, [shape], (t, _) => native(t[0]),
            t => native(t[0]));

    private static NativeCheck Conv2d(long inputs, long outputs, long kernel, long stride, long side,
        bool isChannelsLast, ScalarType type) =>
            Convolution(1, inputs, outputs, kernel, stride, side, isChannelsLast, type, "nn.Conv2d",
                (t, compute) => nn.functional.conv2d(t[0].to(compute), t[1].to(compute), strides: [stride, stride],
                    padding: [kernel / 2, kernel / 2]));

    private static double Compare(ScalarType type, long[][] shapes, Native native, Func<Tensor[], Tensor> exact)
    {
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();
        using var generator = new Generator(1, CPU);
        // Both compute with numbers that the type can hold.
        Tensor Draw(long[] shape) => randn(shape, generator: generator).to(type).to(ScalarType.Float64);
        Tensor[] wide = Array.ConvertAll(shapes, s => Draw(s).requires_grad_());
        Tensor[] own = Array.ConvertAll(wide, w => w.detach().to(ScalarType.Float32).requires_grad_());
        Tensor expected = exact(wide), found = native(own, type).to(ScalarType.Float64), pull = Draw(expected.shape);
        (expected * pull).sum().backward();
        (found * pull).sum().backward();
        return own.Select((o, i) => Distance(o.grad!, wide[i].grad!)).Append(Distance(found, expected)).Max();
    }

    private static double Distance(Tensor found, Tensor expected)
    {
        double error = (found.to(ScalarType.Float64) - expected).abs().max().ToDouble();
        double share = error / Math.Max(expected.abs().max().ToDouble(), 1e-30);
        return double.IsFinite(share) ? share : double.PositiveInfinity;
    }
}
