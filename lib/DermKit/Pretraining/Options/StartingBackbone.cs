using DermKit.Models;

namespace DermKit.Pretraining;

internal static class StartingBackbone
{
    private const string Key = "Pre-training options, key 'initialWeights'";

    // Weights from the seed; a student's also from the options' file. A teacher is copied from the student.
    public static Backbone Create(PretrainOptions options, bool isStudent, Device device)
    {
        Backbone Random() => options.Network == NetworkKind.ViT
            ? VisionTransformer.Random(options.Vit(isStudent), options.Seed, device)
            : ResNet.Random(Sizes(options), options.Seed, device);
        return Owned.Make(Random, backbone =>
        {
            if (isStudent && options.InitialWeights is { } path) Load(backbone, path);
            return backbone;
        });
    }

    // A ResNet-18 takes the blocks of a file that it starts from.
    private static ResNetConfig Sizes(PretrainOptions options)
    {
        if (options.Network == NetworkKind.ResNet50) return ResNetConfig.ResNet50;
        if (options.InitialWeights is not { } path || !File.Exists(path)) return ResNetConfig.ResNet18;
        using MappedWeights file = MappedWeights.Open(path);
        int[] blocks = ResNetConfig.Of(file).Blocks;
        return blocks.Contains(0) ? ResNetConfig.ResNet18 : ResNetConfig.ResNet18 with { Blocks = blocks };
    }

    /// <summary>Fills a backbone, without heads, from a weights file or checkpoint.</summary>
    /// <exception cref="KitException">The file is missing or for another network; nothing was loaded.</exception>
    public static void Load(Backbone backbone, string path)
    {
        if (!File.Exists(path))
            throw new KitException($"{Key}: expected a weights file (safetensors, .pth, .pt, .onnx), found none at "
                + $"{Path.GetFullPath(path)}. Put it there, or leave the key out to start from random weights.");
        (string[] rest, string expected) = backbone is ResNet network
            ? (ResNet.NotBackbone, $"torchvision's ResNet-{network.Config.Depth}")
            : (VisionTransformer.NotBackbone, "a ViT in timm's or DINO's keys of this size, patch and imageSize");
        try
        {
            WeightLoader.LoadStrict(backbone, path, rest);
        }
        catch (KitException e)
        {
            throw new KitException($"{Key}: {e.Message} Expected {expected}; name such a file, or change 'network', "
                + "'size', 'patch' or 'imageSize'.", e);
        }
    }
}
