using DermKit.Studies;
using DermKit.Models;
using static TorchSharp.torch;
using AdamW = DermKit.Pretraining.AdamW;

namespace DermKit.Tests.Studies;

public sealed class LayerRatesTests
{
    private static Dictionary<string, (double Rate, bool Decays)> Rules(Backbone backbone,
        FeatureVariant variant, double decay)
    {
        using var network = new TunedNetwork(backbone, variant, 3, META);
        return network.named_parameters().ToDictionary(p => p.name, p => network.Rule(p.name, p.parameter, decay));
    }

    [Fact]
    public void TheLayersOfAVitTinyLearnAsMaeSaysIt()
    {
        Dictionary<string, (double Rate, bool Decays)> rules = Rules(VisionTransformer.Unset(VitConfig.Tiny, META),
            FeatureVariant.Cls4, 0.65);
        // 0.65 ^ 13, ^ 12, ^ 6 and ^ 1, computed by hand.
        Assert.Equal(0.0036972, rules["backbone.cls_token"].Rate, 1e-7);
        Assert.Equal(0.0036972, rules["backbone.pos_embed"].Rate, 1e-7);
        Assert.Equal(0.0036972, rules["backbone.patch_embed.proj.weight"].Rate, 1e-7);
        Assert.Equal(0.0056880, rules["backbone.blocks.0.attn.qkv.weight"].Rate, 1e-7);
        Assert.Equal(0.0754189, rules["backbone.blocks.6.mlp.fc1.bias"].Rate, 1e-7);
        Assert.Equal(0.65, rules["backbone.blocks.11.norm2.weight"].Rate, 1e-12);
        Assert.Equal([1, 1, 1, 1],
            new[] { "backbone.norm.weight", "backbone.norm.bias", "head.weight", "head.bias" }.Select(n =>
                rules[n].Rate));
        Assert.Equal(14, rules.Values.Select(r => r.Rate).Distinct().Count());
        // Four matrices of each block, the patches' and the head's; no bias, norm, position or CLS token.
        Assert.Equal(4 * 12 + 2, rules.Count(r => r.Value.Decays));
        Assert.All(rules.Where(r => r.Value.Decays), r => Assert.EndsWith(".weight", r.Key, StringComparison.Ordinal));
        Assert.DoesNotContain(rules, r => r.Value.Decays && r.Key.Contains("norm", StringComparison.Ordinal));
    }

    [Fact]
    public void TheStagesOfAResNetAreItsLayers()
    {
        Dictionary<string, (double Rate, bool Decays)> rules = Rules(ResNet.Unset(ResNetConfig.ResNet50, META),
            FeatureVariant.AvgPool, 0.5);
        foreach ((string name, double rate) in new[]
        {
            ("backbone.conv1.weight", 0.03125), ("backbone.bn1.bias", 0.03125),
            ("backbone.layer1.0.downsample.0.weight", 0.0625), ("backbone.layer2.3.bn3.weight", 0.125),
            ("backbone.layer3.5.conv2.weight", 0.25), ("backbone.layer4.2.conv3.weight", 0.5), ("head.weight", 1)
        })
            Assert.Equal(rate, rules[name].Rate, 1e-12);
        // 53 convolutions and the head.
        Assert.Equal(54, rules.Count(r => r.Value.Decays));
        Assert.DoesNotContain(rules, r => r.Value.Decays && r.Key.Contains("bn", StringComparison.Ordinal));
    }

    [Fact]
    public void TheBlocksOfAClipTowerAreItsLayers()
    {
        ClipVisionConfig sizes = ClipVisionConfig.Named("base");
        Dictionary<string, (double Rate, bool Decays)> rules = Rules(ClipVisionTransformer.Unset(sizes, META),
            FeatureVariant.Projected, 0.5);
        string[] behind = ["backbone.visual_projection.weight", "backbone.vision_model.post_layernorm.weight",
            "backbone.vision_model.post_layernorm.bias", "head.weight", "head.bias"];
        Assert.Equal(behind.Order(StringComparer.Ordinal),
            rules.Where(r => r.Value.Rate == 1).Select(r => r.Key).Order(StringComparer.Ordinal));
        Assert.Equal(Math.Pow(0.5, 13), rules["backbone.vision_model.embeddings.class_embedding"].Rate, 1e-12);
        Assert.Equal((Math.Pow(0.5, 13), false), rules["backbone.vision_model.embeddings.position_embedding.weight"]);
        Assert.Equal(Enumerable.Range(1, 14).Select(l => LayerRates.Of(l - 1, 12, 0.5)),
            rules.Values.Select(r => r.Rate).Distinct().Order());
    }

    [Fact]
    public void EveryParameterIsTrainedOnceAndDecayOneIsOneRate()
    {
        using var network =
            new TunedNetwork(
                VisionTransformer.Unset(new() { Dim = 24, Depth = 3, Heads = 3, Patch = 8, ImageSize = 32 }, CPU),
                FeatureVariant.Cls4PreNorm, 2, CPU);
        using var optimiser = new AdamW(network.named_parameters().Select(p => (p.name, p.parameter)),
            (name, value) => network.Rule(name, value, 1));
        Assert.Equal(network.named_parameters().Select(p => p.name).Order(StringComparer.Ordinal),
            optimiser.Names.Order(StringComparer.Ordinal));
        Assert.Equal(optimiser.Names.Count, optimiser.Names.Distinct().Count());
        Assert.Equal(network.Backbone.ParameterCount + 2 * (4 * 24 + 1), network.parameters().Sum(p => p.numel()));
        Assert.All(network.named_parameters(), p => Assert.Equal(1, network.Rule(p.name, p.parameter, 1).Rate));
    }
}
