namespace DermKit.Models;

/// <summary>Batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) with torch's keys, momentum 0.1, eps 1e-5.
/// Unlike torch's it takes [B, C] and [B, C, H, W] and runs on the meta device.</summary>
internal sealed class BatchNorm : nn.Module<Tensor, Tensor>
{
    private const double Momentum = 0.1, Epsilon = 1e-5;
    private readonly Parameter weight;
    private readonly Parameter bias;
    [ComponentName(Name = "running_mean")]
    private readonly Tensor mean;
    [ComponentName(Name = "running_var")]
    private readonly Tensor variance;
    [ComponentName(Name = "num_batches_tracked")]
    private readonly Tensor batches;

    public BatchNorm(long channels, Device device) : base(nameof(BatchNorm))
    {
        weight = new Parameter(ones(channels, float32, device));
        bias = new Parameter(zeros(channels, float32, device));
        mean = zeros(channels, float32, device);
        variance = ones(channels, float32, device);
        batches = zeros([], int64, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Scoped(() =>
    {
        if (training) batches.PlusInPlace(Kept(1));
        return x.device_type == DeviceType.META ? Explicit(x)
            : nn.functional.batch_norm(x, mean, variance, weight, bias, training, Momentum, Epsilon);
    });

    // For the meta device, without running statistics.
    private Tensor Explicit(Tensor x)
    {
        long[] over = x.dim() == 4 ? [0, 2, 3] : [0], shape = x.dim() == 4 ? [1, -1, 1, 1] : [1, -1];
        Tensor wide = x.to(float32);
        Tensor centred = wide - (training ? wide.mean(over, keepdim: true) : mean.view(shape));
        Tensor spread = training ? centred.Squared().mean(over, keepdim: true) : variance.view(shape);
        Tensor scaled = centred * spread.Plus(Kept(Epsilon)).rsqrt() * weight.view(shape);
        return scaled.Plus(bias.view(shape)).to(x.dtype);
    }
}
