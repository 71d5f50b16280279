using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// ResNet of bottleneck blocks (He et al. 2016, arXiv 1512.03385) in the form of torchvision: stride on the 3x3 convolution, state-dict keys
/// those of torchvision without the classifier (<c>fc.*</c>). Takes images of any size.
/// </summary>
public sealed class ResNet : Backbone
{
    /// <summary>Keys of torchvision's files that are not the backbone's.</summary>
    internal static readonly string[] NotBackbone = ["fc.*"];

    private readonly Convolution conv1;
    private readonly BatchNorm bn1;
    private readonly ModuleList<ResNetBlock> layer1, layer2, layer3, layer4;

    private ResNet(ResNetConfig config, Device device) : base(nameof(ResNet))
    {
        if (config.Planes.Length != 4 || config.Blocks.Length != 4 || config.Planes.Concat(config.Blocks).Any(n => n < 1))
            throw new KitException($"ResNet configuration with planes [{string.Join(", ", config.Planes)}] and blocks [{string.Join(", ", config.Blocks)}] is impossible: expected four stages, each of 1 or more.");
        Config = config;
        long width = config.Planes[0];
        conv1 = new Convolution(3, width, 7, 2, device);
        bn1 = new BatchNorm(width, device);
        ModuleList<ResNetBlock> Stage(int stage)
        {
            var blocks = new ResNetBlock[config.Blocks[stage]];
            for (int i = 0; i < blocks.Length; i++)
            {
                blocks[i] = new ResNetBlock(width, config.Planes[stage], i == 0 && stage > 0 ? 2 : 1, i == 0, device);
                width = ResNetConfig.Expansion * config.Planes[stage];
            }
            return nn.ModuleList(blocks);
        }
        (layer1, layer2, layer3, layer4) = (Stage(0), Stage(1), Stage(2), Stage(3));
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>The sizes.</summary>
    public ResNetConfig Config { get; }

    /// <summary>
    /// A model with torchvision's initial weights from a seed: normal with variance 2 / (outputs x kernel area) for convolutions (He et al. 2015,
    /// fan-out), unit weight and zero bias for batch normalisation. Drawn on the cpu, so that every device gets the same weights; torch's
    /// global generator is left alone. The model lives until it is disposed, whatever dispose scope surrounds the call.
    /// </summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ResNet Random(ResNetConfig config, long seed, Device? device = null)
    {
        ResNet model = Unset(config, device);
        InitialValues.Draw(model, seed, (_, p, generator) => p.dim() != 4 ? null
            : randn(p.shape, generator: generator).mul_(Kept(Math.Sqrt(2.0 / (p.shape[0] * p.shape[2] * p.shape[3])))));
        return model;
    }

    /// <summary>A model whose convolutions are not set yet, for a file to fill.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ResNet Unset(ResNetConfig config, Device? device = null) => new(config, device ?? CPU);

    /// <inheritdoc/>
    public override string Architecture => JsonSerializer.Serialize(Config);

    /// <inheritdoc/>
    public override int Dim => Config.Features;

    /// <inheritdoc/>
    public override int Layers => Config.Blocks.Length;

    /// <inheritdoc/>
    public override int LayerOf(string parameter) => parameter.StartsWith("layer", StringComparison.Ordinal) ? parameter["layer".Length] - '0' : 0;

    /// <inheritdoc/>
    public override int Width(FeatureVariant variant) => variant == FeatureVariant.AvgPool ? Config.Features : throw Lacks(variant);

    /// <inheritdoc/>
    public override Tensor Features(Tensor x, FeatureVariant variant) => variant == FeatureVariant.AvgPool ? forward(x) : throw Lacks(variant);

    /// <summary>The last map averaged over its positions: images [B, 3, H, W] to float32 [B, C].</summary>
    public override Tensor forward(Tensor x)
    {
        if (x.dim() != 4 || x.shape[1] != 3) throw new ArgumentException($"Expected images [B, 3, H, W], found [{string.Join(", ", x.shape)}].", nameof(x));
        using var scope = NewDisposeScope();
        // Channels innermost, an order that every layer keeps: from 96 pixels on convolutions are a tenth to a quarter faster in it. Smaller images
        // gain nothing and stay in the originals' order, whose roundings are the originals'.
        Tensor map = x.shape[2] * x.shape[3] > 64 * 64 ? x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) : x;
        map = Pool(bn1.forward(conv1.forward(map)).relu_());
        foreach (ResNetBlock block in layer1.Concat(layer2).Concat(layer3).Concat(layer4))
        {
            Tensor next = block.forward(map);
            map.Dispose();
            map = next;
        }
        return map.to(ScalarType.Float32).mean([2, 3]).MoveToOuterDisposeScope();
    }

    /// <summary>Largest of each 3x3 window, stride 2; explicit where libtorch has no kernel.</summary>
    private static Tensor Pool(Tensor x) => x.device_type == DeviceType.META
        ? Convolution.Windows(x, 3, 2, 1, double.NegativeInfinity).amax([4, 5])
        : nn.functional.max_pool2d(x, 3, 2, 1);
}

/// <summary>1x1, 3x3 and 1x1 convolutions around a shortcut, which is a 1x1 convolution itself where the shape changes.</summary>
internal sealed class ResNetBlock : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1, conv2, conv3;
    private readonly BatchNorm bn1, bn2, bn3;
    private readonly Sequential? downsample;

    public ResNetBlock(long inputs, long planes, long stride, bool isFirst, Device device) : base(nameof(ResNetBlock))
    {
        long outputs = ResNetConfig.Expansion * planes;
        conv1 = new Convolution(inputs, planes, 1, 1, device);
        bn1 = new BatchNorm(planes, device);
        conv2 = new Convolution(planes, planes, 3, stride, device);
        bn2 = new BatchNorm(planes, device);
        conv3 = new Convolution(planes, outputs, 1, 1, device);
        bn3 = new BatchNorm(outputs, device);
        // The first block of every stage widens.
        if (isFirst)
            downsample = nn.Sequential(("0", new Convolution(inputs, outputs, 1, stride, device)), ("1", new BatchNorm(outputs, device)));
        RegisterComponents();
    }

    /// <summary>[B, inputs, H, W] to [B, 4 planes, H / stride, W / stride], rounded up.</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor inner = bn1.forward(conv1.forward(x)).relu_();
        inner = bn2.forward(conv2.forward(inner)).relu_();
        return bn3.forward(conv3.forward(inner)).PlusInPlace(downsample?.forward(x) ?? x).relu_().MoveToOuterDisposeScope();
    }
}
