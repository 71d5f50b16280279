using DermKit.Models;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>The network that the options name, with the weights that a run starts from.</summary>
internal static class StartingBackbone
{
    private const string Key = "Pre-training options, key 'initialWeights'";

    /// <summary>Weights are drawn from the seed; the student's come from the file that the options name, where they name one.</summary>
    /// <param name="options">The run.</param>
    /// <param name="isStudent">With stochastic depth and the file; a teacher is copied from the student.</param>
    /// <param name="device">Where it shall lie.</param>
    /// <exception cref="KitException">The file is not there or is for another network; nothing is left behind.</exception>
    public static Backbone Make(PretrainOptions options, bool isStudent, Device device)
    {
        Backbone backbone = options.Network == "ViT" ? VisionTransformer.Random(options.Vit(isStudent) with { MaskToken = isStudent && options.Method == "iBOT" }, options.Seed, device) : ResNet.Random(ResNetConfig.ResNet50, options.Seed, device);
        try
        {
            if (isStudent && options.InitialWeights is { } path) Load(backbone, path);
            return backbone;
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    /// <summary>Fills a backbone from a weights file of timm, DINO, iBOT or torchvision, or a checkpoint that holds one, without its heads.</summary>
    /// <exception cref="KitException">The file is not there or is for another network; nothing was loaded.</exception>
    public static void Load(Backbone backbone, string path)
    {
        if (!File.Exists(path)) throw new KitException($"{Key}: expected a weights file (safetensors, .pth, .pt), found none at {Path.GetFullPath(path)}. Put it there, or leave the key out to start from random weights.");
        try
        {
            WeightLoader.LoadStrict(backbone, path, backbone is ResNet ? ResNet.NotBackbone : VisionTransformer.NotBackbone);
        }
        catch (KitException e)
        {
            throw new KitException($"{Key}: {e.Message} Expected {(backbone is ResNet ? "torchvision's ResNet-50" : "a ViT in timm's or DINO's keys of this size, patch and imageSize")}; name such a file, or change 'network', 'size', 'patch' or 'imageSize'.", e);
        }
    }
}
