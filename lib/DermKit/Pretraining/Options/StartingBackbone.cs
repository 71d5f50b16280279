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
            if (isStudent && options.InitialWeights is { } path) Load(backbone, path, options.Blocks.Length > 0);
            return backbone;
        });
    }

    // Without its own number of blocks, a ResNet-18 takes that of a file that it starts from.
    private static ResNetConfig Sizes(PretrainOptions options)
    {
        ResNetConfig named = options.Network == NetworkKind.ResNet50 ? ResNetConfig.ResNet50 : ResNetConfig.ResNet18;
        if (options.Blocks.Length > 0) return named with { Blocks = options.Blocks };
        if (options.Network == NetworkKind.ResNet50 || options.InitialWeights is not { } path || !File.Exists(path))
            return named;
        using MappedWeights file = MappedWeights.Open(path);
        int[] blocks = ResNetConfig.Of(file).Blocks;
        return blocks.Contains(0) ? named : named with { Blocks = blocks };
    }

    // Keys of the blocks after a network's last one in each stage.
    private static string[] Later(ResNetConfig network, string path)
    {
        using MappedWeights file = MappedWeights.Open(path);
        int[] inFile = ResNetConfig.Of(file).Blocks;
        return [.. Enumerable.Range(0, 4).SelectMany(stage =>
            Enumerable.Range(network.Blocks[stage], Math.Max(0, inFile[stage] - network.Blocks[stage]))
                .Select(block => $"layer{stage + 1}.{block}.*"))];
    }

    /// <summary>Fills a backbone, without heads, from a weights file or checkpoint; isPart leaves out the blocks that a
    /// ResNet's stages do not have.</summary>
    /// <exception cref="KitException">The file is missing or for another network; nothing was loaded.</exception>
    public static void Load(Backbone backbone, string path, bool isPart = false)
    {
        if (!File.Exists(path))
            throw new KitException($"{Key}: expected a weights file (safetensors, .pth, .pt, .onnx), found none at "
                + $"{Path.GetFullPath(path)}. Put it there, or leave the key out to start from random weights.");
        (string[] rest, string expected) = backbone is ResNet network
            ? ([.. ResNet.NotBackbone, .. isPart ? Later(network.Config, path) : []],
                $"torchvision's ResNet-{network.Config.Depth}")
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
