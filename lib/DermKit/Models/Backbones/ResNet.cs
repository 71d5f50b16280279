namespace DermKit.Models;

/// <summary>ResNet (He et al. 2016, arXiv 1512.03385) as in torchvision: bottlenecks with the stride on the 3x3
/// convolution, or basic blocks; torchvision's keys without <c>fc.*</c>. Takes any image size. Lives until disposed,
/// whatever dispose scope surrounds it.</summary>
public sealed class ResNet : Backbone
{
    internal static readonly string[] NotBackbone = ["fc.*"];

    private readonly Convolution conv1;
    private readonly BatchNorm bn1;
    private readonly ModuleList<ResNetBlock> layer1, layer2, layer3, layer4;

    private ResNet(ResNetConfig config, Device device) : base(nameof(ResNet))
    {
        if (config.Planes.Length != 4 || config.Blocks.Length != 4
            || config.Planes.Concat(config.Blocks).Any(n => n < 1))
            throw new KitException($"ResNet configuration with planes [{string.Join(", ", config.Planes)}] and blocks "
                + $"[{string.Join(", ", config.Blocks)}] is impossible: expected four stages, each of 1 or more.");
        Config = config;
        long width = config.Planes[0];
        conv1 = new Convolution(3, width, 7, 2, device);
        bn1 = new BatchNorm(width, device);
        ModuleList<ResNetBlock> Stage(int stage)
        {
            var blocks = new ResNetBlock[config.Blocks[stage]];
            for (int i = 0; i < blocks.Length; i++)
            {
                blocks[i] = new ResNetBlock(config, width, config.Planes[stage], i == 0 && stage > 0 ? 2 : 1, device);
                width = config.Expansion * config.Planes[stage];
            }
            return nn.ModuleList(blocks);
        }
        layer1 = Stage(0);
        layer2 = Stage(1);
        layer3 = Stage(2);
        layer4 = Stage(3);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>The sizes.</summary>
    public ResNetConfig Config { get; }

    /// <summary>Torchvision's initial weights: normal with variance 2 / (outputs * kernel area) for convolutions (He et
    /// al. 2015, fan-out), 1 and 0 for batch normalisation. Drawn on the cpu: every device gets the same.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ResNet Random(ResNetConfig config, long seed, Device? device = null) =>
        InitialValues.Draw(Unset(config, device), seed, (_, p, generator) => p.dim() != 4 ? null
            : randn(p.shape, generator: generator).mul_(Kept(Math.Sqrt(2.0 / (p.shape[0] * p.shape[2] * p.shape[3])))));

    /// <summary>Unset convolutions, to be loaded (<see cref="WeightLoader"/>).</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ResNet Unset(ResNetConfig config, Device? device = null) => new(config, device ?? CPU);

    // [1, 3, H, W], subtracted from images at their size, and its file's hash; null for none.
    internal (Tensor Values, string Hash)? MeanImage { get; set; }

    /// <inheritdoc/>
    public override string Architecture =>
        JsonSerializer.Serialize(Config) + (MeanImage is { } mean ? $" less {mean.Hash}" : "");

    /// <inheritdoc/>
    public override int Dim => Config.Features;

    /// <inheritdoc/>
    public override int Layers => Config.Blocks.Length;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) =>
        parameter.StartsWith("layer", Ordinal) ? parameter["layer".Length] - '0' : 0;

    /// <summary>Last map averaged over its positions: [B, 3, H, W] to float32 [B, C].</summary>
    public override Tensor forward(Tensor x)
    {
        if (x.dim() != 4 || x.shape[1] != 3)
            throw new ArgumentException($"Expected images [B, 3, H, W], found {x.Shape()}.", nameof(x));
        using var scope = NewDisposeScope();
        if (MeanImage is { } mean)
            x = x - nn.functional.interpolate(mean.Values.to(x.device), x.shape[2..], mode: InterpolationMode.Bilinear,
                align_corners: false, antialias: true);
        Tensor map = Pool(bn1.forward(conv1.forward(x)).relu_());
        foreach (ResNetBlock block in layer1.Concat(layer2).Concat(layer3).Concat(layer4))
        {
            Tensor next = block.forward(map);
            map.Dispose();
            map = next;
        }
        return map.to(float32).mean([2, 3]).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) MeanImage?.Values.Dispose();
        base.Dispose(disposing);
    }

    // 3x3 maximum with stride 2; libtorch has no meta kernel for it.
    private static Tensor Pool(Tensor x) => x.device_type == DeviceType.META
        ? Convolution.Windows(x, 3, 2, 1, double.NegativeInfinity).amax([4, 5])
        : nn.functional.max_pool2d(x, 3, 2, 1);
}

/// <summary>1x1, 3x3 and 1x1 convolutions, or two of 3x3, around a shortcut: a 1x1 convolution where the shape
/// changes.</summary>
internal sealed class ResNetBlock : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1, conv2;
    private readonly Convolution? conv3;
    private readonly BatchNorm bn1, bn2;
    private readonly BatchNorm? bn3;
    private readonly Sequential? downsample;

    public ResNetBlock(ResNetConfig config, long inputs, long planes, long stride, Device device)
        : base(nameof(ResNetBlock))
    {
        long outputs = config.Expansion * planes;
        conv1 = config.IsBasic ? new(inputs, planes, 3, stride, device) : new(inputs, planes, 1, 1, device);
        bn1 = new BatchNorm(planes, device);
        conv2 = new Convolution(planes, planes, 3, config.IsBasic ? 1 : stride, device);
        bn2 = new BatchNorm(planes, device);
        if (!config.IsBasic)
        {
            conv3 = new Convolution(planes, outputs, 1, 1, device);
            bn3 = new BatchNorm(outputs, device);
        }
        if (inputs != outputs || stride > 1)
            downsample = nn.Sequential(
                ("0", new Convolution(inputs, outputs, 1, stride, device)), ("1", new BatchNorm(outputs, device)));
        RegisterComponents();
    }

    // [B, inputs, H, W] to [B, outputs, H / stride, W / stride], rounded up.
    public override Tensor forward(Tensor x) => Scoped(() =>
    {
        Tensor inner = bn2.forward(conv2.forward(bn1.forward(conv1.forward(x)).relu_()));
        if (conv3 is not null) inner = bn3!.forward(conv3.forward(inner.relu_()));
        return inner.PlusInPlace(downsample?.forward(x) ?? x).relu_();
    });
}
