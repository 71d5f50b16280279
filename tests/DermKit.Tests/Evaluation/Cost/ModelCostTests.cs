using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Studies;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class ModelCostTests
{
    [Fact]
    public void ATinyConfigurationIsCountedAsByHand()
    {
        // 4 x 4 patches of 8 x 8: 16 x 192 inputs x 12; a block: 17 x 12 x 36, 2 x 17 x 17 x 12,
        // 17 x 12 x 12, 2 x 17 x 12 x 48.
        ModelCost vit = ModelCost.Of("v",
            new VitConfig { Dim = 12, Depth = 2, Heads = 3, Patch = 8, ImageSize = 32 }, side: 32);
        Assert.Equal([36_864, 0, 2 * 7_344, 2 * 6_936, 2 * 2_448, 2 * 19_584, 0], vit.Layers.Select(l => l.Macs));
        Assert.Equal([2_316, 216, 2 * 468, 0, 2 * 156, 2 * 1_212, 5 * 24], vit.Layers.Select(l => l.Parameters));
        Assert.Equal((17, 48, 192), (vit.Tokens, vit.Features, vit.FeatureBytes));
        // Positions are made for one size of image, operations are those of another.
        ModelCost larger = ModelCost.Of("v",
            new VitConfig { Dim = 12, Depth = 2, Heads = 3, Patch = 8, ImageSize = 32 }, side: 64);
        Assert.Equal((65, vit.Parameters), (larger.Tokens, larger.Parameters));

        ModelCost clip = ModelCost.Of("c",
            new ClipVisionConfig
            {
                Dim = 12,
                Depth = 1,
                Heads = 3,
                Patch = 16,
                ImageSize = 32,
                Hidden = 20,
                Projection = 7
            });
        Assert.Equal([4 * 768 * 12, 0, 5 * 12 * 36, 2 * 25 * 12, 5 * 144, 2 * 5 * 12 * 20, 0],
            clip.Layers.Select(l => l.Macs));
        Assert.Equal([9_216, 72, 468, 0, 156, 512, 4 * 24], clip.Layers.Select(l => l.Parameters));
    }

    [Fact]
    public void TheLadderHasThePapersNumbers()
    {
        ModelCost tiny = ModelCost.Ladder[0], monet = ModelCost.Ladder[^1];
        Assert.Equal("1.25", FormattableString.Invariant($"{tiny.GigaMacs:0.00}"));
        Assert.Equal("81.0", FormattableString.Invariant($"{monet.GigaMacs:0.0}"));
        Assert.Equal((5_524_416, 303_179_776), (tiny.Parameters, monet.Parameters));
        Assert.Equal("55", FormattableString.Invariant($"{(double)monet.Parameters / tiny.Parameters:0}"));
        Assert.Equal((768, 4096), (tiny.Features, monet.Features));
        Assert.Equal(["ViT-T/16", "ResNet-18", "ResNet-50", "ViT-S/16", "ViT-B/16", "ViT-L/16", "CLIP ViT-L/14"],
            ModelCost.Ladder.Select(m => m.Name));
        Assert.Equal(ModelCost.Ladder.Select(m => m.GigaMacs).Order(), ModelCost.Ladder.Select(m => m.GigaMacs));
    }

    [Fact]
    public void CountedParametersAreThoseOfTheModels()
    {
        foreach (ModelCost cost in ModelCost.Ladder)
        {
            using Backbone model = cost.Unset(META);
            Assert.Equal(model.ParameterCount, cost.Parameters);
            Assert.Equal(cost.Features, model.Width(cost.Variant));
        }
    }

    [Fact]
    public void AResNetIsCountedLayerByLayer()
    {
        ModelCost full = ModelCost.Of("r", ResNetConfig.ResNet50);
        // torchvision's ResNet-18 has 11,689,512 parameters, 513,000 of them in its classifier.
        ModelCost basic = ModelCost.Of("r", ResNetConfig.ResNet18);
        Assert.Equal("1.81", FormattableString.Invariant($"{basic.GigaMacs:0.00}"));
        Assert.Equal((11_176_512, 512, 49), (basic.Parameters, basic.Features, basic.Tokens));
        Assert.Equal("4.09", FormattableString.Invariant($"{full.GigaMacs:0.00}"));
        Assert.Equal((23_508_032, 2048, 49, FeatureVariant.AvgPool),
            (full.Parameters, full.Features, full.Tokens, full.Variant));
        // Odd sides are halved upwards: 33 to 17, 9, 9, 5, 3 and 2.
        ResNetConfig odd = new() { Planes = [4, 1, 2, 3], Blocks = [1, 2, 1, 1] };
        ModelCost small = ModelCost.Of("r", odd, side: 33);
        Assert.Equal(3 * 49 * 4 * 17 * 17,
            small.Layers.Single(l => l.Layer.StartsWith("stem", StringComparison.Ordinal)).Macs);
        Assert.Equal(9 * (16 * 81 + 2 * 25 + 4 * 9 + 9 * 4), small.Layers.Single(l => l.Layer == "3x3").Macs);
        Assert.Equal(16 * 4 * 81 + 16 * 4 * 25 + 4 * 8 * 9 + 8 * 12 * 4,
            small.Layers.Single(l => l.Layer == "shortcut, 1x1").Macs);
        foreach (ModelCost cost in new[] { full, small, basic })
        {
            using Backbone model = cost.Unset(META);
            Assert.Equal((model.ParameterCount, model.Width(cost.Variant)), (cost.Parameters, cost.Features));
        }
    }

    [Fact]
    public void ModelsOfARunFollowTheLadderWhereTheyCostSomethingElse()
    {
        ModelRegistry models = ModelRegistry.Load(Path.Combine(KitSettings.FromEnvironment().Root, "data"));
        var file = new ModelDefinition
        {
            Name = "file",
            Version = 1,
            Title = "file",
            Family = "onnx",
            Parameters = 15_897_152,
            Source = "weights/file.onnx",
            Licence = "MIT",
        };
        ModelCost[] all = [.. ModelCost.Named("ViT-T/16", models["vit-tiny-random"], models["resnet18-random"],
            models["resnet18-imagenet"], file, file with { Name = "declared", GigaMacs = 1.5 })];
        Assert.Equal(["ViT-T/16", "resnet18-imagenet", "file", "declared"], all.Select(m => m.Name));
        // ResNet-18 with one more block of two 3x3 convolutions and their norms in the last stage of 7 x 7.
        ModelCost usual = ModelCost.Of("r", ResNetConfig.ResNet18);
        Assert.Equal(usual.GigaMacs + 2 * 9 * 512 * 512 * 49 * 1e-9, all[1].GigaMacs, 9);
        Assert.Equal(usual.Parameters + 2 * (9 * 512 * 512 + 2 * 512), all[1].Parameters);
        using Backbone timed = all[1].Unset(CPU);
        Assert.NotNull(Assert.IsType<ResNet>(timed).MeanImage);
        // Nothing is counted in a file: parameters and what it declares.
        Assert.Equal((15_897_152, double.NaN, 1.5), (all[2].Parameters, all[2].GigaMacs, all[3].GigaMacs));
        Assert.False(all[2].IsAs(all[1]));
    }

    [Fact]
    public void AModeChangesNumbersAndMonetIsThePartnerWhereItIsTaken()
    {
        CostPlan quick = CostPlan.For(RunMode.Quick), workshop = CostPlan.For(RunMode.Workshop),
            full = CostPlan.For(RunMode.Full);
        Assert.True(quick.Batches.Max() < workshop.Batches.Max() && workshop.Batches.Max() < full.Batches.Max()
            && quick.Rounds < workshop.Rounds && workshop.Rounds < full.Rounds);
        Assert.All(new[] { quick, workshop, full }, plan => Assert.Equal(1, plan.Batches[0]));
        Assert.Equal(10_000_000, quick.Suite.MostParameters);
        Assert.True(workshop.Suite.MostParameters > 303_179_776 && full.Suite.MostParameters > 303_179_776);

        using var folder = new TemporaryFolder();
        string data = Path.Combine(KitSettings.FromEnvironment().Root, "data"),
            fixture = ClipFixture.Write(folder.Path);
        ModelRegistry bare = ModelRegistry.Load(data), with = ModelRegistry.Load(data, fixture);
        Assert.Equal(ClipFixture.Name, quick.Suite.Paired(with).Baseline);
        Assert.Equal("vit-tiny-random",
            (quick.Suite with { Models = ["vit-tiny-random"] }).Paired(with).Baseline);
        if (!bare["monet"].IsPresent) Assert.Equal("vit-tiny-random", full.Suite.Paired(bare).Baseline);
    }
}
