namespace DermKit.Models;

/// <summary>Square convolution without bias, padded by half its kernel, with torch's key and unset weight. 1x1 is a
/// linear layer, because oneDNN's 1x1 convolutions end the process or give wrong numbers on some processors
/// (pytorch/pytorch issue 177227). Larger kernels get their input channels last, and uncommon shapes are one matrix
/// product: there conv2d is wrong for contiguous input, such as 3x3 on 20 channels, and for odd numbers of channels in
/// bfloat16.</summary>
internal sealed class Convolution : nn.Module<Tensor, Tensor>, IComputesIn
{
    private readonly long stride;
    private readonly Parameter weight;

    public Convolution(long inputs, long outputs, long kernel, long stride, Device device) : base(nameof(Convolution))
    {
        this.stride = stride;
        weight = new Parameter(empty([outputs, inputs, kernel, kernel], float32, device));
        RegisterComponents();
    }

    public ScalarType? Compute { get; set; }

    // To [B, out, H / stride, W / stride], rounded up.
    public override Tensor forward(Tensor x) => Apply(x, weight, stride, Compute);

    // Weight [out, in, kernel, kernel]; computes every convolution of the kit.
    internal static Tensor Apply(Tensor x, Tensor weight, long stride, ScalarType? compute = null) => Scoped(() =>
    {
        ScalarType type = compute ?? weight.dtype;
        long size = weight.shape[2], padding = size / 2;
        if (size == 1) return Pixels(x, weight, stride, type);
        // libtorch has no meta kernel for conv2d.
        if (x.device_type == DeviceType.META || !IsCommon(x, weight))
            return Explicit(x.to(type), weight.to(type), stride, padding);
        if (x.stride(1) != 1) x = ChannelsLast(x);
        return nn.functional.conv2d(
            x.to(type), weight.to(type), strides: [stride, stride], padding: [padding, padding]);
    });

    // Shapes for which conv2d is right on every processor tried: images not smaller than the kernel, and channels that
    // fill whole vector registers, but for the three of an image.
    private static bool IsCommon(Tensor x, Tensor weight) =>
        weight.shape[0] % 16 == 0 && (weight.shape[1] % 16 == 0 || weight.shape[1] == 3)
        && Math.Min(x.shape[2], x.shape[3]) >= weight.shape[2];

    // The same [B, C, H, W] with the channels of a pixel side by side in memory.
    internal static Tensor ChannelsLast(Tensor x) => x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    // 1x1 as a product of every stride-th pixel.
    private static Tensor Pixels(Tensor x, Tensor weight, long stride, ScalarType type)
    {
        TensorIndex every = TensorIndex.Slice(step: stride);
        if (stride > 1) x = x[.., .., every, every];
        return Dense.Linear(x.permute(0, 2, 3, 1), weight.flatten(1), null, type).permute(0, 3, 1, 2);
    }

    // One matrix product over windows.
    internal static Tensor Explicit(Tensor x, Tensor weight, long stride, long padding) => Scoped(() =>
    {
        Tensor windows = Windows(x, weight.shape[2], stride, padding, 0);
        long batch = x.shape[0], rows = windows.shape[2], columns = windows.shape[3];
        Tensor pixels = windows.permute(0, 2, 3, 1, 4, 5).reshape(batch * rows * columns, -1);
        return matmul(pixels, weight.flatten(1).t()).reshape(batch, rows, columns, -1).permute(0, 3, 1, 2);
    });

    // [B, C, H, W], padded, to [B, C, rows, columns, kernel, kernel].
    internal static Tensor Windows(Tensor x, long kernel, long stride, long padding, double fill) => Scoped(() =>
    {
        long height = x.shape[2], width = x.shape[3];
        long[] shape = [x.shape[0], x.shape[1], height + 2 * padding, width + 2 * padding];
        Tensor padded = full(shape, Kept(fill), x.dtype, x.device);
        padded.narrow(2, padding, height).narrow(3, padding, width).copy_(x);
        return padded.unfold(2, kernel, stride).unfold(3, kernel, stride);
    });
}
