using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>Files of each family whose keys are not quite those of the model.</summary>
public sealed class FamilyKeysTests
{
    [Theory]
    [InlineData("timm", "")]
    [InlineData("DINO", "teacher.module.backbone.")]
    [InlineData("ResNet", "")]
    [InlineData("numbered ResNet", "state_dict.model.")]
    [InlineData("Hugging Face's CLIP", "")]
    [InlineData("openai/CLIP", "")]
    public void EveryFamilysMissingExtraAndMisshapenKeysAreListedAndNothingIsLoaded(string family, string prefix)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        string path = Path.Combine(folder.Path, "x.pth");
        ResNetConfig planes = new() { Planes = [4, 5, 6, 7], Blocks = [1, 1, 1, 1] };
        (nn.Module model, IReadOnlyCollection<string> leaveOut, string missing, string misshapen) = family switch
        {
            "timm" or "DINO" =>
                ((nn.Module)VisionTransformer.Random(new()
                {
                    Dim = 24,
                    Heads = 3,
                    Depth = 2,
                    Patch = 8,
                    ImageSize = 32
                }, 1), (IReadOnlyCollection<string>)VisionTransformer.NotBackbone,
                    "blocks.1.mlp.fc2.bias", "pos_embed"),
            "ResNet" or "numbered ResNet" =>
                (ResNet.Random(planes, 1), ResNet.NotBackbone, "layer3.0.bn2.running_mean", "layer4.0.conv3.weight"),
            _ => (ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, 1), ClipModel.NotWeights,
                "text_model.final_layer_norm.bias", "vision_model.post_layernorm.weight"),
        };
        using nn.Module owned = model;
        var numbers = new Dictionary<string, string>
        {
            ["conv1"] = "0",
            ["bn1"] = "1",
            ["layer1"] = "4",
            ["layer2"] = "5",
            ["layer3"] = "6",
            ["layer4"] = "7"
        };
        Dictionary<string, Tensor> state = model.state_dict()
            .ToDictionary(p => p.Key, p => p.Key == misshapen ? zeros([.. p.Value.shape, 3]) : p.Value);
        state.Remove(missing);
        if (family == "openai/CLIP")
        {
            state[missing] = zeros(1);
            state = MappedWeightsTests.AsOpenAi(state);
            state.Remove("ln_final.bias");
        }
        state = state.ToDictionary(p => prefix
            + (family == "numbered ResNet" ? numbers[p.Key.Split('.')[0]] + p.Key[p.Key.IndexOf('.')..] : p.Key),
            p => p.Value);
        state[prefix + "stray.weight"] = zeros(2);
        TorchZip.Save(path, state);
        string before = WeightLoader.Hash(model),
            message = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(model, path, leaveOut)).Message;
        Assert.Contains($"missing: {missing}.", message);
        Assert.Contains("extra: stray.weight.", message);
        Assert.Contains($"misshapen: {misshapen} [", message);
        Assert.EndsWith("Nothing was loaded.", message, StringComparison.Ordinal);
        Assert.Equal(before, WeightLoader.Hash(model));
    }
}
